"""Verdicts of quality: silent without a change, quick with one, taught by the model's own past."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from tests.profiles.synthetic import category, numeric, plan_of, rows

from tocsin.drift import HISTORY
from tocsin.profiles import Grouping, Profile, fold_predictions, plan_from_reference
from tocsin.quality import (
    Declared,
    Expected,
    Finding,
    QualityVerdict,
    Volume,
    counted,
    expectations,
    expected_words,
    rates,
    volume_findings,
)
from tocsin.schema import Feature, Kind, Schema, Task

CITIES = np.array(["Rome", "Oslo", "Bern", "Nome", "Lima", "Bonn", None, "Gotham"], dtype=object)
SHARES = (0.4, 0.25, 0.15, 0.1, 0.05, 0.04, 0.01, 0.0)


def table(n: int, rng: np.random.Generator, **faults: float) -> dict[str, np.ndarray[Any, Any]]:
    """People; faults: the share of the rows with each of them."""
    age = rng.normal(40, 12, n)
    age[rng.random(n) < 0.02] = np.nan
    city = rng.choice(CITIES, n, p=SHARES)
    for fault, share in faults.items():
        hit = rng.random(n) < share
        if fault == "unseen":
            city[hit] = "Gotham"
        elif fault == "one_city":
            city[hit] = "Rome"
        else:
            age[hit] = {"nulls": np.nan, "infinite": np.inf, "far": 1000.0}[fault]
    return {"age": age, "city": city}


def profile_of(tables: list[dict[str, np.ndarray[Any, Any]]]) -> Profile:
    """A stack, one of each table."""
    age = np.concatenate([t["age"] for t in tables])
    city = np.concatenate([t["city"] for t in tables])
    ages = [None if np.isnan(value) else float(value) for value in age]
    made = rows(np.full(len(age), 0.5), age=numeric(ages), city=category(city.tolist()))
    index = np.repeat(np.arange(len(tables)), [len(t["age"]) for t in tables])
    (found,) = fold_predictions(PLAN, made, Grouping(index, len(tables)))
    return found


def _plan() -> Any:
    made = table(5_000, np.random.default_rng(0))
    ages = [None if np.isnan(value) else float(value) for value in made["age"]]
    return plan_of(
        np.linspace(0.1, 0.9, 5_000),
        [0, 1] * 2_500,
        age=numeric(ages),
        city=category(made["city"].tolist()),
    )


PLAN = _plan()
REFERENCE = profile_of([table(5_000, np.random.default_rng(0))])[0]


NOTHING = Declared()
EXPECTED = Expected(REFERENCE, expectations(REFERENCE, NOTHING))


def findings(
    stack: Profile, declared: Declared = NOTHING, past: Profile | None = None
) -> list[dict[str, Finding]]:
    """The findings of each window by their names."""
    expected = Expected(REFERENCE, expectations(REFERENCE, declared))
    counts, n = counted(stack)
    sure, _ = expected.suspects(stack, counts, n)
    history = np.empty((0, counts.shape[1]))
    if past is not None:
        history = rates(*counted(past), expected.shares)
    return [
        {
            f.name: f
            for f in expected.judged(
                counts[i], n[i], sure[i], history[:, sure[i]], history[:0, sure[i]]
            )
        }
        for i in range(len(counts))
    ]


@pytest.mark.parametrize("n", [20, 50, 200, 1_000, 5_000])
def test_windows_without_a_change_are_as_expected(n: int) -> None:
    rng = np.random.default_rng(n)
    windows = 100_000 // max(n, 50)
    past = profile_of([table(n, rng) for _ in range(16)])
    for history in (None, past):
        found = findings(profile_of([table(n, rng) for _ in range(windows)]), past=history)
        wrong = [f for window in found for f in window.values()]
        assert [f for f in wrong if f.verdict is QualityVerdict.VIOLATED] == []
        assert wrong == []


@pytest.mark.parametrize(
    ("fault", "share", "name"),
    [
        ("nulls", 0.3, "age/null_rate"),
        ("infinite", 0.2, "age/non_finite_rate"),
        ("far", 0.3, "age/out_of_range_rate"),
        ("unseen", 0.2, "city/unseen_rate"),
        ("one_city", 0.8, "city/top_share"),
    ],
)
def test_a_fault_is_found_in_its_first_window(fault: str, share: float, name: str) -> None:
    rng = np.random.default_rng(3)
    past = profile_of([table(200, rng) for _ in range(16)])
    (found,) = findings(profile_of([table(200, rng, **{fault: share})]), past=past)
    assert found[name].verdict is QualityVerdict.VIOLATED
    assert {n for n, f in found.items() if f.verdict is QualityVerdict.VIOLATED} <= {
        name,
        "city/cardinality",
    }


def test_a_finding_says_what_where_and_what_the_reference_has() -> None:
    rng = np.random.default_rng(3)
    past = profile_of([table(200, rng) for _ in range(16)])
    (found,) = findings(profile_of([table(214, rng, far=0.31)]), past=past)
    said = found["age/out_of_range_rate"]
    assert said.reason == (
        f"`age` is out of range in {100 * said.value:.1f} % of 214 rows; the reference has none, "
        f"earlier windows at most {100 * (said.usual or 0):.1f} %"
    )


def test_new_extremes_a_little_beyond_the_range_are_no_fault() -> None:
    rng = np.random.default_rng(3)
    past = profile_of([table(200, rng) for _ in range(16)])
    warmer = table(200, rng)
    warmer["age"] += 35
    (found,) = findings(profile_of([warmer]), past=past)
    assert "age/out_of_range_rate" not in found
    (declared,) = findings(
        profile_of([warmer]), Declared(limits={"age": {"out_of_range_rate": 0.01}}), past
    )
    assert declared["age/out_of_range_rate"].verdict is QualityVerdict.VIOLATED


def test_far_too_many_nulls_are_wrong_without_any_past() -> None:
    rng = np.random.default_rng(4)
    (found,) = findings(profile_of([table(100, rng, nulls=0.5)]))
    assert found["age/null_rate"].verdict is QualityVerdict.VIOLATED
    (few,) = findings(profile_of([table(2_000, rng, nulls=0.05)]))
    assert few["age/null_rate"].verdict is QualityVerdict.LEARNING


def test_what_earlier_windows_had_as_well_is_usual() -> None:
    rng = np.random.default_rng(5)
    past = profile_of([table(300, rng, nulls=0.4) for _ in range(16)])
    (found,) = findings(profile_of([table(300, rng, nulls=0.4)]), past=past)
    assert found == {}
    (worse,) = findings(profile_of([table(300, rng, nulls=0.9)]), past=past)
    assert worse["age/null_rate"].verdict is QualityVerdict.VIOLATED


def test_a_burst_at_another_time_of_day_is_natural_as_well() -> None:
    rng = np.random.default_rng(15)
    expected = EXPECTED
    like, burst, now = (
        profile_of([table(60, rng, nulls=share) for _ in range(16)]) for share in (0.0, 0.6, 0.6)
    )
    counts, n = counted(now)
    sure = expected.suspects(now, counts, n)[0][0]
    before = rates(*counted(like), expected.shares)[:, sure]
    bursts = rates(*counted(burst), expected.shares)[:, sure]
    alone = expected.judged(counts[0], n[0], sure, before, before)
    assert [f.name for f in alone] == ["age/null_rate"]
    assert expected.judged(counts[0], n[0], sure, before, bursts) == ()


def test_few_rows_say_nothing_and_a_few_more_that_it_could_be_chance() -> None:
    rng = np.random.default_rng(6)
    assert findings(profile_of([table(19, rng, nulls=1.0)])) == [{}]
    made = table(40, rng)
    made["age"][:4] = np.nan
    stack = profile_of([made])
    assert findings(stack) == [{}]
    sure, unsure = EXPECTED.suspects(stack, *counted(stack))
    assert (sure[0, 0], unsure[0, 0]) == (False, True)


def test_a_declared_limit_is_meant_whatever_the_past_was() -> None:
    rng = np.random.default_rng(7)
    past = profile_of([table(300, rng, nulls=0.4) for _ in range(16)])
    declared = Declared(limits={"age": {"null_rate": 0.1}})
    (found,) = findings(profile_of([table(300, rng, nulls=0.4)]), declared, past)
    said = found["age/null_rate"]
    assert (said.verdict, said.limit) == (QualityVerdict.VIOLATED, 0.1)
    assert said.reason.endswith("; at most 10.0 % is declared")


def test_a_declared_limit_of_nothing_is_broken_by_one_row() -> None:
    made = table(5, np.random.default_rng(8))
    made["age"][:] = [30, 40, 50, np.nan, 20]
    (found,) = findings(profile_of([made]), Declared(limits={"age": {"null_rate": 0.0}}))
    assert found["age/null_rate"].verdict is QualityVerdict.VIOLATED


def test_a_feature_that_is_off_is_not_looked_at() -> None:
    made = profile_of([table(300, np.random.default_rng(9), nulls=0.9)])
    assert findings(made, Declared(off=frozenset({"age"}))) == [{}]
    assert findings(made) != [{}]


def test_sure_means_what_the_binomial_test_says() -> None:
    rng = np.random.default_rng(10)
    expected = Expected(REFERENCE, expectations(REFERENCE, Declared()))
    at, empty = 0, Profile(PLAN, np.zeros((1, PLAN.layout.size)))
    limit = expected.limits[at]
    for n in (20, 100, 1_000):
        for k in range(0, n + 1, max(1, n // 25)):
            counts, rows_of = np.zeros((1, len(expected.all))), np.full((1, len(expected.all)), n)
            counts[:, :] = rng.integers(0, 1)
            counts[0, at] = k
            sure, doubtful = expected.suspects(empty, counts, rows_of)
            p = binomtest(k, n, limit, alternative="greater").pvalue
            assert sure[0, at] == (p < 1e-5)
            assert doubtful[0, at] == (k > limit * n and p >= 1e-5)


def test_what_is_expected_is_said_with_where_it_comes_from() -> None:
    declared = Declared(limits={"age": {"null_rate": 0.02}}, off=frozenset({"city"}))
    words = {e.cell.name: expected_words(e) for e in expectations(REFERENCE, declared)}
    assert words["age/null_rate"] == "at most 2.0 %, as declared"
    assert words["age/out_of_range_rate"] == "at most 1.0 %; the reference has none"
    assert words["city/null_rate"] == "not checked, as declared"
    assert words["missing_score_rate"] == "at most 1.0 %; the reference has none"


def test_a_share_that_is_declared_goes_before_the_point_that_a_range_allows() -> None:
    feature = Feature("city", Kind.CATEGORICAL, values=("Rome",))
    schema = Schema(Task.BINARY, (feature,), "p", None, "late")
    cities = rows(np.full(10, 0.5), city=category(["Rome", "Oslo"] * 5))
    bounded = plan_from_reference(schema, cities, np.zeros(10))
    profile = Profile.zero(bounded)
    for limits, limit, words in (
        ({}, 0.01, "at most 1.0 %, as its values are declared; the reference cannot tell"),
        ({"city": {"unseen_rate": 0.6}}, 0.6, "at most 60.0 %, as declared"),
    ):
        of = {e.cell.name: e for e in expectations(profile, Declared(limits=limits))}
        found = of["city/unseen_rate"]
        assert (found.limit, found.declared, expected_words(found)) == (limit, True, words)


def test_a_small_reference_is_not_believed_to_the_point() -> None:
    few = profile_of([table(60, np.random.default_rng(1))])[0]
    limits = {e.cell.name: e.limit for e in expectations(few, Declared())}
    assert limits["city/unseen_rate"] == pytest.approx(1 - 0.001 ** (1 / 60))


def past_rows(*rows_of: float) -> np.ndarray[Any, Any]:
    return np.array([[np.nan, *rows_of]])


NORMAL = (100, 110, 90, 105, 95, 40, 42, 99, 103, 38)


@pytest.mark.parametrize(("n", "wrong"), [(101, False), (38, False), (12, True), (400, True)])
def test_a_window_has_about_as_many_rows_as_those_like_it(n: int, wrong: bool) -> None:
    (found,) = volume_findings(np.array([float(n)]), past_rows(*([100.0] * 12)), Volume())
    (weekly,) = volume_findings(np.array([float(n)]), past_rows(*NORMAL), Volume())
    assert (weekly is not None) == wrong
    assert (found is not None) == (wrong or n == 38)


def test_one_outage_does_not_hide_the_next() -> None:
    past = past_rows(*([100.0] * 12), 1.0)
    (found,) = volume_findings(np.array([2.0]), past, Volume())
    assert found is not None
    assert (
        found.reason
        == "only 2 rows; windows like this have about 100, and at least 100 but for one"
    )


def test_too_few_earlier_windows_say_nothing_of_the_volume() -> None:
    assert volume_findings(np.array([1.0]), past_rows(100, 100, 100), Volume()) == [None]
    assert volume_findings(np.array([1.0]), np.empty((1, 0)), Volume()) == [None]


def test_half_of_a_few_rows_is_chance_even_where_their_number_never_changed() -> None:
    past = past_rows(*([30.0] * 12))
    assert volume_findings(np.array([14.0]), past, Volume()) == [None]
    assert volume_findings(np.array([1.0]), past, Volume()) != [None]


def test_what_was_usual_for_the_volume_long_ago_is_forgotten() -> None:
    past = past_rows(*([10.0] * 10), *([1_000.0] * HISTORY))
    assert volume_findings(np.array([100.0]), past, Volume()) != [None]


def test_declared_volumes_need_no_past() -> None:
    found = volume_findings(
        np.array([5.0, 50.0, 500.0]), np.full((3, 2), np.nan), Volume(min=10, max=100)
    )
    assert [f is not None and f.reason for f in found] == [
        "5 rows; at least 10 are declared",
        False,
        "500 rows; at most 100 are declared",
    ]


@pytest.mark.parametrize("mean", [3, 30, 300])
def test_volumes_by_chance_alone_are_as_expected(mean: int) -> None:
    rng = np.random.default_rng(mean)
    past = rng.poisson(mean, (2_000, 20)).astype(float)
    found = volume_findings(rng.poisson(mean, 2_000).astype(float), past, Volume())
    assert sum(f is not None for f in found) == 0


def test_only_some_of_the_known_values_is_told() -> None:
    rng = np.random.default_rng(12)
    past = profile_of([table(400, rng) for _ in range(16)])
    one = table(400, rng) | {"city": np.array(["Oslo"] * 400, dtype=object)}
    (found,) = findings(profile_of([one]), past=past)
    assert found["city/cardinality"].reason == (
        "`city` has only 1 of its 6 known values in 400 rows, earlier windows at least 6"
    )


def test_the_newest_windows_tell_how_much_a_rate_varies() -> None:
    rng = np.random.default_rng(20)
    calm = [table(1_000, rng) for _ in range(HISTORY)]
    wild = [table(1_000, rng, nulls=0.05 if i % 2 else 0.2) for i in range(HISTORY)]
    window = profile_of([table(1_000, rng, nulls=0.35)])
    # Over the largest by more than a quarter, but not far from what varies so much.
    (found,) = findings(window, past=profile_of(calm + wild))
    assert found == {}
    (found,) = findings(window, past=profile_of(wild + calm))
    assert found["age/null_rate"].verdict is QualityVerdict.VIOLATED


def judged(name: str, value: float, like: list[float], recent: tuple[float, ...] = ()) -> Any:
    """What is found of a cell in 10,000 rows; like, recent: its rates in earlier windows."""
    sure = np.array([e.cell.name == name for e in EXPECTED.all])
    n = np.full(len(sure), 10_000.0)
    past, burst = np.array(like)[:, None], np.array(recent).reshape(-1, 1)
    return next(iter(EXPECTED.judged(np.where(sure, value * n, 0), n, sure, past, burst)), None)


def test_what_is_a_point_more_than_usual_is_none_however_sure() -> None:
    assert judged("age/null_rate", 0.045, [0.032] * HISTORY) is None
    assert judged("age/null_rate", 0.055, [0.032] * HISTORY).verdict is QualityVerdict.VIOLATED


def test_what_comes_in_bursts_is_learned_from_more_windows() -> None:
    found = judged("city/top_share", 0.9, [0.45] * (HISTORY - 1))
    assert found.verdict is QualityVerdict.LEARNING
    found = judged("city/top_share", 0.9, [0.45] * HISTORY, recent=(0.6,))
    assert (found.verdict, found.usual) == (QualityVerdict.VIOLATED, 0.6)
