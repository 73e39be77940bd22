"""How large a fault is decides its rank, and what a change looks like is said."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.causes import world
from tests.causes.world import CITIES, People, causes_of

from tocsin.causes import Cause, Likelihood
from tocsin.causes.findings import causes_of_findings
from tocsin.causes.scale import factor
from tocsin.profiles import FeatureHistogram
from tocsin.profiles.bins import numeric_bins
from tocsin.quality import Finding, QualityVerdict

PAST = np.random.default_rng(3)
SHAPES = {
    "long tail": np.exp(PAST.normal(6.5, 0.7, 4_000)),
    "even": PAST.uniform(50, 900, 4_000),
    "few values": PAST.choice([94.0, 187.0, 200.0, 529.0, 762.0, 1_089.0, 2_475.0], 4_000),
    "both signs": PAST.normal(0, 10, 4_000),
}


def histogram(values: np.ndarray, of: np.ndarray) -> FeatureHistogram:
    """Values in the bins of those of the reference."""
    bins = numeric_bins("x", of, 20)
    k = bins.regular
    at = np.clip(np.searchsorted(bins.edges, values, side="right") - 1, 0, k - 1)
    at[values < bins.edges[0]], at[values > bins.edges[-1]] = k, k + 1
    n = np.bincount(at, minlength=k + 4).astype(float)
    total = np.bincount(at, weights=values, minlength=k + 4)
    nothing = np.zeros(k + 4)
    return FeatureHistogram(bins, n, total, *[nothing] * 6)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["long tail", "even", "both signs"]),
    st.floats(-3.0, 3.0),
    st.integers(0, 1_000),
)
def test_what_is_multiplied_is_told_by_how_much(shape: str, decades: float, seed: int) -> None:
    by = 10**decades
    assume(not 0.7 < by < 1.4)
    values = np.random.default_rng(seed).choice(SHAPES[shape], 1_000)
    found = factor(histogram(SHAPES[shape], SHAPES[shape]), histogram(values * by, SHAPES[shape]))
    if shape == "both signs":
        # A mean near zero is multiplied to one near zero: of what lies outside nothing is known.
        assert found is None or found > 1.2 or found < 1 / 1.2
    elif not 1 / 3 < by < 3 and 1 / 12 < by < 12:
        # Where nearly all is out of range, a constant that was added explains as much.
        assert found is None or found == pytest.approx(by, rel=0.1)
    else:
        assert found == pytest.approx(by, rel=0.1)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.integers(0, 1_000))
def test_what_stays_is_not_multiplied(shape: str, seed: int) -> None:
    values = np.random.default_rng(seed).choice(SHAPES[shape], 300)
    before = histogram(SHAPES[shape], SHAPES[shape])
    assert factor(before, histogram(values, SHAPES[shape])) is None


@pytest.mark.parametrize(
    "changed",
    [
        lambda v: v + 300.0,
        lambda v: np.where(np.arange(len(v)) % 2, v, v * 1.6),
        lambda v: np.where(np.arange(len(v)) % 20, v, 99_999.0),
        lambda v: np.full(len(v), 700.0),
    ],
    ids=["added", "half of them", "a code among them", "stuck"],
)
def test_what_changes_otherwise_is_not_called_multiplied(changed) -> None:
    of = SHAPES["even"]
    assert factor(histogram(of, of), histogram(changed(of[:1_000]), of)) is None


def test_a_few_values_that_are_multiplied_are_told() -> None:
    """As distances of flights are: kilometres in place of miles."""
    of = SHAPES["few values"]
    found = factor(histogram(of, of), histogram(of[:800] * 1.609, of))
    assert found == pytest.approx(1.609, rel=0.05)


def in_dollars(_: np.random.Generator, seen: People) -> People:
    """Of 0.62 euros each, so that hardly any is out of range."""
    return world.replace(seen, income=seen.income * 0.62)


@pytest.mark.parametrize(("fault", "by"), [(world.in_cents, 100), (in_dollars, 0.62)])
def test_a_changed_unit_is_asked_for_in_the_sentence(fault, by: float) -> None:
    found = causes_of(fault)[0]
    told = re.search(r"about ([\d.]+) times what it was: a changed unit\?", found.sentence)
    assert told, found
    assert float(told[1]) == pytest.approx(by, rel=0.05)


@pytest.mark.parametrize("fault", [world.older, world.taller])
def test_of_narrow_numbers_nobody_can_tell_whether_they_were_multiplied(fault) -> None:
    assert "times what it was" not in causes_of(fault)[0].sentence


def renamed_city(_: np.random.Generator, seen: People) -> People:
    return world.replace(seen, city=np.where(seen.city == 1, len(CITIES), seen.city))


def test_a_renamed_category_names_the_one_that_is_gone() -> None:
    found = causes_of(renamed_city)[0]
    assert (found.kind, found.feature) == ("unseen", "city")
    assert re.search(r"; `Oslo`, usually 2\d\.\d%, is gone", found.sentence), found
    assert "gone" not in causes_of(world.unknown_city)[0].sentence


def nulls(share: float):
    def fault(rng: np.random.Generator, seen: People) -> People:
        return world.replace(seen, null={"income": rng.uniform(size=len(seen)) < share})

    return fault


@pytest.mark.parametrize("labels", [True, False])
def test_the_more_rows_show_a_fault_the_higher_it_ranks(labels: bool) -> None:
    scores = []
    for share in (0.05, 0.2, 0.4, 0.7, 1.0):
        (cause,) = (c for c in causes_of(nulls(share), labels=labels) if c.feature == "income")
        scores.append(cause.score)
    assert scores == sorted(scores)
    assert min(np.diff(scores)) > 0.005
    assert scores[-1] > scores[0] + 0.1


def test_what_the_reference_had_of_a_fault_is_said() -> None:
    found = causes_of(nulls(0.5))[0].sentence
    assert "usually 0.0%" in found
    assert "in the reference" not in found
    rng = np.random.default_rng(5)
    half = world.folded(world.PLAN, nulls(0.3)(rng, world.people(rng, 4_000)), 1)
    past = world.folded(world.PLAN, world.people(rng, 16_000), 16)
    now = world.first(world.folded(world.PLAN, nulls(0.9)(rng, world.people(rng, 1_000)), 1))
    shifts = world.drift_of(past, now)
    (cause, *_) = world.rank(world.first(half), now, past, shifts)
    assert re.search(r"usually 0.0%, in the reference (29|30|31)\.\d%", cause.sentence), cause


def some(keep: np.ndarray, seen: People) -> People:
    arrays = ("age", "income", "height", "city", "score", "label")
    return world.replace(seen, **{name: getattr(seen, name)[keep] for name in arrays})


def half_of_the_rows(_: np.random.Generator, seen: People) -> People:
    return some(np.arange(len(seen)) % 2 == 0, seen)


def only_the_old_come(_: np.random.Generator, seen: People) -> People:
    return some(seen.age > 50, seen)


@pytest.mark.parametrize("labels", [True, False])
def test_missing_rows_are_a_cause(labels: bool) -> None:
    found = causes_of(half_of_the_rows, labels=labels)[0]
    assert (found.kind, found.verdict) == ("missing_rows", Likelihood.LIKELY)
    assert found.sentence == "only 500 rows came, 50% of the 1,000 that are usual"


@pytest.mark.parametrize("about", [[], ["age"]])
def test_shifts_that_may_follow_from_missing_rows_come_after_those(about: list[str]) -> None:
    found = causes_of(only_the_old_come, about=about)
    assert [(c.kind, c.feature) for c in found][:2] == [
        ("missing_rows", None),
        ("covariate", "age"),
    ]
    assert found[1].score < found[0].score


def test_nulls_do_not_follow_from_missing_rows() -> None:
    def both(rng, seen):
        return nulls(1.0)(rng, half_of_the_rows(rng, seen))

    assert causes_of(both, about=["income"])[0].feature == "income"


def test_more_rows_than_ever_are_a_possible_cause() -> None:
    def twice(rng, seen):
        return world.people(rng, 2 * len(seen))

    found = causes_of(twice)[0]
    assert found.kind == "more_rows"
    assert found.sentence == "2,000 rows came, 2.0 times the 1,000 that are usual"


def _found(check: str, value: float, *, feature: str = "", limit: float = 0.05) -> Finding:
    violated = QualityVerdict.VIOLATED
    return Finding(feature, check, violated, value, 2_000, limit, None, f"{check} {value}")


def _causes(*findings: Finding, known: tuple[Cause, ...] = ()) -> tuple[Cause, ...]:
    return causes_of_findings(world.REFERENCE, world.REFERENCE, findings, known)


def test_repeats_and_volume_are_causes() -> None:
    (repeats,) = _causes(_found("duplicate_rate", 0.5))
    assert (repeats.kind, repeats.feature, repeats.evidence) == ("repeats", None, None)
    assert repeats.sentence == (
        "50.0 % of 2,000 rows are repeats: their prediction ids had come before"
    )
    few, many = (_causes(_found("volume", n, limit=1_000))[0] for n in (400, 3_000))
    assert (few.kind, many.kind) == ("missing_rows", "more_rows")


def test_a_finding_of_more_rows_ranks_higher_and_none_is_told_twice() -> None:
    small, large = _causes(
        _found("null_rate", 0.1, feature="age"), _found("null_rate", 0.9, feature="income")
    )
    assert small.score < large.score
    assert _causes(_found("null_rate", 0.1, feature="age"), known=(small,)) == ()
    volume = _causes(_found("volume", 400, limit=1_000))
    assert _causes(_found("volume", 400, limit=1_000), known=volume) == ()
