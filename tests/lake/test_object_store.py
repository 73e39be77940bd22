"""The lake on an object store, through a real S3 API: all that a local one can."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.servers import Server
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import App, opened
from tocsin.engines import LocalEngine
from tocsin.errors import StartupError
from tocsin.lake import Table
from tocsin.profiles import ProfileKey
from tocsin.settings import Settings
from tocsin.settings import settings as settings_of

Profiles = dict[ProfileKey, "np.ndarray[Any, Any]"]


@pytest.fixture
def remote(store: dict[str, str], bucket: str, tmp_path: Path) -> App:
    """An application whose lake is in a bucket."""
    environment = {**store, "TOCSIN_LAKE": f"s3://{bucket}/a/lake/", "TOCSIN_SEAL_AGE": "0s"}
    with opened(settings_of(environment, data=tmp_path / "remote")) as app:
        yield app


def some_days(app: App) -> Feed:
    app.register.add("late", monitor_document(), reference(400))
    feed = Feed(app, "late")
    feed.hours(20, 30)
    feed.work()
    # Late, twice, corrected, of nobody, and one that does not fit.
    feed.predictions(prediction("h22-1"), prediction("odd", p=7))
    feed.outcomes(outcome("h25-1", 0, timestamp=START + 40 * HOUR), outcome("nobody", 1))
    feed.work()
    return feed


def assert_same(found: Profiles, wanted: Profiles) -> None:
    assert found.keys() == wanted.keys()
    for key, vector in wanted.items():
        np.testing.assert_allclose(found[key], vector, rtol=1e-9, atol=1e-9)


def test_the_whole_way_over_a_store_equals_that_over_a_folder(app: App, remote: App) -> None:
    wanted = some_days(app).profiles()
    feed = some_days(remote)

    assert_same(feed.profiles(), wanted)
    assert not (remote.settings.data / "lake").exists()
    assert remote.rebuild.rebuild("late") == app.rebuild.rebuild("late") == 800
    assert_same(feed.profiles(), wanted)
    assert [row["reason"] for row in remote.quarantine.rows("late", limit=10)] == [
        "outputs.p: 7.0 is not a probability in [0, 1]"
    ]


def test_the_local_engine_reads_the_lake_in_the_store(app: App, remote: App) -> None:
    wanted = some_days(app).profiles()
    feed = some_days(remote)
    engine = LocalEngine(2)

    assert remote.profile_source.rebuild("late", engine) == 800
    assert_same(feed.profiles(), wanted)
    engine.close()


def test_a_new_plan_is_made_from_the_reference_in_the_store(app: App, remote: App) -> None:
    changed = monitor_document(segments=["carrier"])
    for each in (app, remote):
        some_days(each)
        each.register.change("late", changed)
        Feed(each, "late").work()

    assert_same(Feed(remote, "late").profiles(), Feed(app, "late").profiles())


@pytest.mark.parametrize("seals", range(4))
def test_a_crash_between_the_store_and_the_records_counts_nothing_twice(
    remote: App, monkeypatch: pytest.MonkeyPatch, seals: int
) -> None:
    feed = some_days(remote)
    before = feed.total("n")
    feed.predictions(prediction("new", timestamp=START + 31 * HOUR), prediction("bad", p=7))
    feed.outcomes(outcome("new", 1, timestamp=START + 32 * HOUR))
    with monkeypatch.context() as patch:
        lake = remote.fold._open[1]
        real, done = lake.seal, iter(range(seals))

        def dying(table: Table, rows: Any, offset: int) -> None:
            if next(done, None) is None:
                raise KeyboardInterrupt
            real(table, rows, offset)

        def dead(*_: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr(lake, "seal", dying)
        patch.setattr(type(remote.fold), "_count", dead)
        with suppress(KeyboardInterrupt):
            remote.fold.fold("late")
    remote.fold._open.clear()
    feed.work()

    assert feed.total("n") == before + 1
    found = feed.profiles()
    remote.rebuild.rebuild("late")
    assert_same(feed.profiles(), found)


def test_a_server_keeps_its_lake_where_the_environment_says(
    tmp_path: Path, store: dict[str, str], bucket: str
) -> None:
    environment = {**store, "TOCSIN_LAKE": f"s3://{bucket}/lake"}
    here = settings_of(environment, data=tmp_path / "data")
    with opened(here) as app:
        app.register.add("late", monitor_document(), reference(400))
        Feed(app, "late").hours(0, 2)
    with Server(tmp_path / "data", **environment) as server:
        server.caught_up()
        assert server.get("/models/late/summary")["joined"] == 160
    with opened(here) as app:
        assert app.rebuild.rebuild("late") == 160


@pytest.mark.parametrize("address", ["s3://", "s3://a b", "s3://a/b?c", "http://a/b", "s3://a//b"])
def test_an_address_that_cannot_be_one_is_refused(tmp_path: Path, address: str) -> None:
    where = Settings(tmp_path, "127.0.0.1", 1, "http://tocsin.test", None, lake=address)
    with pytest.raises(StartupError, match="the lake cannot lie at"), opened(where):
        pass


def test_credentials_are_not_shown(store: dict[str, str]) -> None:
    assert store["AWS_SECRET_ACCESS_KEY"] not in repr(settings_of(store))
