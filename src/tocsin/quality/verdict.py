"""Whether a window's data is as expected: surely more than allowed, and unlike its own past."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from tocsin.drift import ENOUGH_HISTORY, ENOUGH_ROWS, HISTORY
from tocsin.profiles import Profile
from tocsin.quality.checks import CARDINALITY, OUT_OF_RANGE, Cell, far_out
from tocsin.quality.counts import rates
from tocsin.quality.expectations import (
    FEW_LEVELS,
    Expectation,
    fewest_levels,
    has_words,
    outside_words,
    percent,
)
from tocsin.quality.usual import UNUSUAL, against, below, beyond

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A model of 20 features and hourly windows is looked at 60,000 times a month: what is learned has
# to be rarer than that by chance. What is declared is meant.
_CHANCE, _CHANCE_DECLARED = 1e-5, 1e-3
# Of what the reference has hardly any, so much more is wrong before there are earlier windows.
_HARDLY, _FAR = 0.02, 0.10


class QualityVerdict(StrEnum):
    """What is said of one cell in one window."""

    OK = "ok"
    VIOLATED = "violated"
    INSUFFICIENT = "insufficient"
    LEARNING = "learning"


@dataclass(frozen=True)
class Finding:
    """A cell of a window that is not simply as expected.

    value: a share, or how many known values were seen; limit: what it is beyond. usual: the largest
    of earlier windows (of known values the fewest), None where too few are like this one.
    """

    feature: str
    check: str
    verdict: QualityVerdict
    value: float
    n: int
    limit: float
    usual: float | None
    reason: str

    @property
    def parts(self) -> tuple[object, ...]:
        """All fields, in their order."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)

    @property
    def name(self) -> str:
        """What rules and incidents call it."""
        return f"{self.feature}/{self.check}" if self.feature else self.check


class Expected:
    """The expectations of a model, as arrays over its cells."""

    def __init__(self, reference: Profile, expectations: Sequence[Expectation]) -> None:
        self._reference = reference
        self.all = tuple(expectations)
        self.limits = np.array([e.limit for e in expectations])
        self.declared = np.array([e.declared for e in expectations])
        self.off = np.array([e.off for e in expectations])
        self.needed = np.array([_needed(e) for e in expectations])
        self.chance = np.where(self.declared, _CHANCE_DECLARED, _CHANCE)

    @cached_property
    def shares(self) -> Mask:
        """(c,) which cells are shares of rows."""
        return np.array([e.cell.check.share for e in self.all])

    def suspects(self, windows: Profile, counts: Floats, n: Floats) -> tuple[Mask, Mask]:
        """(w, c) cells that are surely beyond their limits, and those that may be by chance.

        counts, n: (w, c) as `counted` has them of the windows. What is learned needs 20 rows.
        """
        enough = (n >= np.where(self.declared, 1, ENOUGH_ROWS)) & ~self.off
        over = enough & self.shares & (counts > self.limits * n)
        for cell, expectation in enumerate(self.all):
            if over[:, cell].any() and _is_learned_range(expectation, windows):
                over[:, cell] &= far_out(windows.feature(expectation.cell.feature))
        sure = np.zeros_like(over)
        at = np.nonzero(over)
        k, of, limit = counts[at], n[at], self.limits[at[1]]
        # The chance of so many of so many rows, were the limit the truth.
        sure[at] = betainc(k, of - k + 1, limit) < self.chance[at[1]]
        few = self._few(counts, n, enough)
        return sure | few, over & ~sure

    def _few(self, counts: Floats, n: Floats, enough: Mask) -> Mask:
        """(w, c) cells of known values of which too few were seen."""
        few = np.zeros_like(enough)
        for at in np.flatnonzero(~self.shares):
            # Half of all that there are is less than half of what any number of rows shows.
            low = np.flatnonzero(enough[:, at] & (counts[:, at] < FEW_LEVELS * self.limits[at]))
            if len(low):
                feature = self.all[at].cell.feature
                few[low, at] = counts[low, at] < fewest_levels(self._reference, feature, n[low, at])
        return few

    def judged(
        self, counts: Floats, n: Floats, sure: Mask, like: Floats, recent: Floats
    ) -> tuple[Finding, ...]:
        """What is found of one window.

        counts, n, sure: (c,) of the window. like: (h, s) rates of the s sure cells in earlier
        windows like it, the oldest first; recent: (r, s) in all of the last weeks. NaN where one is
        no example of what is usual.
        """
        at = np.flatnonzero(sure)
        values = rates(counts, n, self.shares)[at]
        every = np.concatenate([like, recent])
        # Most of what is often beyond its limit is usual, and needs no closer look.
        most = np.where(np.isnan(every), -np.inf, every).max(0, initial=-np.inf)
        known = (~np.isnan(like)).sum(0) >= self.needed[at]
        usual = known & self.shares[at] & ~self.declared[at] & ~beyond(values, most)
        found = []
        for i in np.flatnonzero(~usual):
            past = _Past(_known(like[:, i])[-HISTORY:], _known(every[:, i]))
            finding = _finding(self.all[at[i]], float(values[i]), round(float(n[at[i]])), past)
            if finding is not None:
                found.append(finding)
        return tuple(found)


