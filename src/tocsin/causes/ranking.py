"""Ranks what may have caused a change: faults of the data first, then the world.

For each feature the first check that fits names the cause; the checks go from the specific to the
general, so a feature full of nulls is not also called drifted.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.causes.change import Change, change, expected_change
from tocsin.causes.decomposition import decomposition
from tocsin.drift import Shift, Verdict
from tocsin.metrics.surprise import surprise
from tocsin.profiles import FeatureHistogram, NumericBins, Profile, RegressionOutput
from tocsin.quality import FEATURE_CHECKS, UNUSUAL, Check, against, beyond

Floats = NDArray[np.float64]

_LIKELY, _POSSIBLE = 0.6, 0.3
_BELOW_LIKELY = 0.59
# The score of a shift of the most important feature is raised by so much, others' by their part of
# it: enough to come before a like shift of one that the model ignores, too little to pass a shift
# that stands out more, or a fault. docs/decisions/0020-importance-is-found-once.md
_RAISED = 0.1
_NULL, _UNSEEN = FEATURE_CHECKS["null_rate"], FEATURE_CHECKS["unseen_rate"]
_OUT_OF_RANGE, _TOP = FEATURE_CHECKS["out_of_range_rate"], FEATURE_CHECKS["top_share"]
_UNKNOWN: Mapping[str, float] = MappingProxyType({})
# Of a change that labels have shown, a feature has to go with so much to be its likely cause.
_LIKELY_SHARE = 0.2


class Likelihood(StrEnum):
    """How sure the ranking is."""

    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True)
class Evidence:
    """The picture behind a cause: shares of rows by bin, in the reference and now."""

    bins: tuple[str, ...]
    regular: int
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True)
class Cause:
    """One suspect.

    z: how unusual against earlier windows like this; share: of the change in loss that goes with
    it, [0, 1]; score: the rank, [0, 1].
    """

    kind: str
    feature: str | None
    segment: str | None
    score: float
    verdict: Likelihood
    z: float
    share: float
    sentence: str
    evidence: Evidence | None

    def to_dict(self) -> dict[str, Any]:
        """The cause as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class _Finding:
    kind: str
    weight: float
    z: float
    text: str
    # It has passed a test of its own and is never silent.
    proven: bool = False
    # By how much it is to come before others of like evidence.
    raised: float = 0.0


def rank(
    reference: Profile,
    current: Profile,
    past: Profile,
    shifts: Mapping[str, Shift],
    *,
    versions: tuple[Mapping[str, float], Mapping[str, float]] = ({}, {}),
    about: Collection[str] = (),
    reliance: Mapping[str, float] = _UNKNOWN,
) -> tuple[Cause, ...]:
    """The causes of the difference of one window from the reference, most likely first.

    past: a stack (w, size) of earlier windows like this one, oldest first; w may be 0.
    shifts: the drift verdicts of the window by feature.
    versions: rows by model version, in the past windows and in this one.
    about: features that are asked about; what is found of them comes first.
    reliance: how much the model relies on each feature, [0, 1]; empty where it is not known.
    """
    moved = change(reference, current)
    causes = [
        cause
        for bins in current.plan.features
        if (cause := _feature_cause(bins.name, reference, current, past, shifts, moved, reliance))
    ]
    causes.extend(_new_versions(*versions))
    if (drifted := _concept(reference, current, past, moved)) is not None:
        causes.append(drifted)
    # z and share are capped in the score: the distance decides between equals.
    return tuple(sorted(causes, key=lambda c: (c.feature not in about, -c.score, -c.z)))


def _feature_cause(
    name: str,
    reference: Profile,
    current: Profile,
    past: Profile,
    shifts: Mapping[str, Shift],
    moved: Change,
    reliance: Mapping[str, float],
) -> Cause | None:
    before, now = reference.feature(name), current.feature(name)
    earlier = past.feature(name)
    if now.n.sum() == 0:
        return None
    checks: tuple[Callable[[], _Finding | None], ...] = (
        lambda: _share_check("nulls", now, earlier, _NULL, ("null", "non-finite")),
        lambda: _share_check("unseen", now, earlier, _UNSEEN, ("unseen",)),
        lambda: _share_check("out_of_range", now, earlier, _OUT_OF_RANGE, ("below", "above")),
        lambda: _stuck(now, earlier),
        lambda: _relabelled(before, now, shifts.get(name)),
        lambda: _covariate(before, now, shifts.get(name), reliance),
    )
    found = next((finding for check in checks if (finding := check()) is not None), None)
    if found is None:
        return None
    share = moved.explained_by(decomposition(before, now).mix)
    evidence = Evidence(
        bins=now.bins.labels,
        regular=now.bins.regular,
        reference=tuple(before.shares.tolist()),
        current=tuple(now.shares.tolist()),
    )
    return _cause(found, name, share, evidence, _LIKELY_SHARE if moved.significant else 0.0)


