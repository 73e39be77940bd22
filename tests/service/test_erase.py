"""What is erased is gone from files and numbers."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import App
from tocsin.errors import InvalidInputError, UnavailableError
from tocsin.records import audit


def _files(folder: Path) -> str:
    """Everything that the Parquet files of the lake say."""
    return "\n".join(
        str(pq.ParquetFile(path).read().to_pydict()) for path in folder.rglob("*.parquet")
    )


def test_an_erased_prediction_is_as_if_it_had_never_been(feed: Feed) -> None:
    feed.hours(0, 4)
    feed.work()
    before = feed.profiles()
    feed.predictions(prediction("secret", timestamp=START + HOUR), prediction("secret", p=9))
    feed.outcomes(outcome("secret", 1, timestamp=START + 2 * HOUR))
    feed.work()
    assert "secret" in _files(feed.app.settings.data / "lake")

    feed.app.erase.erase("late", prediction_ids=["secret"])
    feed.work()

    after = feed.profiles()
    assert after.keys() == before.keys()
    for key, vector in before.items():
        np.testing.assert_allclose(after[key], vector, rtol=1e-9, atol=1e-9)
    assert "secret" not in _files(feed.app.settings.data / "lake")
    assert feed.app.read.summary("late")["erased"] == 1
    assert feed.app.rebuild.rebuild("late") == feed.sent


def test_what_comes_after_the_erasure_counts(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.app.erase.erase("late", prediction_ids=["a", 'it\'s "nobody"'])
    feed.predictions(prediction("a", p=0.25))
    feed.work()

    assert (feed.total("n"), feed.total("score")) == (1, 0.25)


def test_erasing_by_keys_takes_all_of_a_customer(app: App) -> None:
    document = monitor_document(join={"on": ["customer"], "within": "10h"})
    app.register.add("late", document, reference(400))
    feed = Feed(app, "late")
    feed.predictions(*(prediction(f"p{i}", customer=f"c{i % 2}") for i in range(4)))
    feed.outcomes({"customer": "c0", "timestamp": START.isoformat(), "actual_outcome": 1})
    feed.outcomes(outcome("p2", 1))
    feed.work()

    app.erase.erase("late", keys=[{"customer": "c0"}])
    feed.work()
    assert (feed.total("n"), feed.total("labelled")) == (2, 0)
    assert "c0" not in _files(app.settings.data / "lake")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "either `prediction_ids` or `keys`"),
        ({"prediction_ids": ["a"], "keys": [{"customer": "1"}]}, "either"),
        ({"keys": [{"customer": "1"}]}, "none: the monitor has no `join`"),
    ],
)
def test_a_request_that_names_nobody_is_refused(
    feed: Feed, asked: dict[str, list[str]], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        feed.app.erase.erase("late", **asked)  # type: ignore[arg-type]


def test_rows_of_before_the_monitor_hashed_are_erased_as_well(app: App) -> None:
    joined = monitor_document(join={"on": ["customer"], "within": "10h"})
    app.register.add("late", joined, reference(400))
    feed = Feed(app, "late")
    feed.predictions(prediction("p1", customer="c1"), prediction("p2", customer="c2"))
    feed.work()
    app.register.change("late", joined | {"privacy": {"hash": ["customer", "prediction_id"]}})
    feed.predictions(prediction("p3", customer="c1"), prediction("p4", customer="c2"))
    feed.work()

    app.erase.erase("late", keys=[{"customer": "c1"}])
    feed.work()
    assert feed.total("n") == 2
    assert "'c1'" not in _files(app.settings.data / "lake")
    app.erase.erase("late", prediction_ids=["p2", "p4"])
    feed.work()
    assert feed.total("n") == 0


def test_quarantined_rows_that_name_an_erased_prediction_go_with_the_keys(app: App) -> None:
    document = monitor_document(join={"on": ["customer"], "within": "10h"})
    app.register.add("late", document, reference(400))
    feed = Feed(app, "late")
    feed.predictions(prediction("p1", customer="c1"), prediction("p2", customer="c2"))
    feed.predictions(prediction("bad", customer="c1", p="high"))
    feed.outcomes(outcome("p1", "odd"), outcome("p2", "odd"))
    feed.work()

    app.erase.erase("late", keys=[{"customer": "c1"}])
    feed.work()
    assert [row["row"]["prediction_id"] for row in app.quarantine.rows("late")] == ["p2"]


def test_a_replay_does_not_bring_back_what_is_being_erased(feed: Feed) -> None:
    row = prediction("p1")
    row["outputs"] = {"probability": 0.5}
    feed.predictions(row)
    feed.work()

    feed.app.erase.erase("late", prediction_ids=["p1"])
    with pytest.raises(UnavailableError, match="are being erased"):
        feed.app.quarantine.replay("late", rename={"probability": "p"})
    feed.work()
    assert feed.app.quarantine.replay("late", rename={"probability": "p"}).accepted == 0
    feed.work()
    assert feed.total("n") == 0


def test_an_erasure_tells_how_many_rows_it_took(feed: Feed) -> None:
    feed.predictions(prediction("a"), prediction("b"), prediction("a", p=9))
    feed.outcomes(outcome("a", 1), outcome("a", 0))
    feed.work()
    erase = feed.app.erase
    offset = erase.erase("late", prediction_ids=["a", "nobody"])
    waiting = erase.erasure("late", offset)
    assert waiting is not None
    assert (waiting.requested, waiting.predictions, waiting.done_at) == (2, None, None)

    feed.work()
    done = erase.erasure("late", offset)
    assert done is not None
    assert (done.predictions, done.outcomes, done.quarantined) == (1, 2, 1)
    assert done.done_at is not None
    assert erase.erasures("late") == [done]
    assert erase.erasure("late", offset + 1) is None


def test_an_erasure_that_is_cut_off_in_the_lake_still_tells_all_rows(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.predictions(prediction("a"), prediction("a", p=9))
    feed.outcomes(outcome("a", 1))
    feed.work()
    offset = feed.app.erase.erase("late", prediction_ids=["a"])

    def cut_off(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(feed.app.records, "forget", cut_off)
        with pytest.raises(OSError, match="killed"):
            feed.app.fold.fold("late")
    feed.app.fold.fold("late")

    done = feed.app.erase.erasure("late", offset)
    assert done is not None
    assert (done.predictions, done.outcomes, done.quarantined) == (1, 1, 1)
    assert done.done_at is not None


def test_who_asked_for_an_erasure_stays_known_but_not_for_whose(feed: Feed) -> None:
    feed.app.erase.erase("late", prediction_ids=["secret"], actor="anna")
    with feed.app.records.read() as connection:
        document = audit.listed(connection, limit=1)[0].to_dict()
    assert (document["actor"], document["event"]) == ("anna", "rows.erased")
    assert document["evidence"]["asked_for"] == 1
    assert "secret" not in str(document)
