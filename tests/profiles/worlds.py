"""Models of every task, with a plan each and rows of every oddity, to hold the laws against."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.profiles.synthetic import category, labelled, numeric, places, predicted, some

from tocsin.profiles import (
    Grouping,
    Plan,
    Profile,
    Rows,
    fold_labels,
    fold_predictions,
    plan_from_reference,
)
from tocsin.schema import Feature, Kind, Ratio, Schema, Segment, Task
from tocsin.values import DAY

SHARES = np.linspace(0, 1, 41)
CITIES = ["Rome"] * 20 + ["Oslo"] * 15 + ["Bern"] * 6
CLASSES = ("ash", "elm", "oak")
FEATURES = (Feature("age", Kind.NUMERIC), Feature("city", Kind.CATEGORICAL))
SEGMENTS = (
    Segment("place", column="city"),
    Segment("life", column="age", cuts=(18.0, 65.0)),
    Segment("quarter", column="age"),
    Segment("south", where="city == 'Rome' or age > 70"),
)
# Fields that count rows, and so have to be exact however rows are added up.
COUNTS = {
    "n", "labelled", "negatives", "positives", "under", "over", "missing_scores",
    "predicted_positive", "true_negatives", "false_positives", "false_negatives",
    "true_positives", "not_logarithmic",
}  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Rows of one model with their truth."""

    plan: Plan
    rows: Rows
    labels: np.ndarray
    delays: np.ndarray

    def __repr__(self) -> str:
        age, city = (self.rows.features[name] for name in ("age", "city"))
        return (
            f"Batch(scores={self.rows.scores.tolist()}, predicted={self.rows.predicted.tolist()}, "
            f"labels={self.labels.tolist()}, delays={self.delays.tolist()}, age={age}, city={city})"
        )

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, index: Any) -> "Batch":
        index = np.asarray(index, np.int64)
        return Batch(self.plan, some(self.rows, index), self.labels[index], self.delays[index])

    def predictions(self) -> Profile:
        return predicted(self.plan, self.rows)

    def truth(self) -> Profile:
        return labelled(self.plan, self.rows, self.labels, self.delays)

    def folded(self) -> Profile:
        return self.predictions() + self.truth()

    def grouped(self, *groupings: Grouping) -> list[Profile]:
        """One stack per grouping, of predictions and labels together."""
        labels = fold_labels(self.plan, self.rows, self.labels, self.delays, *groupings)
        return [
            one + other
            for one, other in zip(
                fold_predictions(self.plan, self.rows, *groupings), labels, strict=True
            )
        ]

    def magnitude(self) -> np.ndarray:
        """(size,) the sum of what each row adds without its sign: what rounding goes by."""
        if len(self) == 0:
            return np.zeros(self.plan.layout.size)
        (each,) = self.grouped(Grouping(np.arange(len(self)), len(self)))
        return np.abs(each.vector).sum(0)


@dataclass(frozen=True)
class World:
    """A model and what its rows can be."""

    name: str
    schema: Schema
    reference: Rows
    labels: np.ndarray
    plan: Plan
    outputs: st.SearchStrategy[Any]
    truths: st.SearchStrategy[float]
    rows_of: Callable[[list[Any]], tuple[np.ndarray, np.ndarray]]

    def __repr__(self) -> str:
        return f"World({self.name})"

    def batches(self, max_size: int = 25) -> st.SearchStrategy[Batch]:
        row = st.tuples(self.outputs, ages, cities, self.truths, delays)
        return st.lists(row, max_size=max_size).map(self.batch)

    def batch(self, drawn: list[Any]) -> Batch:
        outputs, age, city, truth, delay = zip(*drawn, strict=True) if drawn else ((),) * 5
        scores, said = self.rows_of(list(outputs))
        columns = {"age": numeric(age), "city": category(city)}
        return Batch(
            self.plan,
            Rows(scores, said, columns),
            np.array(truth, dtype=float),
            np.array(delay, dtype=np.int64),
        )

    def replanned(self, order: list[int]) -> Plan:
        """The plan of the same reference in another order."""
        index = np.array(order)
        return plan_from_reference(self.schema, some(self.reference, index), self.labels[index])


ages = st.one_of(
    st.none(),
    st.floats(-1e6, 1e6),
    st.sampled_from(
        [0.0, 18.0, 65.0, 80.0, -0.1, 80.1, 1e308, float("nan"), float("inf"), -float("inf")]
    ),
)
cities = st.sampled_from(["Rome", "Oslo", "Bern", "Nome", None])
delays = st.integers(-DAY, 100 * DAY)


def _world(
    name: str,
    schema: dict[str, Any],
    scores: np.ndarray,
    said: np.ndarray,
    labels: np.ndarray,
    **how: Any,
) -> World:
    made = Schema(**{"features": FEATURES, "score": None, "prediction": None, "label": "truth",
                     "segments": SEGMENTS, **schema})  # fmt: skip
    columns = {"age": numeric(list(SHARES * 80)), "city": category(CITIES)}
    reference = Rows(scores, said.astype(np.int32), columns)
    plan = plan_from_reference(made, reference, labels)
    return World(name, made, reference, labels, plan, **how)


