"""The engines that every test of the suite runs on."""

from collections.abc import Iterator

import pytest

from tocsin.engines import Engine, LocalEngine


@pytest.fixture(params=["one thread", "three threads", "spark"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "spark":
        yield request.getfixturevalue("spark")
        return
    local = LocalEngine(1 if request.param == "one thread" else 3)
    yield local
    local.close()
