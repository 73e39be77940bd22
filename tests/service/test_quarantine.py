"""Rows that do not fit are kept, and counted once they do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.world import HOUR, Feed, monitor_document, outcome, prediction, reference

from tocsin.errors import InvalidInputError, UnavailableError, UnknownModelError
from tocsin.lake import lake
from tocsin.records import inbox, models
from tocsin.service.quarantine import Quarantine


def _misnamed(name: str, **more: object) -> dict[str, object]:
    return {**prediction(name), "outputs": {"probability": 0.3}, **more}


def test_rows_are_grouped_by_what_was_wrong(feed: Feed) -> None:
    feed.predictions(_misnamed("a"), _misnamed("b"), prediction("c", p=7))
    feed.outcomes(outcome("a", "perhaps"))
    feed.work()

    groups = feed.app.quarantine.groups("late")
    assert (groups[0].kind, groups[0].rows) == ("predictions", 2)
    assert groups[0].reason == "outputs.p is missing"
    assert groups[0].example["outputs"] == {"probability": 0.3}
    assert {(g.kind, g.rows) for g in groups[1:]} == {("predictions", 1), ("outcomes", 1)}


def test_rows_under_another_name_are_taken_up_once(feed: Feed) -> None:
    feed.predictions(_misnamed("a"), _misnamed("b"), prediction("c", p=7))
    feed.outcomes(outcome("a", 1))
    feed.work()

    done = feed.app.quarantine.replay("late", rename={"probability": "p"})
    assert (done.accepted, done.kept) == (2, 1)
    assert done.reasons == (("outputs.p: … is not a probability in [0, 1]", 1),)
    # Before and after the fold, they are there no more.
    assert [group.rows for group in feed.app.quarantine.groups("late")] == [1]
    feed.work()
    assert [group.rows for group in feed.app.quarantine.groups("late")] == [1]
    assert (feed.total("n"), feed.total("labelled")) == (2, 1)
    assert feed.app.quarantine.replay("late", rename={"probability": "p"}).accepted == 0


def test_rows_fit_after_the_monitor_was_mended(feed: Feed) -> None:
    ahead = datetime.now(UTC) + timedelta(days=2)
    feed.predictions(prediction("a", timestamp=ahead))
    feed.work()
    assert "more than 10m in the future" in feed.app.quarantine.groups("late")[0].reason
    assert feed.app.quarantine.replay("late").accepted == 0

    feed.app.register.change("late", monitor_document(clock_skew="5d"))
    assert feed.app.quarantine.replay("late").accepted == 1


def test_only_rows_of_a_reason_are_tried(feed: Feed) -> None:
    feed.predictions(_misnamed("a"), _misnamed("b", model_version=[]))
    feed.work()

    done = feed.app.quarantine.replay("late", rename={"probability": "p"}, reason="outputs.p")
    assert done.accepted == 1


def test_a_row_without_id_and_time_keeps_those_of_its_arrival(feed: Feed) -> None:
    row = {"inputs": {"distance": 1.0, "carrier": "AA"}, "outputs": {"probability": 0.3}}
    feed.predictions(row)
    feed.work()
    (kept,) = feed.app.quarantine.rows("late")

    feed.app.quarantine.replay("late", rename={"probability": "p"})
    # As if the process had died before the fold, and somebody tried again.
    with feed.app.records.write() as connection:
        model = models.model_named(connection, "late").id
        left = inbox.entries(connection, model, after=0, until=None, most_rows=10)
        connection.exec_driver_sql(f'DELETE FROM inbox WHERE inbox."offset" = {left[-1].offset}')
    feed.app.quarantine.replay("late", rename={"probability": "p"})
    feed.work()

    assert feed.total("n") == 1
    (key,) = feed.profiles()
    arrived = datetime.fromisoformat(kept["received_at"]).timestamp() * 1e6
    assert 0 <= arrived - key.bucket < HOUR.total_seconds() * 1e6


@pytest.mark.parametrize("together", [True, False])
def test_rows_are_taken_up_in_the_order_in_which_they_came(feed: Feed, *, together: bool) -> None:
    feed.predictions(prediction("a"))
    feed.work()
    told = [outcome("a", n % 2) for n in range(8)]
    for row in told:
        row["lab"] = row.pop("actual_outcome")
    for rows in [told] if together else [[row] for row in told]:
        feed.outcomes(*rows)
        feed.work()

    assert feed.app.quarantine.replay("late", rename={"lab": "actual_outcome"}).accepted == 8
    feed.work()
    assert (feed.total("labelled"), feed.total("label")) == (1, 1)


def test_all_rows_are_taken_up_however_many_are_in_memory_together(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake, "_AT_ONCE", 3)
    for start in (0, 5):
        feed.predictions(*(_misnamed(f"r{n}") for n in range(start, start + 5)))
    feed.work()

    assert [group.rows for group in feed.app.quarantine.groups("late")] == [10]
    assert feed.app.quarantine.replay("late", rename={"probability": "p"}).accepted == 10
    feed.work()
    assert feed.total("n") == 10


def _meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Let something happen between the reading of rows and their taking up."""
    real = Quarantine._take_up

    def after(*rest: Any) -> None:
        do()
        real(*rest)

    monkeypatch.setattr(Quarantine, "_take_up", after)


def test_a_replay_does_not_bring_back_what_is_erased_while_it_reads(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.predictions(_misnamed("gone"))
    feed.work()

    def erased() -> None:
        feed.app.erase.erase("late", prediction_ids=["gone"])
        feed.work()

    _meanwhile(monkeypatch, erased)
    with pytest.raises(UnavailableError, match="are being erased"):
        feed.app.quarantine.replay("late", rename={"probability": "p"})
    monkeypatch.undo()
    assert feed.app.quarantine.replay("late", rename={"probability": "p"}).accepted == 0
    feed.work()
    assert feed.total("n") == 0


def test_rows_of_a_deleted_model_are_not_taken_up_for_a_new_one_of_its_name(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.predictions(_misnamed("a"))
    feed.work()

    def replaced() -> None:
        feed.app.delete.delete("late")
        feed.app.register.add("late", monitor_document(), reference(400))

    _meanwhile(monkeypatch, replaced)
    with pytest.raises(UnknownModelError):
        feed.app.quarantine.replay("late", rename={"probability": "p"})
    feed.work()
    assert feed.total("n") == 0


def test_an_empty_name_is_refused(feed: Feed) -> None:
    with pytest.raises(InvalidInputError, match="empty name"):
        feed.app.quarantine.replay("late", rename={"p": ""})
