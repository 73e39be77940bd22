"""Exactly once, whatever the order, the repeats and the crashes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import opened
from tocsin.engines import profile_labels, profile_predictions
from tocsin.lake import ModelLake, Table
from tocsin.profiles import ProfileKey
from tocsin.records import models
from tocsin.settings import Settings


def test_a_prediction_is_counted_once_however_often_it_is_sent(feed: Feed) -> None:
    feed.predictions(prediction("a"), prediction("a"))
    feed.work()
    feed.predictions(prediction("a", distance=5.0))
    feed.work()

    assert feed.total("n") == 1
    assert feed.app.read.summary("late")["repeated"] == 2


def test_the_first_prediction_with_an_id_counts(feed: Feed) -> None:
    feed.predictions(prediction("a", p=0.25), prediction("a", p=0.75))
    feed.work()

    assert feed.total("score") == pytest.approx(0.25)


def test_an_outcome_may_come_before_its_prediction(feed: Feed) -> None:
    feed.outcomes(outcome("a", 1))
    feed.work()
    assert feed.total("labelled") == 0

    feed.predictions(prediction("a"))
    feed.work()
    assert feed.total("labelled") == 1
    assert feed.total("label") == 1


def test_a_corrected_outcome_replaces_the_earlier_one(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1, timestamp=START + HOUR))
    feed.work()
    feed.outcomes(outcome("a", 0, timestamp=START + 2 * HOUR))
    feed.work()

    assert (feed.total("labelled"), feed.total("label")) == (1, 0)


def test_an_outcome_that_is_older_than_the_known_one_changes_nothing(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1, timestamp=START + 2 * HOUR))
    feed.work()
    feed.outcomes(outcome("a", 0, timestamp=START + HOUR))
    feed.work()

    assert (feed.total("labelled"), feed.total("label")) == (1, 1)


def test_of_outcomes_with_one_timestamp_the_one_that_came_last_counts(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1), outcome("a", 0))
    feed.work()
    assert feed.total("label") == 0

    feed.outcomes(outcome("a", 1))
    feed.work()
    assert feed.total("label") == 1


def test_an_outcome_beyond_the_horizon_is_kept_but_does_not_count(feed: Feed) -> None:
    feed.predictions(prediction("a"), prediction("b"))
    feed.outcomes(
        outcome("a", 1, timestamp=START + timedelta(days=30)),
        outcome("b", 1, timestamp=START + timedelta(days=30, microseconds=1)),
    )
    feed.work()

    assert feed.total("labelled") == 1


def test_a_score_exactly_on_the_threshold_is_counted_as_positive(feed: Feed) -> None:
    feed.predictions(prediction("a", p=0.5), prediction("b", p=0.4999999))
    feed.work()

    assert feed.total("predicted_positive") == 1


def test_rows_of_two_versions_are_kept_apart(feed: Feed) -> None:
    feed.predictions(prediction("a", model_version="1"), prediction("b", model_version="2"))
    feed.work()

    assert {key.version for key in feed.profiles()} == {"1", "2"}


def test_data_may_lie_in_a_folder_with_spaces_and_accents(tmp_path: Path) -> None:
    with _world(tmp_path / "été 100% à *moi*?") as feed:
        feed.predictions(prediction("a"))
        feed.work()
        feed.outcomes(outcome("a", 1))
        feed.work()

        assert feed.total("labelled") == 1


def test_a_rebuild_gives_the_same_profiles(feed: Feed) -> None:
    feed.hours(0, 30)
    feed.work()
    feed.outcomes(outcome("h3-1", 0, timestamp=START + 40 * HOUR), outcome("nobody", 1))
    feed.work()
    before = feed.profiles()

    assert feed.app.rebuild.rebuild("late") == feed.sent
    after = feed.profiles()

    assert before.keys() == after.keys()
    for key, vector in before.items():
        np.testing.assert_allclose(after[key], vector, rtol=1e-9, atol=1e-9)


# The law: any interleaving of rows, folds and crashes gives what one fold of all gives.

ACTIONS = st.one_of(
    st.tuples(st.just("predict"), st.integers(0, 5), st.integers(0, 30)),
    st.tuples(st.just("tell"), st.integers(0, 7), st.integers(0, 60), st.integers(0, 1)),
    st.tuples(st.just("fold"), st.sampled_from([1, 3, 1_000])),
    st.tuples(st.just("crash"), st.integers(0, 3)),
)


class CrashError(Exception):
    """The process dies here."""


@dataclass
class Naive:
    """What has to come out: dictionaries, and everything folded at once at the end."""

    predictions: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    told: int = 0

    def predict(self, prediction_id: str, record: dict[str, Any]) -> None:
        self.predictions.setdefault(prediction_id, record)

    def tell(self, prediction_id: str, hour: int, label: int) -> None:
        self.told += 1
        candidate = (hour, self.told, label)
        self.outcomes[prediction_id] = max(candidate, self.outcomes.get(prediction_id, candidate))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions=st.lists(ACTIONS, min_size=5, max_size=30))
def test_any_interleaving_with_crashes_equals_one_fold_of_all(
    actions: list[tuple[Any, ...]],
) -> None:
    with TemporaryDirectory() as folder:
        naive = Naive()
        with _world(Path(folder)) as feed:
            for action in actions:
                _act(feed, naive, action)
            feed.work()
            found = feed.profiles()
            expected = _expected(feed, naive)
            assert found.keys() == expected.keys()
            for key, vector in expected.items():
                np.testing.assert_allclose(found[key], vector, rtol=1e-9, atol=1e-9)
            feed.app.rebuild.rebuild("late")
            rebuilt = feed.profiles()
            assert rebuilt.keys() == expected.keys()
            for key, vector in expected.items():
                np.testing.assert_allclose(rebuilt[key], vector, rtol=1e-9, atol=1e-9)


@contextmanager
def _world(folder: Path) -> Iterator[Feed]:
    where = Settings(folder, "127.0.0.1", 8765, "http://tocsin.test", None)
    with opened(where) as app:
        app.register.add("late", monitor_document(), reference(400))
        yield Feed(app, "late")


def _act(feed: Feed, naive: Naive, action: tuple[Any, ...]) -> None:
    match action:
        case ("predict", number, hour):
            # One id has one hour, as a retry of a request has.
            record = prediction(
                f"p{number}",
                timestamp=START + HOUR * (number * 7),
                distance=100.0 * hour,
                p=hour / 30,
            )
            feed.predictions(record)
            naive.predict(f"p{number}", record)
        case ("tell", number, hour, label):
            feed.outcomes(outcome(f"p{number}", label, timestamp=START + HOUR * hour))
            naive.tell(f"p{number}", hour, label)
        case ("fold", rows):
            feed.app.fold.fold("late", most_rows=rows)
        case ("crash", step):
            _fold_and_crash(feed, step)


def _fold_and_crash(feed: Feed, step: int) -> None:
    """Fold, but die after `step` of the three seals, or before the records' transaction."""
    seals = iter(range(step))
    real = ModelLake.seal

    def dying(self: ModelLake, table: Table, rows: Any, offset: int) -> None:
        if next(seals, None) is None:
            raise CrashError
        real(self, table, rows, offset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelLake, "seal", dying)
        patch.setattr(type(feed.app.fold), "_count", _die)
        with suppress(CrashError):
            feed.app.fold.fold("late")
    # A new process knows nothing of what the old one had open.
    feed.app.fold._open.clear()


