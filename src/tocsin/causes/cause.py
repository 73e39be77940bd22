"""One suspect: how it is found, how sure that is, and how much it weighs beside others."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from math import sqrt
from typing import Any

from tocsin.profiles import FeatureHistogram

_LIKELY, _POSSIBLE = 0.6, 0.3
_BELOW_LIKELY = 0.59
_UNUSUAL_ENOUGH = 12.0


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

    @classmethod
    def of(cls, before: FeatureHistogram, now: FeatureHistogram) -> "Evidence":
        """That of one feature."""
        return cls(
            bins=now.bins.labels,
            regular=now.bins.regular,
            reference=tuple(before.shares.tolist()),
            current=tuple(now.shares.tolist()),
        )


@dataclass(frozen=True)
class Cause:
    """One suspect.

    z: how unusual against earlier windows like this; share: of the change in loss that goes with
    it, [0, 1]; score: the rank, [0, 1]: likely ones from 0.6, and more the more rows show it.
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
class Suspicion:
    """What a check found.

    weight: faults of the data weigh more than what the world may do. extent: how large it is,
    [0, 1], such as the share of the rows that show it.
    """

    kind: str
    weight: float
    z: float
    extent: float
    text: str
    # It has passed a test of its own and is never silent.
    proven: bool = False
    # It is there beyond doubt, whatever goes with it.
    certain: bool = False
    # By how much it is to come before others of like evidence.
    raised: float = 0.0


def as_cause(
    found: Suspicion,
    feature: str | None,
    share: float,
    evidence: Evidence | None,
    needed: float = 0.0,
) -> Cause | None:
    """The cause that a suspicion is; None where it is too weak to be named.

    share: of the change in loss that goes with it; needed: the least of that to be likely.
    """
    unusual = min(1.0, found.z / _UNUSUAL_ENOUGH)
    strength = found.weight * (0.6 * unusual + 0.4 * share)
    if not found.proven and not found.certain and strength < _POSSIBLE:
        return None
    # Unusual as it may be: what goes with little of a change is not likely to be its cause.
    likely = found.certain or (strength >= _LIKELY and share >= needed)
    score = _score(found, unusual, share, likely)
    verdict = Likelihood.LIKELY if likely else Likelihood.POSSIBLE
    return Cause(found.kind, feature, None, score, verdict, found.z, share, found.text, evidence)


def _score(found: Suspicion, unusual: float, share: float, likely: bool) -> float:  # noqa: FBT001
    """Where it ranks among the likely, or below those: deviations alone soon say no more."""
    size = found.weight * (0.2 * unusual + 0.4 * sqrt(found.extent) + 0.4 * share)
    low, high = (_LIKELY, 1.0) if likely else (_POSSIBLE, _BELOW_LIKELY)
    # After the verdict: what a model relies on decides who comes first, not who is suspected.
    return min(high, (low + (high - low) * size) * (1 + found.raised))
