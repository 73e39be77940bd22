"""The estimate of one metric of one window, as it is kept with the window and told to people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.estimation.backtest import RECENT, Flag
from tocsin.values import Bounded, Measure, Undefined

# What rules put in front of the name of a metric.
ESTIMATED = "estimated."
CBPE = "cbpe"


def is_estimate(name: str) -> bool:
    """Whether a name is that of an estimate, such as `estimated.roc_auc`."""
    return name.startswith(ESTIMATED)


def plain_name(name: str) -> str:
    """The metric that a name is about, estimated or not."""
    return name.removeprefix(ESTIMATED)


@dataclass(frozen=True)
class Estimate:
    """What a metric was expected to be when its window closed.

    measure: the number with its 95 % interval, or why there is none. variance: of realised less
    expected, without what differs between windows. flags: what speaks against it; reasons: the same
    in sentences. method: how it was found.
    """

    measure: Measure
    variance: float
    flags: Flag
    reasons: tuple[str, ...]
    method: str = CBPE

    @property
    def trusted(self) -> bool:
        """Whether rules may act on it."""
        return not self.flags


def stored(
    measures: Mapping[str, tuple[Any, ...]],
    outside: tuple[str, float],
    gap: float | None,
    method: str = CBPE,
) -> dict[str, Any]:
    """What is kept of a window: `measures` by metric, and what the flags are about."""
    return {"of": measures, "outside": outside, "gap": gap, "method": method}


def estimate_of(kept: Mapping[str, Any], name: str) -> Estimate | None:
    """The estimate of a metric, from what `stored` made; None where none was made."""
    parts = kept.get("of", {}).get(name)
    if parts is None:
        return None
    if isinstance(parts[0], str):
        return Estimate(Undefined(*parts), 0.0, Flag(0), (), kept["method"])
    value, error, low, high, n, variance, bits = parts
    flags = Flag(bits)
    return Estimate(
        Bounded(value, error, low, high, n),
        variance,
        flags,
        tuple(sentences(flags, kept["outside"], kept["gap"])),
        kept["method"],
    )


def names(kept: Mapping[str, Any]) -> tuple[str, ...]:
    """The metrics that have an estimate in what `stored` made."""
    return tuple(kept.get("of", {}))


def sentences(flags: Flag, outside: tuple[str, float], gap: float | None) -> list[str]:
    """What each flag means, in their order."""
    column, share = outside
    found = {
        Flag.OUT_OF_SUPPORT: f"{share:.0%} of the rows have a `{column}` of which the reference "
        "says nothing",
        Flag.CONCEPT_DRIFT_SUSPECTED: "labels that came say that outputs do not mean what they "
        "meant in the reference"
        + ("" if gap is None else f": the loss is {gap:+.3g} from the expected"),
        Flag.BACKTEST_FAILED: f"in the last {RECENT} windows with labels, estimates were outside "
        "their intervals too often, or the reference was nearer",
        Flag.UNPROVEN: f"fewer than {RECENT} earlier windows have the labels to test estimates by",
    }
    return [text for flag, text in found.items() if flag in flags]