def _cause(
    found: _Finding,
    feature: str | None,
    share: float,
    evidence: Evidence | None,
    needed: float = 0.0,
) -> Cause | None:
    score = found.weight * (0.6 * min(1.0, found.z / 12) + 0.4 * share)
    if found.proven:
        score = max(score, _POSSIBLE)
    if score < _POSSIBLE:
        return None
    # Unusual as it may be: what goes with little of a change is not likely to be its cause.
    likely = score >= _LIKELY and share >= needed
    verdict = Likelihood.LIKELY if likely else Likelihood.POSSIBLE
    # After the verdict: what a model relies on decides who comes first, not who is suspected.
    score = min(1.0, score * (1 + found.raised))
    if not likely:
        score = min(score, _BELOW_LIKELY)
    return Cause(found.kind, feature, None, score, verdict, found.z, share, found.text, evidence)


def _share_check(
    kind: str,
    now: FeatureHistogram,
    earlier: FeatureHistogram,
    check: Check,
    bins: tuple[str, ...],
) -> _Finding | None:
    """Rows in the named explicit bins: z > 5 against the past, and the points of a check more."""
    at = [i for i, label in enumerate(now.bins.labels) if i >= now.bins.regular and label in bins]
    if not at:
        return None
    share = float(now.shares[at].sum())
    past = earlier.shares[..., at].sum(-1)
    usual, z = against(share, past, floor=check.floor)
    if z <= UNUSUAL or share < usual + check.points or not beyond(share, past.max()):
        return None
    words = {"nulls": "has no value", "unseen": "has values the reference never had",
             "out_of_range": "is outside the range of the reference"}[kind]  # fmt: skip
    text = f"`{now.bins.name}` {words} in {share:.1%} of the rows, usually {usual:.1%}"
    return _Finding(kind, 1.0, z, text)


def _stuck(now: FeatureHistogram, earlier: FeatureHistogram) -> _Finding | None:
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
    return _Finding("stuck", 0.95, z, text)


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
) -> _Finding | None:
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
    return _Finding("relabelled", 1.0, shift.z or 0.0, text, proven=True)


def _covariate(
    before: FeatureHistogram,
    now: FeatureHistogram,
    shift: Shift | None,
    reliance: Mapping[str, float],
) -> _Finding | None:
    if shift is None or shift.verdict is not Verdict.DRIFT or shift.usual is None:
        return None
    text = (
        f"`{now.bins.name}` has moved: JS distance {shift.js_distance:.2f} from the reference, "
        f"at most {shift.usual:.2f} in earlier windows like this{_means(before, now)}"
    )
    name = now.bins.name
    raised = _RAISED * reliance.get(name, 0.0)
    text += _relied_on(name, reliance)
    return _Finding("covariate", 0.8, shift.z or 0.0, text, proven=True, raised=raised)


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


def _new_versions(past: Mapping[str, float], now: Mapping[str, float]) -> list[Cause]:
    total = sum(now.values())
    findings = [
        (_Finding("new_version", 1.0, 12.0, _version_sentence(version, rows / total)), rows / total)
        for version, rows in now.items()
        if past and version not in past and rows > 0.02 * total
    ]
    causes = (_cause(found, None, share, None) for found, share in findings)
    return [cause for cause in causes if cause is not None]


def _version_sentence(version: str, share: float) -> str:
    return f"version {version} is new and made {share:.0%} of the predictions"


def _concept(reference: Profile, current: Profile, past: Profile, moved: Change) -> Cause | None:
    """The same outputs are followed by other outcomes: the world, or an input nobody sees."""
    now, earlier = surprise(current), surprise(past)
    label = _unusual(now.label, earlier.label, now.label_error)
    loss = _unusual(now.loss, earlier.loss, now.loss_error)
    z = max(label.z, loss.z)
    if z <= 4.5:
        return None
    start = "the same outputs are followed by other outcomes: "
    if label.z >= loss.z:
        text = start + (
            f"positives are {label.value * 100:+.1f} pt from what the reference would give, "
            f"usually {label.usual * 100:+.1f} pt"
        )
    else:
        what = "absolute" if isinstance(current.plan.output, RegressionOutput) else "squared"
        text = start + (
            f"the {what} error is {loss.value:+.3g} from what the reference would give, usually "
            f"{loss.usual:+.3g}"
        )
    share = moved.explained_by(moved.delta - expected_change(reference, current))
    return _cause(_Finding("concept", 0.9, z, text), None, share, None)


@dataclass(frozen=True)
class _Unusual:
    value: float
    usual: float
    z: float


def _unusual(value: Floats, past: Floats, error: Floats) -> _Unusual:
    """A surprise against those of earlier windows; none where it is not known."""
    if not np.isfinite(value):
        return _Unusual(0.0, 0.0, 0.0)
    usual, z = against(float(value), past[np.isfinite(past)], floor=float(error))
    return _Unusual(float(value), usual, z)
