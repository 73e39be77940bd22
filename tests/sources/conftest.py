"""Servers that hold rows, one of each for all tests."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sources.broker import Broker
from tests.sources.postgres import postgres
from tests.sources.worlds import WORLDS, World

from tocsin.demo.model import tracking_at
from tocsin.demo.servers import mlflow_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="session")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with warnings.catch_warnings():
        # Importing it warns of a type hint of MLflow's own.
        warnings.simplefilter("ignore")
        import mlflow.pyfunc  # noqa: F401
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as uri, tracking_at(uri):
        yield uri


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return WORLDS[request.param](tmp_path, request.getfixturevalue)
