"""What many tests need: a small model, its reference, and an application on a folder of its own."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from tests.world import Feed, monitor_document, reference
from tocsin.app import App, opened
from tocsin.engines import Engine
from tocsin.records import Records
from tocsin.settings import Settings

# A busy machine is no failure.
hypothesis_settings.register_profile("tocsin", deadline=None)
hypothesis_settings.load_profile("tocsin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what needs the Spark cluster, which takes longest."""
    items.sort(key=lambda item: "spark" not in item.nodeid.casefold())


@pytest.fixture(scope="session", autouse=True)
def _migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new database of records begins as a copy of one that was migrated: most of its time."""
    migrated = tmp_path_factory.mktemp("records") / "migrated.db"
    Records(migrated).close()
    migrate = Records._migrate

    def copied(records: Records) -> None:
        place = records._engine.url.database
        if place is not None and not os.path.exists(place):
            shutil.copyfile(migrated, place)
        migrate(records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Records, "_migrate", copied)
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path / "data",
        host="127.0.0.1",
        port=8765,
        url="http://tocsin.test",
        tracking_uri=None,
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[App]:
    with opened(settings) as application:
        yield application


@pytest.fixture
def feed(app: App) -> Feed:
    """The monitored model `late`, and its feed."""
    app.register.add("late", monitor_document(), reference())
    return Feed(app, "late")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine at a cluster that starts with the first test that asks for it."""
    from tests.engines.cluster import spark_cluster
    from tocsin.engines.spark import SparkEngine

    os.environ["PYSPARK_PYTHON"] = sys.executable
    with spark_cluster(tmp_path_factory.mktemp("spark")) as master:
        engine = SparkEngine(master)
        yield engine
        engine.close()
