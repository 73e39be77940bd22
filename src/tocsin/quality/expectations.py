"""What the data of a model is expected to be like: learned from the reference, or declared."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from tocsin.profiles import CategoryBins, NumericBins, Profile
from tocsin.quality.checks import CARDINALITY, OUT_OF_RANGE, UNSEEN, Cell, cells_of
from tocsin.quality.counts import counted

Floats = NDArray[np.float64]

# How sure it is that the reference does not have more by chance.
_TOLERANCE = 0.999
# Distinct values are too few when at most so large a part of those that so many rows would show.
FEW_LEVELS = 0.5
# More values than anybody reads; a monitor takes no more either.
_MOST_VALUES = 1_000
_NONE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Volume:
    """Rows that a window has to have; None where that is learned from earlier windows like it."""

    min: int | None = None
    max: int | None = None


@dataclass(frozen=True)
class Declared:
    """What somebody said of the data, in place of what would be learned.

    limits: by feature the largest share by the name of a check; "" is all rows. off: features that
    are not checked. freshness: microseconds without a prediction from when on something is wrong.
    """

    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    off: frozenset[str] = frozenset()
    volume: Volume = Volume()
    freshness: int | None = None


@dataclass(frozen=True)
class Expectation:
    """The most that is expected of a cell; of the known values that are seen, the fewest.

    limit: of a share [0, 1], or the number of known values in the reference. reference: what that
    has, None when nothing is known; n: its rows. declared: somebody said so, or else it is learned.
    off: nobody wants it checked. within: a range or values are declared, the share outside is not.
    """

    cell: Cell
    limit: float
    reference: float | None
    n: int
    declared: bool
    off: bool = False
    within: bool = False


def expectations(reference: Profile, declared: Declared) -> tuple[Expectation, ...]:
    """What is expected of every cell of a model, in the order of `cells_of`.

    A share may exceed that of the reference by the points of its check. Where the reference is so
    small that more could be chance, the upper end of the share that it is compatible with counts:
    the tolerance limit of Clopper & Pearson (1934), doi:10.1093/biomet/26.4.404. Of a range or
    values that are declared only the points count, whatever the reference has.
    """
    cells = plan_cells(reference)
    counts, n = counted(reference)
    return tuple(
        _within(cell, float(counts[i]), float(n[i]))
        if _is_within(reference, cell, declared)
        else _expectation(cell, float(counts[i]), float(n[i]), declared)
        for i, cell in enumerate(cells)
    )


def plan_cells(profile: Profile) -> tuple[Cell, ...]:
    """The cells of a profile's plan."""
    return cells_of(tuple((b.name, isinstance(b, NumericBins)) for b in profile.plan.features))


def _is_within(reference: Profile, cell: Cell, declared: Declared) -> bool:
    """Whether a range or values decide, as nobody said how many rows may be outside of them."""
    if cell.check not in (OUT_OF_RANGE, UNSEEN) or cell.feature in declared.off:
        return False
    bounded = reference.plan.bins(cell.feature).allowed is not None
    return bounded and cell.check.name not in declared.limits.get(cell.feature, _NONE)


def _within(cell: Cell, count: float, n: float) -> Expectation:
    known = count / n if n else None
    return Expectation(cell, cell.check.allowed, known, round(n), declared=True, within=True)


def _expectation(cell: Cell, count: float, n: float, declared: Declared) -> Expectation:
    said = declared.limits.get(cell.feature, _NONE).get(cell.check.name)
    off = bool(cell.feature) and cell.feature in declared.off
    known = count / n if n else None
    if not cell.check.share:
        known = count
    if said is not None:
        return Expectation(cell, said, known, round(n), declared=True, off=off)
    if not cell.check.share:
        return Expectation(cell, count, known, round(n), declared=False, off=off)
    # What is no part of a reference, such as repeats, is expected not to be.
    share = 0.0 if known is None else known
    upper = float(betaincinv(count + 1, n - count, _TOLERANCE)) if n > count else float(n > 0)
    limit = min(1.0, max(upper, share + cell.check.allowed))
    return Expectation(cell, limit, known, round(n), declared=False, off=off)