def _die(*_: Any) -> None:
    raise CrashError


def _expected(feed: Feed, naive: Naive) -> dict[ProfileKey, Any]:
    """One fold of all rows that count, by the engine alone."""
    from tocsin.declared import parse_monitor
    from tocsin.engines import merged
    from tocsin.service.decoding import decode_predictions

    with feed.app.records.read() as connection:
        record = models.model_named(connection, "late")
    monitor = parse_monitor("late", record.monitor)
    schema, hour = monitor.schema, monitor.granularity

    def decoded(records: list[dict[str, Any]]) -> Any:
        import json

        return decode_predictions(
            json.dumps(records).encode(), schema, version="unknown", now=2**52
        )

    table = decoded(list(naive.predictions.values())).rows
    known = [
        (told, naive.predictions[key])
        for key, told in naive.outcomes.items()
        if key in naive.predictions and _valid(naive.predictions[key], told[0])
    ]
    parts: list[Callable[[], Any]] = [
        lambda: profile_predictions(record.plan, schema, table, hour).items()
    ]
    if known:
        rows = decoded([row for _, row in known]).rows
        import pyarrow as pa

        rows = rows.append_column(
            "label", pa.array([told[2] for told, _ in known], pa.int8())
        ).append_column(
            "outcome_timestamp",
            pa.array([START + HOUR * told[0] for told, _ in known], pa.timestamp("us", "UTC")),
        )
        parts.append(lambda: profile_labels(record.plan, schema, rows, hour).items())
    total = merged(*(part() for part in parts))
    return {
        key: profile.vector
        for key, profile in total.items()
        if np.any(np.abs(profile.vector) > 1e-9)
    }


def _valid(record: dict[str, Any], hour: int) -> bool:
    """An outcome counts from a day before its prediction on."""
    from datetime import datetime

    told = START + HOUR * hour
    return told >= datetime.fromisoformat(record["timestamp"]) - timedelta(days=1)
