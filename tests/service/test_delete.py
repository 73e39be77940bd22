"""A model that is deleted leaves nothing, and its name can be used again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from tests.servers import Server
from tests.world import Feed, monitor_document, outcome, prediction, reference

from tocsin.app import App, opened
from tocsin.errors import SchemaError, UnknownModelError
from tocsin.lake import Lake
from tocsin.records import audit
from tocsin.records.tables import deletions, metadata, timeline
from tocsin.service import register
from tocsin.service.decoding import Body
from tocsin.service.fold import Fold
from tocsin.service.ingest import Ingest, Receipt, Request
from tocsin.settings import Settings
from tocsin.values import DAY

RULE = {
    "alert": "High",
    "expr": {"metric": "label_rate", "window": "1h", "op": ">", "value": 0.01},
}


def rows_left(app: App) -> dict[str, int]:
    """How many rows the tables of the records have that speak of models."""
    with app.records.read() as connection:
        left = {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
            for table in metadata.sorted_tables
            if ("model_id" in table.c and table is not deletions)
            or table.name in ("models", "outbox", "alert_groups", timeline.name)
        }
    return {name: rows for name, rows in left.items() if rows}


def folders(app: App) -> list[str]:
    return sorted(path.name for path in (app.settings.data / "lake").iterdir())


def test_a_deleted_model_leaves_no_row_and_no_file(app: App) -> None:
    app.register.add("late", monitor_document(rules=[RULE]), reference(400))
    feed = Feed(app, "late")
    feed.hours(0, 4)
    feed.predictions(prediction("bad", p=9))
    feed.work()
    app.erase.erase("late", prediction_ids=["h0-1"])
    feed.work()
    feed.predictions(prediction("waits"))
    assert app.notify.flush()
    assert {"profiles", "incidents", "outbox", "inbox", "alert_groups"} < rows_left(app).keys()

    app.delete.delete("late")
    assert rows_left(app) == {}
    with pytest.raises(UnknownModelError):
        feed.predictions(prediction("a"))
    app.worker.work()

    assert folders(app) == []
    assert app.delete.waiting() == []
    assert app.read.overviews() == []


def test_the_others_stay_as_they_are(feed: Feed) -> None:
    feed.app.register.add("other", monitor_document(rules=[RULE]), reference(400))
    other = Feed(feed.app, "other")
    other.hours(0, 4)
    feed.hours(0, 4)
    feed.work()
    before, summary = other.profiles(), feed.app.read.summary("other")

    feed.app.delete.delete("late")
    feed.app.worker.work()

    assert other.profiles().keys() == before.keys()
    assert feed.app.read.summary("other") == summary
    assert folders(feed.app) == ["other-2"]
    assert feed.app.rebuild.rebuild("other") == 320


def test_a_new_model_of_the_name_has_nothing_of_the_old_one(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.work()
    feed.app.delete.delete("late")
    # The files of the old one are still there.
    feed.app.register.add("late", monitor_document(), reference(400))
    feed.predictions(prediction("a"), prediction("b"))
    feed.work()

    assert feed.total("n") == 2
    assert folders(feed.app) == ["late-2"]
    assert feed.app.read.summary("late").get("repeated", 0) == 0


def test_the_number_of_an_incident_is_not_given_again(app: App) -> None:
    numbers: list[int] = []
    for name in ("late", "other"):
        app.register.add(name, monitor_document(rules=[RULE]), reference(400))
        Feed(app, name).hours(0, 4)
        app.worker.work()
        numbers += [incident.id for incident in app.read.incidents(open_only=True)]
        app.delete.delete(name)

    assert numbers == [1, 2]
    assert app.read.incident(1) is None


def test_a_deletion_is_finished_after_a_crash(settings: Settings) -> None:
    with opened(settings) as app:
        app.register.add("late", monitor_document(), reference(400))
        Feed(app, "late").hours(0, 2)
        Feed(app, "late").work()
        app.delete.delete("late")
        assert folders(app) == ["late-1"]
    with opened(settings) as app:
        app.worker.work()
        assert folders(app) == []


def test_a_model_that_is_deleted_while_it_is_folded_is_gone_all_the_same(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.predictions(prediction("a"))
    real = Fold._count

    def deleted_first(self: Fold, *rest: object) -> None:
        feed.app.delete.delete("late")
        real(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Fold, "_count", deleted_first)
    feed.app.worker.work()
    assert feed.app.worker.trouble == []
    assert folders(feed.app) == ["late-1"]
    feed.app.worker.work()

    assert (folders(feed.app), rows_left(feed.app)) == ([], {})
    assert feed.app.worker.trouble == []


def test_rows_of_a_model_that_is_deleted_while_they_come_fail_alone(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = feed.app
    app.register.add("other", monitor_document(), reference(400))
    real = Ingest._store

    def deleted_first(self: Ingest, *rest: Any) -> Any:
        app.delete.delete("late")
        return real(self, *rest)

    monkeypatch.setattr(Ingest, "_store", deleted_first)
    body = Body(json.dumps([prediction("a")]).encode())
    gone, stored = app.ingest.accept_all(
        [Request(name, "predictions", body) for name in ("late", "other")]
    )
    assert isinstance(gone, UnknownModelError)
    assert isinstance(stored, Receipt)
    app.worker.work()
    assert Feed(app, "other").total("n") == 1


def _meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Let something happen while a reference is profiled."""
    real = register.reference_profile

    def after(*rest: Any) -> Any:
        monkeypatch.undo()
        do()
        return real(*rest)

    monkeypatch.setattr(register, "reference_profile", after)


