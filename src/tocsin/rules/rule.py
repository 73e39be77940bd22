"""A threshold on a number that people set or that is learned, or a verdict on each feature."""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from tocsin.errors import SchemaError

# The verdicts of features and output, of predicted classes, and of labels: no numbers.
DRIFT, PREDICTION_DRIFT, LABEL_DRIFT = "drift", "prediction_drift", "label_drift"
# The verdict of every check of the data, which is none either.
QUALITY = "quality"
_VERDICTS = (DRIFT, PREDICTION_DRIFT, LABEL_DRIFT, QUALITY)


class Operator(StrEnum):
    """The side of the threshold that is bad."""

    BELOW = "<"
    ABOVE = ">"


class NoData(StrEnum):
    """What a window without rows means to a rule: its state stays, a breach, well, or an alert."""

    KEEP_LAST = "keep_last"
    ALERTING = "alerting"
    OK = "ok"
    NO_DATA = "no_data"


@dataclass(frozen=True)
class Rule:
    """When people want to be told.

    metric: a name of `metrics.METRICS` or of a rate of the data; `drift` for the verdict of every
    feature, `prediction_drift` and `label_drift` for outputs and labels, `quality` for
    that of every check of the data.
    window: size in microseconds. op, value: the breach; None for verdicts.
    auto: there is no value; a lasting change from what is usual is the breach, to the side of `op`,
    else to the bad side of the metric, else to either.
    clear: the value from which a breach counts as over, on the good side of `value`.
    for_windows: consecutive breached windows before it fires. keep_firing_windows: good ones before
    it resolves. min_samples: fewer rows hold the state. min_coverage: labelled share to wait for.
    confident: the 95 % interval must lie beyond the threshold, not the value alone.
    no_data: of windows without any row.
    by: the part of the rows that its instances are of, `version` or a segment's name.
    labels: of its owners, for routes and silences, in the order of their names. summary: what a
    person is told first. runbook_url: what to do about it.
    """

    name: str
    metric: str
    window: int
    op: Operator | None = None
    value: float | None = None
    clear: float | None = None
    for_windows: int = 1
    keep_firing_windows: int = 1
    min_samples: int = 1
    min_coverage: float = 0.5
    confident: bool = True
    severity: str = "warning"
    category: str = "performance"
    auto: bool = False
    no_data: NoData = NoData.KEEP_LAST
    by: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    runbook_url: str = ""

    def __post_init__(self) -> None:
        if self.metric in _VERDICTS:
            if (self.op, self.value, self.clear, self.auto) != (None, None, None, False):
                raise SchemaError(
                    f"rule {self.name!r} on {self.metric} takes no `op`, `value` or `clear`: the "
                    "verdict learns what is usual; leave them out"
                )
            return
        if self.auto:
            if self.clear is not None:
                raise SchemaError(
                    f"rule {self.name!r} has `value: auto` and takes no `clear`: it is over when "
                    "the series is back to what is usual"
                )
            return
        if self.op is None or self.value is None:
            raise SchemaError(
                f"rule {self.name!r} on {self.metric!r} needs `op` and `value`, such as < and 0.7, "
                "or `value: auto`"
            )
        # Every comparison with NaN is false: the rule would be silent for ever.
        if not isfinite(self.value) or not isfinite(
            self.value if self.clear is None else self.clear
        ):
            raise SchemaError(
                f"rule {self.name!r} needs finite numbers, not value {self.value} and "
                f"clear {self.clear}"
            )
        if self.clear is not None and self.clear != self.value and self.breached(self.clear):
            raise SchemaError(
                f"rule {self.name!r} clears at {self.clear:g}, which is on the breached side of "
                f"{self.op} {self.value:g}; write a number on the good side, or leave it out"
            )

    def breached(self, number: float) -> bool:
        """Whether a number is on the bad side of the threshold."""
        assert self.value is not None
        return number < self.value if self.op is Operator.BELOW else number > self.value

    def cleared(self, number: float) -> bool:
        """Whether a number is far enough on the good side to end a breach."""
        clear = self.value if self.clear is None else self.clear
        assert clear is not None
        return number >= clear if self.op is Operator.BELOW else number <= clear