def fewest_levels(reference: Profile, feature: str, rows: Floats) -> Floats:
    """(w,) fewer known values than this are too few for so many rows of the reference's mix.

    rows: (w,). Half of those that are expected, and 5 deviations less than them.
    Source: the expectation of Hurlbert (1971), doi:10.2307/1934145; the levels are taken for
    independent, which makes the deviation too large.
    """
    histogram = reference.feature(feature)
    assert isinstance(histogram.bins, CategoryBins)
    share = histogram.shares[: histogram.bins.regular]
    with np.errstate(divide="ignore"):
        missed = np.exp(np.outer(rows, np.log1p(-share)))
    expected = (1 - missed).sum(-1)
    deviation = np.sqrt((missed * (1 - missed)).sum(-1))
    return np.asarray(np.minimum(FEW_LEVELS * expected, expected - 5 * deviation))


def document_of(
    reference: Profile, expected: Sequence[Expectation], declared: Declared
) -> dict[str, Any]:
    """What is expected as the `quality` of a monitor has it, ready to be changed.

    Limits are rounded up to a tenth of a point. What is declared is meant: where a monitor has it,
    earlier windows count no more.
    """
    document: dict[str, Any] = {}
    features: dict[str, Any] = {}
    for bins in reference.plan.features:
        features[bins.name] = "off" if bins.name in declared.off else values_of(bins)
    for expectation in expected:
        cell = expectation.cell
        if not cell.check.share or expectation.limit >= 1 or cell.feature in declared.off:
            continue
        into = features[cell.feature] if cell.feature else document
        into[cell.check.name] = ceil(round(expectation.limit * 1000, 9)) / 1000
    volume = {k: v for k, v in asdict(declared.volume).items() if v is not None}
    return {"features": features, **document, **({"volume": volume} if volume else {})}


def values_of(bins: NumericBins | CategoryBins) -> dict[str, Any]:
    """The range or the values that are as expected, where they are few enough to be listed."""
    if isinstance(bins, NumericBins):
        return {"range": list(bins.allowed or (bins.edges[0], bins.edges[-1]))}
    if bins.allowed is not None:
        return {"values": list(bins.allowed)}
    known = (*bins.levels, *bins.others)
    return {"values": list(known)} if bins.all_known and 0 < len(known) <= _MOST_VALUES else {}


def expected_words(expectation: Expectation) -> str:
    """What is expected, for people.

    >>> from tocsin.quality.checks import NULL
    >>> expected_words(Expectation(Cell("age", NULL), 0.01, 0.0, 5000, declared=False))
    'at most 1.0 %; the reference has none'
    """
    if expectation.off:
        return "not checked, as declared"
    if expectation.cell.check is CARDINALITY:
        return f"most of the {expectation.limit:.0f} known values, as far as there are rows"
    limit = f"at most {percent(expectation.limit)}"
    if expectation.limit >= 1:
        limit = "any share"
    if expectation.within:
        return f"{limit}, as {_bounds(expectation.cell)} declared; {has_words(expectation)}"
    if expectation.declared:
        return f"{limit}, as declared"
    return f"{limit}; {has_words(expectation)}"


def outside_words(expectation: Expectation) -> str:
    """What is beyond the limit of a check that was declared."""
    limit = f"at most {percent(expectation.limit)}"
    if expectation.within:
        return f"{_bounds(expectation.cell)} declared, {limit} may be outside"
    return f"{limit} is declared"


def _bounds(cell: Cell) -> str:
    return "its range is" if cell.check is OUT_OF_RANGE else "its values are"


def has_words(expectation: Expectation) -> str:
    """What the reference has."""
    if expectation.reference is None:
        return "the reference cannot tell"
    if expectation.reference == 0:
        return "the reference has none"
    return f"the reference has {percent(expectation.reference)}"


def percent(share: float) -> str:
    """A share in percent, never rounded to nothing.

    >>> percent(0.31), percent(0.00001), percent(0)
    ('31.0 %', '<0.1 %', '0.0 %')
    """
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"
