"""Whether a distance is drift: it must be real, large, and unlike the model's own past."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from tocsin.drift.apart import ENOUGH_ROWS
from tocsin.drift.divergence import EFFECT, Divergence
from tocsin.drift.method import Judgement
from tocsin.drift.verdicts import Verdict

Floats = NDArray[np.float64]

# How many earlier windows like this one are an example, among how many, and how many are enough.
HISTORY = 16
LOOK_BACK = 64
ENOUGH_HISTORY = 7
FALSE_DISCOVERY = 0.01
_Z = 3.5
_Z_FLOOR = 0.01
# Fewer rows than this part of those that are needed tell nothing; decision 38.
_LEAST = 1 / 15
# How far beyond its largest like window; docs/decisions/0003-drift-beyond-history.md
_BEYOND = 1.25


@dataclass(frozen=True)
class Shift:
    """How one column of one window stands against the reference.

    z: against the distances of earlier windows like this one; None while there are too few.
    usual: the largest distance of those; None likewise.
    method: the statistic that decided, None for the default verdict; value: its own, None where
        there is none; threshold: what decided.
    """

    js_distance: float
    psi: float
    p_value: float
    n: int
    minimum_n: int
    z: float | None
    usual: float | None
    verdict: Verdict
    reason: str
    method: str | None = None
    value: float | None = None
    threshold: float | None = None

    @property
    def is_usual(self) -> bool:
        """Whether later windows may take this one as an example of the model's normal past.

        Not even when it could not be judged: else a fault would become normal in its quiet hours.
        """
        beyond = self.usual is not None and self.js_distance > max(_limit(self.usual), EFFECT)
        drifted = self.method is not None and self.verdict is Verdict.DRIFT
        return self.n >= ENOUGH_ROWS and not beyond and not drifted

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is seen, even where so few rows prove nothing: what was seen is over."""
        if self.method is not None or self.n < ENOUGH_ROWS:
            return self.verdict is Verdict.NONE
        return self.js_distance <= EFFECT or _is_within(self.js_distance, self.z, self.usual)

    def as_judged(self, judgement: Judgement) -> "Shift":
        """The same, with the verdict of a method that somebody chose."""
        return replace(
            self,
            minimum_n=self.minimum_n if judgement.minimum_n is None else judgement.minimum_n,
            verdict=judgement.verdict,
            reason=judgement.reason,
            method=judgement.statistic.name,
            value=judgement.value if judgement.statistic.decides == "value" else judgement.p_value,
            threshold=judgement.threshold,
        )


def false_discovery_rates(p_values: Floats) -> Floats:
    """(w, c) the rate at which a test of a window is false when it and the surer ones are believed.

    p_values: (w, c) of c columns in each of w windows.
    Source: Benjamini & Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    count = p_values.shape[-1]
    order = np.argsort(p_values, axis=-1)[..., ::-1]
    ranks = np.arange(count, 0, -1)
    falling = np.take_along_axis(p_values, order, axis=-1) * (count / ranks)
    rates = np.empty_like(p_values)
    np.put_along_axis(rates, order, np.minimum.accumulate(falling, axis=-1), axis=-1)
    return np.minimum(rates, 1.0)


def shifts(
    divergences: Mapping[str, Divergence],
    q_values: Mapping[str, float],
    history: Mapping[str, Sequence[float]],
) -> dict[str, Shift]:
    """The verdict on every column of one window.

    divergences: scalar entries, by column; q_values: their false-discovery rates; history:
    js_distance of earlier windows like this one by column, the oldest first.
    """
    return {
        name: _shift(found, q_values[name], history.get(name, ())[-HISTORY:])
        for name, found in divergences.items()
    }


def _shift(found: Divergence, q_value: float, past: Sequence[float]) -> Shift:
    distance, n = float(found.js_distance), round(float(found.n))
    minimum = round(float(found.minimum_n))
    z = usual = None
    if len(past) >= ENOUGH_HISTORY:
        # Not NumPy's: on 16 numbers that takes ten times as long.
        middle = median(past)
        spread = 1.4826 * median([abs(earlier - middle) for earlier in past])
        z = (distance - middle) / max(spread, _Z_FLOOR)
        usual = max(past)
    verdict, reason = _verdict(found, q_value, z, usual)
    return Shift(
        distance, float(found.psi), float(found.p_value), n, minimum, z, usual, verdict, reason
    )


def _verdict(
    found: Divergence, q_value: float, z: float | None, usual: float | None
) -> tuple[Verdict, str]:
    distance, floor = float(found.js_distance), float(found.js_floor)
    n, minimum = round(float(found.n)), round(float(found.minimum_n))
    if n < ENOUGH_ROWS:
        return Verdict.INSUFFICIENT, f"{n} of {ENOUGH_ROWS} rows"
    if distance <= EFFECT or _is_within(distance, z, usual):
        # What would be drift here might not have been seen in so few rows.
        least = max(EFFECT, distance if usual is None else _limit(usual))
        if n < minimum and float(found.js_ceiling) > least:
            return Verdict.INSUFFICIENT, _unseen(distance, float(found.js_ceiling), n, minimum)
        if distance <= EFFECT:
            return Verdict.NONE, f"JS distance {distance:.3f} is within {EFFECT}"
        return Verdict.NONE, _usual(distance, z, usual)
    # Fewer rows than can tell the effect from noise, unless it is far larger than that. Of one or
    # two rows a bin the law of that noise is not known.
    if n < minimum and (floor <= EFFECT or n < _LEAST * minimum):
        return Verdict.INSUFFICIENT, f"JS distance {distance:.3f}, but only {n} of {minimum} rows"
    if q_value >= FALSE_DISCOVERY:
        return Verdict.NONE, f"could be chance (q = {q_value:.2g})"
    if usual is None:
        return (
            Verdict.LEARNING,
            f"JS distance {distance:.3f}, but too few earlier windows like this",
        )
    return (
        Verdict.DRIFT,
        # Windows with drift are no examples, and may have been just before.
        f"JS distance {distance:.3f}, at most {usual:.3f} in the usual ones of earlier windows "
        "like this",
    )


def _usual(distance: float, z: float | None, usual: float | None) -> str:
    """Why a distance over the effect is none here: it may be over the largest of the past too."""
    assert z is not None
    assert usual is not None
    before = f"up to {usual:.3f} before"
    if distance <= usual:
        return f"JS distance {distance:.3f} is usual here ({before})"
    if distance <= (limit := _limit(usual)):
        return (
            f"JS distance {distance:.3f} is little beyond what is usual here ({before}; over "
            f"{limit:.3f} would be drift)"
        )
    return f"JS distance {distance:.3f} is within what varies here ({before}, z = {z:.1f})"


def _unseen(distance: float, ceiling: float, n: int, minimum: int) -> str:
    return (
        f"JS distance {distance:.3f}, but {n} rows can hide one up to {ceiling:.2f}; {minimum} "
        "would not"
    )


def _is_within(distance: float, z: float | None, usual: float | None) -> bool:
    """Whether a distance is what earlier windows like this one had."""
    if z is None or usual is None:
        return False
    return z <= _Z or distance <= _limit(usual)


def _limit(usual: float) -> float:
    """What a distance has to exceed: a quarter more, or most of the way to 1, its largest value."""
    return min(_BEYOND * usual, 1 - (1 - usual) / 8)
