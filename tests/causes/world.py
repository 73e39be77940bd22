"""A calibrated model on made-up people, and windows of it with faults put in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from tests.profiles.synthetic import plan_of

from tocsin.causes import Cause, rank
from tocsin.drift import Divergence, Shift, divergence, false_discovery_rates, shifts
from tocsin.profiles import (
    CategoryColumn,
    Column,
    Grouping,
    NumericColumn,
    Plan,
    Profile,
    Rows,
    TextLevels,
    fold_labels,
    fold_predictions,
)

CITIES = ("Rome", "Oslo", "Bern", "Nome", "Lima", "Bonn")
CITY_SHARES = (0.4, 0.25, 0.15, 0.1, 0.06, 0.04)
PAST = 16
Generator = np.random.Generator


@dataclass(frozen=True)
class People:
    """Rows before they are folded."""

    age: np.ndarray
    income: np.ndarray
    height: np.ndarray
    null: Mapping[str, np.ndarray]
    city: np.ndarray
    score: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.age)

    def rows(self) -> Rows:
        nothing = np.zeros(len(self), dtype=bool)

        def numeric(name: str) -> NumericColumn:
            return NumericColumn(getattr(self, name), self.null.get(name, nothing))

        features: dict[str, Column] = {name: numeric(name) for name in ("age", "income", "height")}
        features["city"] = CategoryColumn(
            self.city.astype(np.int32), TextLevels((*CITIES, "Atlantis"))
        )
        return Rows(self.score[:, None], (self.score >= 0.5).astype(np.int32), features)


def people(rng: Generator, n: int) -> People:
    age = rng.normal(45, 12, n)
    income = np.exp(rng.normal(10, 0.5, n))
    city = rng.choice(len(CITIES), n, p=CITY_SHARES)
    score = 1 / (1 + np.exp(-(0.06 * (age - 45) + 0.8 * (np.log(income) - 10) + 0.3 * (city - 1))))
    return People(
        age,
        income,
        rng.normal(170, 10, n),
        {},
        city,
        score,
        (rng.uniform(size=n) < score).astype(float),
    )


def folded(plan: Plan, of: People, buckets: int, *, labels: bool = True) -> Profile:
    """The profiles of so many windows of the same size."""
    bucket = np.repeat(np.arange(buckets), len(of) // max(buckets, 1)).astype(np.int64)
    each = of.rows()
    grouping = Grouping(bucket, buckets)
    (found,) = fold_predictions(plan, each, grouping)
    if labels:
        zeros = np.zeros_like(bucket)
        found = found + fold_labels(plan, each, of.label, zeros, grouping)[0]
    return found


def first(stack: Profile) -> Profile:
    return Profile(stack.plan, stack.vector[0])


def _reference() -> tuple[Plan, Profile]:
    seen = people(np.random.default_rng(0), 20_000)
    plan = plan_of(seen.score, seen.label, **seen.rows().features)
    return plan, first(folded(plan, seen, 1))


PLAN, REFERENCE = _reference()


def drift_of(past: Profile, current: Profile, reference: Profile | None = None) -> dict[str, Shift]:
    """The verdicts of the current window against its past."""
    reference = REFERENCE if reference is None else reference
    apart = {}
    history = {}
    for bins in reference.plan.features:
        of_reference = reference.feature(bins.name).n
        apart[bins.name] = divergence(of_reference, current.feature(bins.name).n)
        earlier: Divergence = divergence(of_reference, past.feature(bins.name).n)
        history[bins.name] = earlier.js_distance.tolist()
    rates = false_discovery_rates(np.array([[float(d.p_value) for d in apart.values()]]))
    return shifts(apart, dict(zip(apart, rates[0].tolist(), strict=True)), history)


Fault = Callable[[Generator, People], People]


def causes_of(
    fault: Fault | None = None, *, seed: int = 0, rows: int = 1_000, past: int = PAST,
    labels: bool = True, **options,
) -> tuple[Cause, ...]:  # fmt: skip
    """The causes of a window with a fault, after windows without."""
    rng = np.random.default_rng([seed, rows])
    before = folded(PLAN, people(rng, rows * past), past)
    now = people(rng, rows)
    if fault is not None:
        now = fault(rng, now)
    current = first(folded(PLAN, now, 1, labels=labels))
    return rank(REFERENCE, current, before, drift_of(before, current), **options)


def lost(rng: Generator, seen: People) -> People:
    """Every fifth income is missing."""
    return replace(seen, null={"income": rng.uniform(size=len(seen)) < 0.2})


def in_cents(_: Generator, seen: People) -> People:
    return replace(seen, income=seen.income * 100)


def unknown_city(rng: Generator, seen: People) -> People:
    there = rng.uniform(size=len(seen)) < 0.15
    return replace(seen, city=np.where(there, len(CITIES), seen.city))


def stuck_age(_: Generator, seen: People) -> People:
    """On an edge of the plan, as values are that were frequent in the reference."""
    return replace(seen, age=np.full(len(seen), PLAN.features[0].edges[10]))


def half_stuck_age(rng: Generator, seen: People) -> People:
    there = rng.uniform(size=len(seen)) < 0.5
    return replace(seen, age=np.where(there, 45.678, seen.age))


def stuck_city(rng: Generator, seen: People) -> People:
    return replace(seen, city=np.where(rng.uniform(size=len(seen)) < 0.6, 0, seen.city))


def permuted_cities(_: Generator, seen: People) -> People:
    return replace(seen, city=np.array([3, 0, 4, 5, 1, 2])[seen.city])


def older(_: Generator, seen: People) -> People:
    """Within the range of the reference, but elsewhere."""
    return replace(seen, age=np.clip(seen.age + 14, 0, 85))


def taller(_: Generator, seen: People) -> People:
    return replace(seen, height=seen.height * 1.6)


def other_world(rng: Generator, seen: People) -> People:
    """The same people and scores, but most of those who would have been negative are positive."""
    turned = rng.uniform(size=len(seen)) < 0.3
    return replace(seen, label=np.where(turned, 1.0, seen.label))


def swapped_labels(_: Generator, seen: People) -> People:
    return replace(seen, label=1 - seen.label)
