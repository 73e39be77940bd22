"""Rows that do not fit are kept, and counted once they do."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.world import HOUR, Feed, monitor_document, outcome, prediction

from tocsin.errors import InvalidInputError
from tocsin.records import inbox, models


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


def test_an_empty_name_is_refused(feed: Feed) -> None:
    with pytest.raises(InvalidInputError, match="empty name"):
        feed.app.quarantine.replay("late", rename={"p": ""})
