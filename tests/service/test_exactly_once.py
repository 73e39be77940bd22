"""The law: any interleaving of rows, folds, erasures and crashes gives what one fold gives."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import opened
from tocsin.declared import parse_monitor
from tocsin.engines import merged, profile_labels, profile_predictions
from tocsin.lake import ModelLake
from tocsin.profiles import ProfileKey
from tocsin.records import Records, intake, models
from tocsin.service import decoding
from tocsin.settings import Settings

WITHIN = 30
NUMBERS = st.integers(0, 4)
HOURS = st.integers(0, 50)
LABELS = st.sampled_from([0, 1, None])

ACTIONS = st.one_of(
    st.tuples(st.just("predict"), NUMBERS, st.integers(0, 30)),
    st.tuples(st.just("tell"), st.integers(0, 7), HOURS, LABELS),
    st.tuples(st.just("tell by key"), st.integers(0, 1), HOURS, LABELS),
    st.tuples(st.just("predict and tell"), NUMBERS, st.integers(0, 30), st.integers(0, 1)),
    st.tuples(st.just("misname"), NUMBERS, st.integers(0, 30)),
    st.tuples(st.just("replay")),
    st.tuples(st.just("erase"), NUMBERS),
    st.tuples(st.just("erase by key"), st.integers(0, 1)),
    st.tuples(st.just("fold"), st.sampled_from([1, 3, 1_000])),
    st.tuples(st.just("crash"), st.integers(0, 9)),
    st.tuples(st.just("rebuild")),
)


class CrashError(Exception):
    """The process dies here."""


@dataclass(frozen=True)
class Told:
    """An outcome: when it was told, which one it was, and whose it is."""

    hour: int
    order: int
    label: int | None
    prediction_id: str | None = None
    customer: str | None = None


@dataclass
class Naive:
    """What has to come out, written down anew from what the words mean: dictionaries and loops."""

    predictions: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: list[Told] = field(default_factory=list)
    misnamed: list[dict[str, Any]] = field(default_factory=list)

    def predict(self, record: dict[str, Any]) -> None:
        self.predictions.setdefault(record["prediction_id"], record)

    def tell(self, hour: int, label: int | None, **whose: str) -> None:
        self.outcomes.append(Told(hour, len(self.outcomes), label, **whose))

    def replay(self) -> None:
        for record in self.misnamed:
            self.predict({**record, "outputs": {"p": record["outputs"]["prob"]}})
        self.misnamed = []

    def erase(self, gone: Callable[[dict[str, Any]], bool], told: Callable[[Told], bool]) -> None:
        ids = {name for name, record in self.predictions.items() if gone(record)}
        # An outcome is of the same person as the row in quarantine that has its id.
        misfits = {r["prediction_id"] for r in self.misnamed if gone(r)}
        ids |= misfits - self.predictions.keys()
        self.predictions = {n: r for n, r in self.predictions.items() if n not in ids}
        self.outcomes = [o for o in self.outcomes if o.prediction_id not in ids and not told(o)]
        self.misnamed = [record for record in self.misnamed if not gone(record)]

    def labels(self) -> dict[str, tuple[int, int]]:
        """The label that counts of each prediction that has one, and its hour."""
        found: dict[str, list[Told]] = {}
        for o in self.outcomes:
            name = o.prediction_id
            if name is None:
                name = max(
                    (
                        (hour(r), n)
                        for n, r in self.predictions.items()
                        if r["customer"] == o.customer and 0 <= o.hour - hour(r) <= WITHIN
                    ),
                    default=(0, ""),
                )[1]
            elif name in self.predictions and not (
                -24 <= o.hour - hour(self.predictions[name]) <= WITHIN
            ):
                continue
            found.setdefault(name, []).append(o)
        latest = {name: max(told, key=lambda o: (o.hour, o.order)) for name, told in found.items()}
        return {
            name: (o.label, o.hour)
            for name, o in latest.items()
            if name in self.predictions and o.label is not None
        }


def hour(record: dict[str, Any]) -> int:
    return (datetime.fromisoformat(record["timestamp"]) - START) // HOUR


FOLD = ("fold", 1_000)
# Each was a fault once, or would be one if a line of the fold were left out.
TRAPS: dict[str, list[tuple[Any, ...]]] = {
    "an outcome goes back to the earlier prediction when the later one is erased": [
        *[("predict", 0, 1), ("predict", 2, 2), ("tell by key", 0, 20, 1), FOLD, ("erase", 2)],
    ],
    "unless that has a later one of its own": [
        *[("predict", 0, 1), ("predict", 2, 2), ("tell", 0, 25, 1), ("tell by key", 0, 20, 0)],
        *[FOLD, ("erase", 2)],
    ],
    "an erasure that was cut off is finished before a rebuild": [
        *[("predict", 0, 1), FOLD, ("erase", 0), ("crash", 1), ("rebuild",)],
    ],
    "and before the next fold": [
        *[("predict", 0, 1), FOLD, ("erase", 0), ("crash", 1), ("tell", 0, 10, 1), FOLD],
    ],
    "an outcome by id is weighed against a stored one by key": [
        *[("predict", 0, 1), ("tell by key", 0, 20, 1), FOLD, ("tell", 0, 10, 0), FOLD],
    ],
    "an outcome of the next day is not counted on this one too": [
        *[("predict", 0, 1), ("predict", 4, 1), ("tell by key", 0, 29, 1), FOLD],
    ],
    "of two rows in quarantine the one that came first counts": [
        *[("misname", 0, 0), ("misname", 0, 1), FOLD, ("misname", 0, 2), ("replay",)],
    ],
    "a row leaves the quarantine once": [("misname", 0, 1), ("replay",), ("replay",)],
    "a deleted outcome takes the earlier one back": [
        *[("predict", 0, 1), ("tell", 0, 10, 1), FOLD, ("tell", 0, 11, None), FOLD],
        *[("tell", 0, 12, 0), FOLD],
    ],
    "with a row in quarantine goes the outcome that names it": [
        *[("misname", 1, 25), ("tell", 1, 22, 0), FOLD, ("erase by key", 1), FOLD],
        ("predict", 1, 24),
    ],
    "erasing by key takes what only the key names": [
        *[("tell by key", 0, 20, 1), FOLD, ("erase by key", 0), ("predict", 0, 1), FOLD],
    ],
}


@pytest.mark.parametrize("actions", TRAPS.values(), ids=TRAPS.keys())
def test_a_trap_is_not_fallen_into(actions: list[tuple[Any, ...]]) -> None:
    _check_law(actions)


@settings(max_examples=40, deadline=None)
@given(actions=st.lists(ACTIONS, min_size=5, max_size=30))
def test_any_interleaving_with_crashes_equals_one_fold_of_all(
    actions: list[tuple[Any, ...]],
) -> None:
    _check_law(actions)


@pytest.mark.soak
@settings(max_examples=1_500, deadline=None)
@given(actions=st.lists(ACTIONS, min_size=10, max_size=60))
def test_any_long_interleaving_equals_one_fold_of_all(actions: list[tuple[Any, ...]]) -> None:
    _check_law(actions)


def _check_law(actions: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        naive = Naive()
        with _world(Path(folder)) as feed:
            for action in actions:
                _act(feed, naive, action)
            feed.work()
            expected = _expected(feed, naive)
            _check_equal(feed.profiles(), expected)
            came = _intake(feed)
            misnamed = sum(action[0] == "misname" for action in actions)
            assert came.get("quarantined", 0) == misnamed
            assert came.get("repeated", 0) == feed.app.read.summary("late")["repeated"]
            feed.app.rebuild.rebuild("late")
            _check_equal(feed.profiles(), expected)
            assert _intake(feed) == came


def _intake(feed: Feed) -> dict[str, int]:
    """The rows that no profile has, by kind."""
    with feed.app.records.read() as connection:
        record = models.model_named(connection, "late")
        found = intake.between(connection, record.id, 0, 2**62)
    return {kind: sum(by_bucket.values()) for kind, by_bucket in found.items()}


def _check_equal(found: dict[ProfileKey, Any], expected: dict[ProfileKey, Any]) -> None:
    assert found.keys() == expected.keys()
    for key, vector in expected.items():
        np.testing.assert_allclose(found[key], vector, rtol=1e-9, atol=1e-9)


@contextmanager
def _world(folder: Path) -> Iterator[Feed]:
    where = Settings(folder, "127.0.0.1", 8765, "http://tocsin.test", None)
    document = monitor_document(join={"on": ["customer"], "within": f"{WITHIN}h"})
    with opened(where) as app:
        app.register.add("late", document, reference(400))
        yield Feed(app, "late")


def _record(number: int, distance: int) -> dict[str, Any]:
    # One id has one hour, as a retry of a request has.
    return prediction(
        f"p{number}",
        timestamp=START + HOUR * (number * 7),
        distance=100.0 * distance,
        p=distance / 30,
        customer=f"c{number % 2}",
    )


def _act(feed: Feed, naive: Naive, action: tuple[Any, ...]) -> None:
    match action:
        case ("predict", number, distance):
            record = _record(number, distance)
            feed.predictions(record)
            naive.predict(record)
        case ("tell", number, at, label):
            feed.outcomes(_told({"prediction_id": f"p{number}"}, at, label))
            naive.tell(at, label, prediction_id=f"p{number}")
        case ("tell by key", customer, at, label):
            feed.outcomes(_told({"customer": f"c{customer}"}, at, label))
            naive.tell(at, label, customer=f"c{customer}")
        case ("predict and tell", number, distance, label):
            record = _record(number, distance)
            feed.predictions({**record, "actual_outcome": label})
            naive.predict(record)
            naive.tell(hour(record), label, prediction_id=f"p{number}")
        case ("misname", number, distance):
            record = _record(number, distance)
            record["outputs"] = {"prob": record["outputs"]["p"]}
            assert feed.predictions(record).quarantined == 1
            naive.misnamed.append(record)
        case ("replay",):
            feed.work()
            done = feed.app.quarantine.replay("late", rename={"prob": "p"})
            assert done.accepted == len(naive.misnamed)
            naive.replay()
        case ("erase", number):
            feed.app.erase.erase("late", prediction_ids=[f"p{number}"])
            name = f"p{number}"
            naive.erase(lambda r: r["prediction_id"] == name, lambda o: o.prediction_id == name)
        case ("erase by key", customer):
            feed.app.erase.erase("late", keys=[{"customer": f"c{customer}"}])
            name = f"c{customer}"
            naive.erase(lambda r: r["customer"] == name, lambda o: o.customer == name)
        case ("fold", rows):
            feed.app.fold.fold("late", most_rows=rows)
        case ("crash", step):
            _fold_and_crash(feed, step)
        case ("rebuild",):
            feed.app.rebuild.rebuild("late")


def _told(whose: dict[str, str], at: int, label: int | None) -> dict[str, Any]:
    record = {**outcome("", label, timestamp=START + HOUR * at), "prediction_id": None, **whose}
    return record if label is not None else {**record, "deleted": True}


def _fold_and_crash(feed: Feed, step: int) -> None:
    """Fold, but die before the step of this number: a seal, an erasure, a transaction."""
    steps = iter(range(step))

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **named: Any) -> Any:
            if next(steps, None) is None:
                raise CrashError
            return real(*arguments, **named)

        return act

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((ModelLake, "seal"), (ModelLake, "erase"), (Records, "write")):
            patch.setattr(owner, name, dying(getattr(owner, name)))
        with suppress(CrashError):
            feed.app.fold.fold("late")
    # A new process knows nothing of what the old one had open.
    feed.app.fold._open.clear()


def _expected(feed: Feed, naive: Naive) -> dict[ProfileKey, Any]:
    """One fold of all rows that count, by the engine alone."""
    with feed.app.records.read() as connection:
        record = models.model_named(connection, "late")
    monitor = parse_monitor("late", record.monitor)
    plan, schema, granularity = record.plan, monitor.schema, monitor.granularity
    by = decoding.Reading(schema, "unknown", now=2**52, skew=0)

    def rows(records: list[dict[str, Any]]) -> pa.Table:
        body = decoding.Body(json.dumps(records).encode())
        given = decoding.given(decoding.records_of(body), schema, "a prediction")
        return decoding.predictions(given, by).predictions

    labels = naive.labels()
    told = rows([naive.predictions[name] for name in labels])
    told = told.append_column("label", pa.array([label for label, _ in labels.values()], pa.int8()))
    times = [START + timedelta(hours=at) for _, at in labels.values()]
    told = told.append_column("outcome_timestamp", pa.array(times, pa.timestamp("us", "UTC")))
    total = merged(
        profile_predictions(plan, schema, rows([*naive.predictions.values()]), granularity).items(),
        profile_labels(plan, schema, told, granularity).items(),
    )
    return {
        key: profile.vector
        for key, profile in total.items()
        if np.any(np.abs(profile.vector) > 1e-9)
    }
