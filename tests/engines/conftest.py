"""The engines that every test of the suite runs on."""

import os
import sys
from collections.abc import Iterator

import pytest
from tests.engines.cluster import spark_cluster

from tocsin.engines import Engine, LocalEngine
from tocsin.engines.spark import SparkEngine


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    with spark_cluster(tmp_path_factory.mktemp("spark")) as master:
        engine = SparkEngine(master)
        yield engine
        engine.close()


@pytest.fixture(params=["one thread", "three threads", "spark"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "spark":
        yield request.getfixturevalue("spark")
        return
    local = LocalEngine(1 if request.param == "one thread" else 3)
    yield local
    local.close()