def _is_learned_range(expectation: Expectation, windows: Profile) -> bool:
    """Whether it is about a range that nobody has declared."""
    if expectation.cell.check is not OUT_OF_RANGE or expectation.declared:
        return False
    return windows.plan.bins(expectation.cell.feature).allowed is None


@dataclass(frozen=True, eq=False)
class _Past:
    """The rates of a cell in earlier windows like this one, and also in all of the last weeks."""

    like: Floats
    every: Floats


def _known(rates_of: Floats) -> Floats:
    return np.asarray(rates_of[~np.isnan(rates_of)])


def _finding(expectation: Expectation, value: float, n: int, past: _Past) -> Finding | None:
    """What is said of a cell beyond its limit; None where that is usual for it."""
    cell, check = expectation.cell, expectation.cell.check
    few = check is CARDINALITY
    never = _never(expectation)
    known = len(past.like) >= _needed(expectation)
    # A burst at another time of day is natural as well.
    usual = (float(past.every.min() if few else past.every.max())) if known else None

    def finding(verdict: QualityVerdict, more: str = "") -> Finding:
        reason = _reason(expectation, value, n) + more
        limit = expectation.limit
        return Finding(cell.feature, check.name, verdict, value, n, limit, usual, reason)

    if expectation.declared or (never and value > expectation.limit + _FAR and not known):
        return finding(QualityVerdict.VIOLATED)
    if not known:
        return finding(QualityVerdict.LEARNING, "; too few earlier windows like this to judge it")
    assert usual is not None
    middle, z = against(value, past.like, floor=check.floor)
    unlike = below(value, usual) if few else bool(beyond(value, usual))
    apart = few or value >= middle + check.points
    if z <= UNUSUAL or not unlike or not apart:
        return None
    most = f"at least {usual:.0f}" if few else f"at most {percent(usual)}"
    return finding(QualityVerdict.VIOLATED, f", earlier windows {most}")


def _never(expectation: Expectation) -> bool:
    """Whether the reference has hardly any of what is wrong at any time."""
    return expectation.cell.check.alone and (expectation.reference or 0.0) < _HARDLY


def _needed(expectation: Expectation) -> int:
    """How many earlier windows like it tell what is usual.

    What comes and goes by nature is watched for longer: rows of one hour share their causes.
    """
    return ENOUGH_HISTORY if _never(expectation) else HISTORY


def _reason(expectation: Expectation, value: float, n: int) -> str:
    """A cell beyond its limit, as a sentence."""
    cell = expectation.cell
    if cell.check is CARDINALITY:
        return (
            f"`{cell.feature}` has only {value:.0f} of its {expectation.limit:.0f} known values in "
            f"{n:,} rows"
        )
    start = f"{_subject(cell)} {percent(value)} of {n:,} {_rows(cell)}"
    if expectation.declared:
        return f"{start}; {outside_words(expectation)}"
    return f"{start}; {has_words(expectation)}"


def _subject(cell: Cell) -> str:
    return f"`{cell.feature}` {cell.check.words}" if cell.feature else cell.check.words


def _rows(cell: Cell) -> str:
    return "labelled rows" if cell.check.name == "uncounted_label_rate" else "rows"
