"""Counts of quality: additive, free of order, and as pandas counts them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles.synthetic import category, numeric, plan_of, rows

from tocsin.profiles import (
    Grouping,
    Plan,
    Profile,
    Rows,
    fold_labels,
    fold_predictions,
    plan_from_reference,
)
from tocsin.quality import Intake, cells_of, counted, plan_cells
from tocsin.schema import Feature, Kind, Schema, Task

AGES = st.one_of(
    st.none(),
    st.sampled_from([np.inf, -np.inf, np.nan]),
    st.floats(-20, 120).map(lambda age: round(age, 2)),
    st.just(0.0),
)
CITIES = st.sampled_from([None, "Rome", "Oslo", "Bern", "Lima", "Gotham"])
TABLE = st.lists(st.tuples(AGES, CITIES), min_size=1, max_size=40)


def made_plan() -> Plan:
    ages = np.linspace(0, 100, 50).tolist()
    cities = (["Rome"] * 25 + ["Oslo"] * 15 + ["Bern"] * 7 + ["Lima"] * 3)[:50]
    return plan_of(np.linspace(0.1, 0.9, 50), [0, 1] * 25, age=numeric(ages), city=category(cities))


PLAN = made_plan()


def folded(table: list[tuple[Any, Any]], plan: Plan = PLAN) -> Profile:
    made = rows(
        np.full(len(table), 0.5),
        age=numeric([age for age, _ in table]),
        city=category([city for _, city in table]),
    )
    (found,) = fold_predictions(plan, made, Grouping(np.zeros(len(table), np.int64), 1))
    return found[0]


def by_name(profile: Profile) -> dict[str, float]:
    counts, _ = counted(profile)
    return {cell.name: n for cell, n in zip(plan_cells(profile), counts.tolist(), strict=True)}


@given(TABLE, TABLE)
def test_counts_of_rows_add_up_but_for_what_is_the_most_and_the_distinct(
    one: list[tuple[Any, Any]], other: list[tuple[Any, Any]]
) -> None:
    both, first, second = (by_name(folded(part)) for part in (one + other, one, other))
    for name in both:
        if "top_share" in name:
            # The most frequent value of all is as frequent as in its parts, at most.
            assert name.startswith("age") or both[name] <= first[name] + second[name]
        elif "cardinality" in name:
            assert max(first[name], second[name]) <= both[name] <= first[name] + second[name]
        else:
            assert both[name] == first[name] + second[name]


@given(TABLE, st.randoms())
def test_the_order_of_rows_makes_no_difference(table: list[tuple[Any, Any]], random: Any) -> None:
    shuffled = random.sample(table, len(table))
    assert by_name(folded(table)) == by_name(folded(shuffled))


@given(TABLE)
def test_counts_are_those_of_pandas(table: list[tuple[Any, Any]]) -> None:
    found = by_name(folded(table))
    frame = pd.DataFrame(table, columns=["age", "city"], dtype=object)
    given_null = frame["age"].map(lambda v: v is None)
    age = frame["age"].astype(float)
    finite = age[np.isfinite(age)]
    assert found["age/null_rate"] + found["age/non_finite_rate"] == len(frame) - len(finite)
    assert found["age/null_rate"] >= given_null.sum()
    assert found["age/out_of_range_rate"] == ((finite < 0) | (finite > 100)).sum()
    city = frame["city"]
    assert found["city/null_rate"] == city.isna().sum()
    assert found["city/unseen_rate"] == (city == "Gotham").sum()
    known = city[city.isin(["Rome", "Oslo", "Bern", "Lima"])]
    assert found["city/cardinality"] == known.nunique()
    assert found["city/top_share"] == (known.value_counts().max() if len(known) else 0)


@given(TABLE)
def test_no_more_rows_are_said_to_have_one_number_than_do(table: list[tuple[Any, Any]]) -> None:
    found = by_name(folded(table))
    most = pd.Series([age for age, _ in table], dtype=float).value_counts()
    assert found["age/top_share"] <= (most.max() if len(most) else 0)


def test_a_number_that_is_stuck_at_an_edge_is_counted() -> None:
    assert by_name(folded([(0.0, "Rome")] * 30))["age/top_share"] == 30
    assert by_name(folded([(100.0, "Rome")] * 30))["age/top_share"] == 30


def test_a_stack_has_what_its_parts_have() -> None:
    tables = [[(1.0, "Rome")], [(None, "Gotham")] * 3, [(130.0, None)] * 2]
    parts = [folded(table) for table in tables]
    stack = Profile(PLAN, np.stack([part.vector for part in parts]))
    counts, n = counted(stack)
    for i, part in enumerate(parts):
        alone = counted(part)
        assert np.array_equal(counts[i], alone[0])
        assert np.array_equal(n[i], alone[1])


def test_repeats_and_misfits_are_of_rows_that_no_profile_has() -> None:
    came = Intake(np.array(2.0), np.array(4.0), np.array(1.0))
    counts, n = counted(folded([(1.0, "Rome")] * 8), came)
    names = [cell.name for cell in plan_cells(folded([(1.0, "Rome")]))]
    at = names.index("duplicate_rate")
    assert counts[at : at + 3].tolist() == [2, 4, 1]
    assert n[at : at + 3].tolist() == [10, 12, 8]


def test_a_declared_range_is_told_exactly() -> None:
    schema = Schema(
        Task.BINARY, (Feature("age", Kind.NUMERIC, range=(18.0, 65.0)),), "p", None, "late"
    )
    ages = np.linspace(0, 100, 101)
    reference = rows(np.full(101, 0.5), age=numeric(ages.tolist()))
    plan = plan_from_reference(schema, reference, np.zeros(101))
    assert exactly_out(plan, [17.9, 18.0, 40.0, 65.0, 65.0001, 150.0, -3.0]) == 4


def test_a_declared_range_may_be_wider_than_the_reference() -> None:
    schema = Schema(
        Task.BINARY, (Feature("age", Kind.NUMERIC, range=(-10.0, 200.0)),), "p", None, "late"
    )
    ages = np.linspace(0, 100, 101)
    plan = plan_from_reference(
        schema, rows(np.full(101, 0.5), age=numeric(ages.tolist())), np.zeros(101)
    )
    assert exactly_out(plan, [-11.0, -10.0, -5.0, 150.0, 200.0, 201.0]) == 2


@given(
    st.floats(-50, 150, width=32),
    st.floats(0, 100, width=32),
    st.lists(st.floats(-100, 300, width=32), min_size=1, max_size=30),
)
def test_a_declared_range_counts_what_is_outside_of_it(
    low: float, width: float, values: list[float]
) -> None:
    schema = Schema(
        Task.BINARY, (Feature("age", Kind.NUMERIC, range=(low, low + width)),), "p", None, "late"
    )
    ages = np.linspace(0, 100, 101)
    plan = plan_from_reference(
        schema, rows(np.full(101, 0.5), age=numeric(ages.tolist())), np.zeros(101)
    )
    assert exactly_out(plan, values) == sum(not low <= value <= low + width for value in values)


def exactly_out(plan: Plan, values: list[float]) -> float:
    made = rows(np.full(len(values), 0.5), age=numeric(list(values)))
    (found,) = fold_predictions(plan, made, Grouping(np.zeros(len(values), np.int64), 1))
    return by_name(found[0])["age/out_of_range_rate"]


def test_declared_values_are_told_exactly() -> None:
    feature = Feature("city", Kind.CATEGORICAL, values=("Rome", "Nome"))
    schema = Schema(Task.BINARY, (feature,), "p", None, "late")
    cities = category(["Rome"] * 6 + ["Oslo"] * 4)
    plan = plan_from_reference(schema, rows(np.full(10, 0.5), city=cities), np.zeros(10))
    now = rows(np.full(5, 0.5), city=category(["Rome", "Nome", "Oslo", "Bern", None]))
    (found,) = fold_predictions(plan, now, Grouping(np.zeros(5, np.int64), 1))
    assert by_name(found[0])["city/unseen_rate"] == 2
    assert Plan.from_dict(plan.to_dict()) == plan


def test_a_plan_without_declarations_keeps_its_digest() -> None:
    assert all("allowed" not in bins for bins in PLAN.to_dict()["features"])


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION, Task.MULTICLASS])
def test_outcomes_that_cannot_be_compared_are_counted_in_every_task(task: Task) -> None:
    ages = {"age": numeric([1.0, 2.0, 3.0, 4.0])}
    features = (Feature("age", Kind.NUMERIC),)
    labels = np.array([0.0, 1.0, 1.0, 0.0])
    if task is Task.MULTICLASS:
        schema = Schema(task, features, None, "said", "y", classes=("a", "b"), scores=("p", "q"))
        scores = np.array([[0.4, 0.6]] * 3 + [[np.nan, np.nan]])
        predicted = np.array([1, 1, 1, -1], np.int32)
    else:
        score, said = ("p", None) if task is Task.BINARY else (None, "said")
        schema = Schema(task, features, score, said, "y")
        scores = np.array([[0.4], [0.6], [0.7], [np.nan]])
        predicted = np.array([0, 1, 1, -1], np.int32)
    made = Rows(scores, predicted, ages)
    plan = plan_from_reference(schema, made, labels)
    everything = Grouping(np.zeros(4, np.int64), 1)
    if task is Task.REGRESSION:
        labels = np.array([0.0, 1e300, 1.0, 0.0])
    (told,) = fold_labels(plan, made, labels, np.zeros(4, np.int64), everything)
    (given_rows,) = fold_predictions(plan, made, everything)
    found = by_name((told + given_rows)[0])
    assert found["uncounted_label_rate"] == (2 if task is Task.REGRESSION else 1)
    assert found["missing_score_rate"] == 1


def test_cells_are_the_same_by_plan_and_by_schema() -> None:
    profile = folded([(1.0, "Rome")])
    assert plan_cells(profile) == cells_of((("age", True), ("city", False)))