def test_a_reference_does_not_bring_back_the_folder_of_a_model_that_is_deleted(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        feed.app.delete.delete("late")
        feed.app.worker.work()

    _meanwhile(monkeypatch, gone)
    with pytest.raises(UnknownModelError):
        feed.app.register.replace_reference("late", reference(400))
    assert folders(feed.app) == []


def test_a_change_of_a_deleted_model_is_not_one_of_the_new_one_of_its_name(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced() -> None:
        feed.app.delete.delete("late")
        feed.app.register.add("late", monitor_document(), reference())

    _meanwhile(monkeypatch, replaced)
    with pytest.raises(SchemaError, match="meanwhile"):
        feed.app.register.change("late", monitor_document(labels={"max": "9d"}))
    assert feed.app.read.model("late").monitor.label_horizon != 9 * DAY


def test_trouble_of_a_new_model_of_the_name_is_not_forgotten_with_that_of_the_old_one(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> int:
        raise OSError("the disk is gone")

    app = feed.app
    monkeypatch.setattr(Fold, "fold", failing)
    monkeypatch.setattr(Lake, "remove", failing)
    for _ in range(2):
        app.delete.delete("late")
        app.register.add("late", monitor_document(), reference(400))
    feed.predictions(prediction("a"))
    for _ in range(3):
        with pytest.raises(ExceptionGroup):
            app.worker.work()

    told = {(failing.work, failing.model): failing.failures for failing in app.worker.trouble}
    assert told == {("delete", "late-1"): 3, ("delete", "late-2"): 3, ("fold", "late"): 3}


def test_nothing_is_remembered_of_a_deleted_model(feed: Feed) -> None:
    feed.hours(0, 2)
    feed.work()
    app = feed.app
    known = (app.fold._open, app.ingest._parsed, app.ingest._recent._ids, app.retain._expired)
    assert all(known)
    app.delete.delete("late")
    app.worker.work()

    assert not any(known)
    assert not app.evaluate._nothing_due


def test_a_kill_right_after_the_answer_does_not_undo_a_deletion(tmp_path: Path) -> None:
    where = Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None)
    with opened(where) as app:
        app.register.add("late", monitor_document(), reference(400))
        Feed(app, "late").hours(0, 6)
        Feed(app, "late").outcomes(outcome("h0-1", 1))
    with Server(tmp_path / "data") as server:
        answer = httpx2.delete(f"{server.url}/api/v1/models/late", timeout=60)
        server.kill()
        assert (answer.status_code, answer.json()) == (202, {"deleted": "late"})
        server.start()
        assert server.get("/models") == []
        again = httpx2.delete(f"{server.url}/api/v1/models/late", timeout=60)
        assert again.status_code == 404
    with opened(where) as app:
        app.worker.work()
        assert (folders(app), rows_left(app)) == ([], {})


def test_who_deleted_a_model_stays_known(app: App) -> None:
    app.register.add("late", monitor_document(), reference(400))
    app.delete.delete("late", actor="anna")
    with app.records.read() as connection:
        newest = audit.listed(connection, limit=1)[0]
        assert audit.verified(connection).fault is None
    assert (newest.deed.actor, newest.deed.event) == ("anna", "model.deleted")
    assert newest.deed.object == "model/late"
