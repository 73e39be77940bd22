"""What is wrong with one feature: the first check that fits names it.

The checks go from the specific to the general, so a feature full of nulls is not also called
drifted.
"""

from collections.abc import Callable, Mapping

import numpy as np

from tocsin.causes.cause import Suspicion
from tocsin.causes.scale import factor
from tocsin.drift import Shift, Verdict
from tocsin.profiles import CategoryBins, FeatureHistogram, NumericBins
from tocsin.quality import FEATURE_CHECKS, UNUSUAL, Check, against, beyond

# The score of a shift of the most important feature is raised by so much, others' by their part of
# it: enough to come before a like shift of one that the model ignores, too little to pass a shift
# that stands out more, or a fault. docs/decisions/0020-importance-is-found-once.md
_RAISED = 0.1
_NULL, _UNSEEN = FEATURE_CHECKS["null_rate"], FEATURE_CHECKS["unseen_rate"]
_OUT_OF_RANGE, _TOP = FEATURE_CHECKS["out_of_range_rate"], FEATURE_CHECKS["top_share"]
_WORDS = {
    "nulls": "has no value",
    "unseen": "has values the reference never had",
    "out_of_range": "is outside the range of the reference",
}
# What differs by less is not worth a word.
_WORTH_SAYING = 0.005
# Of a category of which so many rows would come, a twentieth of them is next to nothing.
_EXPECTED_ROWS, _NEXT_TO_NOTHING = 20, 0.05


def suspicion(
    before: FeatureHistogram,
    now: FeatureHistogram,
    earlier: FeatureHistogram,
    shift: Shift | None,
    reliance: Mapping[str, float],
) -> Suspicion | None:
    """What is wrong with a feature, None where nothing is.

    earlier: a stack (w, k) of windows like this one. reliance: how much the model relies on each.
    """
    checks: tuple[Callable[[], Suspicion | None], ...] = (
        lambda: _share("nulls", before, now, earlier, _NULL, ("null", "non-finite")),
        lambda: _share("unseen", before, now, earlier, _UNSEEN, ("unseen",), _gone(now, earlier)),
        lambda: _share(
            "out_of_range", before, now, earlier, _OUT_OF_RANGE, ("below", "above"),
            _means(before, now) + _multiplied(earlier, now), shift,
        ),
        lambda: _stuck(now, earlier),
        lambda: _relabelled(before, now, shift),
        lambda: _covariate(before, now, earlier, shift, reliance),
    )  # fmt: skip
    return next((found for check in checks if (found := check()) is not None), None)


def _share(
    kind: str,
    before: FeatureHistogram,
    now: FeatureHistogram,
    earlier: FeatureHistogram,
    check: Check,
    bins: tuple[str, ...],
    more: str = "",
    shift: Shift | None = None,
) -> Suspicion | None:
    """Rows in the named explicit bins: z > 5 against the past, and the points of a check more.

    shift: that of the rest of the column, where these rows are only the end of it.
    """
    at = [i for i, label in enumerate(now.bins.labels) if i >= now.bins.regular and label in bins]
    if not at:
        return None
    share = float(now.shares[at].sum())
    past = earlier.shares[..., at].sum(-1)
    usual, z = against(share, past, floor=check.floor)
    if z <= UNUSUAL or share < usual + check.points or not beyond(share, past.max()):
        return None
    known = _known(usual, float(past.max()), float(before.shares[at].sum()))
    text = f"`{now.bins.name}` {_WORDS[kind]} in {share:.1%} of the rows, {known}{more}"
    extent = _extent(share, usual)
    if shift is not None and shift.verdict is Verdict.DRIFT:
        extent = max(extent, min(shift.js_distance, 1.0))
    return Suspicion(kind, 1.0, z, extent, text)


def _known(usual: float, most: float, reference: float) -> str:
    """What a share was before: usually, at most, and in the reference where that differs."""
    text = f"usually {usual:.1%}"
    if most > usual + _WORTH_SAYING:
        text += f", at most {most:.1%}"
    if abs(reference - usual) > _WORTH_SAYING:
        text += f", in the reference {reference:.1%}"
    return text


def _extent(share: float, usual: float) -> float:
    """The part of the rows that were not like this before."""
    return max(share - usual, 0.0) / max(1 - usual, 1e-9)