def _binary() -> World:
    labels = (SHARES > 0.4).astype(float)
    said = (SHARES >= 0.5).astype(np.int32)
    edges = [0.0, 0.3, 0.5, 0.9, 1.0, 0.25, 0.75]

    def rows_of(drawn: list[float]) -> tuple[np.ndarray, np.ndarray]:
        scores = np.array(drawn, dtype=float)
        said = np.where(np.isfinite(scores), scores >= 0.5, -1)
        return scores[:, None], said.astype(np.int32)

    return _world(
        "binary",
        {
            "task": Task.BINARY,
            "score": "p",
            "thresholds": (0.3, 0.9),
            "ratios": (
                Ratio("age per row", "age"),
                Ratio("cost", "(label != prediction) * abs(age)", "abs(age) + 1"),
            ),
        },
        SHARES[:, None],
        said,
        labels,
        outputs=st.one_of(
            st.floats(0, 1), st.sampled_from([*edges, float("nan"), float("inf"), -float("inf")])
        ),
        truths=st.sampled_from([0.0, 1.0]),
        rows_of=rows_of,
    )


def _binary_without_scores() -> World:
    def rows_of(drawn: list[int]) -> tuple[np.ndarray, np.ndarray]:
        return np.full((len(drawn), 1), np.nan), np.array(drawn, dtype=np.int32)

    return _world(
        "binary without scores",
        {
            "task": Task.BINARY,
            "prediction": "class",
            "ratios": (Ratio("said", "prediction"), Ratio("right", "label == prediction")),
        },
        np.full((41, 1), np.nan),
        (SHARES >= 0.5).astype(np.int32),
        (SHARES > 0.4).astype(float),
        outputs=st.sampled_from([0, 1, -1]),
        truths=st.sampled_from([0.0, 1.0]),
        rows_of=rows_of,
    )


def _three(shares: np.ndarray) -> np.ndarray:
    """(n, 3) probabilities."""
    raw = np.column_stack([shares + 0.1, 1.2 - shares, 0.2 + shares**2])
    return raw / raw.sum(1, keepdims=True)


_RATIOS = (
    Ratio("oaks", "prediction == 'oak'"),
    Ratio("missed oaks", "label == 'oak' and prediction != 'oak'", "label == 'oak'"),
)


def _multiclass() -> World:
    def rows_of(drawn: list[Any]) -> tuple[np.ndarray, np.ndarray]:
        scores = np.array([row for row, _ in drawn], dtype=float).reshape(-1, 3)
        return scores, np.array([said for _, said in drawn], dtype=np.int32)

    scores = _three(SHARES)
    score = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    odd = st.sampled_from([float("nan"), float("inf")])
    row = st.one_of(
        st.tuples(score, score, score),
        st.tuples(score, score, st.one_of(score, odd)),
        st.floats(0, 1).map(lambda x: tuple(_three(np.array([x]))[0])),
    )
    return _world(
        "multiclass",
        {
            "task": Task.MULTICLASS,
            "classes": CLASSES,
            "scores": ("p_ash", "p_elm", "p_oak"),
            "ratios": _RATIOS,
        },
        scores,
        scores.argmax(1),
        np.round(SHARES * 2),
        outputs=st.tuples(row, st.sampled_from([0, 1, 2, -1])),
        truths=st.sampled_from([0.0, 1.0, 2.0]),
        rows_of=rows_of,
    )


def _multiclass_without_scores() -> World:
    def rows_of(drawn: list[int]) -> tuple[np.ndarray, np.ndarray]:
        return np.full((len(drawn), 3), np.nan), np.array(drawn, dtype=np.int32)

    return _world(
        "multiclass without scores",
        {"task": Task.MULTICLASS, "classes": CLASSES, "prediction": "tree", "ratios": _RATIOS},
        np.full((41, 3), np.nan),
        np.round(SHARES * 2),
        np.round(SHARES**2 * 2),
        outputs=st.sampled_from([0, 1, 2, -1]),
        truths=st.sampled_from([0.0, 1.0, 2.0]),
        rows_of=rows_of,
    )


def _regression() -> World:
    def rows_of(drawn: list[float]) -> tuple[np.ndarray, np.ndarray]:
        return np.array(drawn, dtype=float)[:, None], np.full(len(drawn), -1, np.int32)

    odd = [float("nan"), float("inf"), -float("inf"), -1.0, 0.0, -1.5, 100.0, 350.0, 1e200]
    number = st.one_of(st.floats(-1e4, 1e4), st.sampled_from(odd))
    return _world(
        "regression",
        {
            "task": Task.REGRESSION,
            "prediction": "price",
            "ratios": (
                Ratio("paid", "prediction", "maximum(age, 1)"),
                Ratio("weighted error", "abs(label - prediction)", "abs(label)"),
            ),
        },
        (100 + 250 * SHARES)[:, None],
        np.full(41, -1),
        100 + 250 * SHARES + 20 * np.sin(17 * SHARES),
        outputs=number,
        truths=number,
        rows_of=rows_of,
    )


WORLDS = (
    _binary(),
    _binary_without_scores(),
    _multiclass(),
    _multiclass_without_scores(),
    _regression(),
)


def counting(plan: Plan) -> np.ndarray:
    """(size,) which entries of a vector count rows."""
    return np.array([place.split(".")[-1] in COUNTS for place in places(plan)])


def assert_same(one: Profile, other: Profile, magnitude: np.ndarray | float) -> None:
    """Counts are equal, sums to 1e-11 of what was summed up."""
    exact = counting(one.plan)
    assert np.isfinite(one.vector).all()
    assert (one.vector[..., exact] == other.vector[..., exact]).all()
    off = np.abs(one.vector - other.vector) > 1e-11 * np.broadcast_to(magnitude, one.vector.shape)
    assert not off.any(), [
        (place, one.vector[..., i], other.vector[..., i])
        for i, place in enumerate(places(one.plan))
        if off[..., i].any()
    ]
