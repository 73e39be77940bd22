"""Servers that hold rows, one of each for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sources.broker import Broker
from tests.sources.postgres import postgres
from tests.sources.worlds import WORLDS, World


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return WORLDS[request.param](tmp_path, request.getfixturevalue)