def _stuck(now: FeatureHistogram, earlier: FeatureHistogram) -> Suspicion | None:
    shares = now.shares
    top = int(np.argmax(shares))
    past = earlier.shares.max(-1)
    usual, z = against(float(shares[top]), past, floor=_TOP.floor)
    if z <= UNUSUAL or shares[top] < usual + _TOP.points or not beyond(shares[top], past.max()):
        return None
    if not _one_value(now, top):
        return None
    text = (
        f"`{now.bins.name}` is stuck: {shares[top]:.1%} of the rows have one value, "
        f"usually at most {usual:.1%}"
    )
    return Suspicion("stuck", 0.95, z, _extent(float(shares[top]), usual), text)


def _one_value(now: FeatureHistogram, at: int) -> bool:
    """A category is one value; of numbers only an end of the bin proves that all are the same."""
    if at >= now.bins.regular:
        return False
    if not isinstance(now.bins, NumericBins):
        return True
    mean = now.value[at] / now.n[at]
    return bool(np.isclose(mean, now.bins.edges[at], rtol=1e-9, atol=1e-12))


def _relabelled(
    before: FeatureHistogram, now: FeatureHistogram, shift: Shift | None
) -> Suspicion | None:
    """Categories that changed places: the distance moved, the sorted frequencies did not."""
    if isinstance(now.bins, NumericBins) or shift is None or shift.verdict is not Verdict.DRIFT:
        return None
    p, q = (part.shares[: part.bins.regular] for part in (before, now))
    moved = float(np.abs(p - q).sum()) / 2
    sorted_moved = float(np.abs(np.sort(p) - np.sort(q)).sum()) / 2
    # Sorting has to explain most of it, or fewer rows would pass for a permutation by chance.
    if sorted_moved > min(0.05 + 1 / np.sqrt(shift.n), 0.4 * moved):
        return None
    text = f"the categories of `{now.bins.name}` changed places: same frequencies, other names"
    return Suspicion("relabelled", 1.0, shift.z or 0.0, moved, text, proven=True)


def _covariate(
    before: FeatureHistogram,
    now: FeatureHistogram,
    earlier: FeatureHistogram,
    shift: Shift | None,
    reliance: Mapping[str, float],
) -> Suspicion | None:
    if shift is None or shift.verdict is not Verdict.DRIFT or shift.usual is None:
        return None
    name = now.bins.name
    multiplied = _multiplied(earlier, now)
    text = (
        f"`{name}` has moved: JS distance {shift.js_distance:.2f} from the reference, at most "
        f"{shift.usual:.2f} in earlier windows like this{_means(before, now)}{multiplied}"
        f"{_gone(now, earlier)}{_relied_on(name, reliance)}"
    )
    return Suspicion(
        "covariate",
        # The world does not multiply all of a column.
        1.0 if multiplied else 0.8,
        shift.z or 0.0,
        min(shift.js_distance, 1.0),
        text,
        proven=True,
        raised=_RAISED * reliance.get(name, 0.0),
    )


def _relied_on(name: str, reliance: Mapping[str, float]) -> str:
    if name not in reliance:
        return ""
    if reliance[name] == 0:
        return "; the model does not rely on it"
    place = 1 + sum(other > reliance[name] for other in reliance.values())
    return f"; of {len(reliance)} features it is number {place} in importance"


def _means(before: FeatureHistogram, now: FeatureHistogram) -> str:
    if not isinstance(now.bins, NumericBins):
        return ""
    counted = slice(0, now.bins.regular + 2)
    was, is_now = (
        float(part.value[counted].sum() / max(part.n[counted].sum(), 1)) for part in (before, now)
    )
    return f"; its mean is {is_now:,.4g}, in the reference {was:,.4g}"


def _multiplied(earlier: FeatureHistogram, now: FeatureHistogram) -> str:
    found = factor(earlier, now)
    if found is None:
        return ""
    return f"; about {float(f'{found:.3g}'):,g} times what it was: a changed unit?"


def _gone(now: FeatureHistogram, earlier: FeatureHistogram) -> str:
    """Categories that came in every way before and do not now."""
    bins = now.bins
    if not isinstance(bins, CategoryBins) or not earlier.n.size:
        return ""
    usual = earlier.n.sum(0)[: bins.regular] / max(float(earlier.n.sum()), 1.0)
    expected = usual * now.n.sum()
    gone = (expected >= _EXPECTED_ROWS) & (now.n[: bins.regular] < _NEXT_TO_NOTHING * expected)
    names = [f"`{bins.levels[i]}`" for i in np.flatnonzero(gone)]
    if not names:
        return ""
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    was = f"usually {float(usual[gone].sum()):.1%}"
    return f"; {listed}, {was}, {'is' if len(names) == 1 else 'are'} gone"
