"""What a rule sees in one window."""

from dataclasses import dataclass
from enum import StrEnum

from tocsin.drift import ENOUGH_ROWS, Shift, Verdict
from tocsin.estimation import Estimate
from tocsin.quality import VOLUME, Finding, QualityVerdict
from tocsin.rules.rule import Operator, Rule
from tocsin.trends import Pace, Trend
from tocsin.values import Bounded, Measure, Undefined, isoformat


class Health(StrEnum):
    """Whether the window can be judged at all."""

    OK = "ok"
    NO_DATA = "no_data"
    INSUFFICIENT = "insufficient"
    AWAITING_LABELS = "awaiting_labels"
    UNTRUSTED = "untrusted"


class Signal(StrEnum):
    """What the window says; `HOLD` lies between clear and breach, or cannot be judged."""

    BREACH = "breach"
    HOLD = "hold"
    CLEAR = "clear"


@dataclass(frozen=True)
class Reading:
    """One window as a rule sees it; `text` says it to a person."""

    health: Health
    signal: Signal
    value: float | None
    n: int
    text: str


def read_metric(
    rule: Rule,
    measure: Measure,
    *,
    rows: int,
    coverage: float,
    needs_labels: bool,
    trend: Trend | None = None,
) -> Reading:
    """Judge a metric against a rule's threshold, or against what is usual.

    rows: predictions in the window; coverage: their labelled share. trend: of a rule that is
    `auto`, None where there is none of this window.
    """
    if rows == 0 and rule.metric != VOLUME:
        return Reading(Health.NO_DATA, Signal.HOLD, None, 0, "no predictions in this window")
    if needs_labels and coverage < rule.min_coverage:
        text = f"{coverage:.0%} labelled, {rule.min_coverage:.0%} are needed"
        return Reading(Health.AWAITING_LABELS, Signal.HOLD, None, measure.n, text)
    if isinstance(measure, Undefined):
        return Reading(Health.INSUFFICIENT, Signal.HOLD, None, measure.n, measure.reason)
    # Few rows are what a rule on their number is about.
    if measure.n < rule.min_samples and rule.metric != VOLUME:
        text = f"{measure.n} of {rule.min_samples} rows"
        return Reading(Health.INSUFFICIENT, Signal.HOLD, measure.value, measure.n, text)
    if rule.auto:
        return _read_trend(rule, measure, trend)
    # The end of the interval that is furthest from the breach has to be beyond the threshold.
    mildest = measure.high if rule.op is Operator.BELOW else measure.low
    surest = measure.value if mildest is None or not rule.confident else mildest
    if rule.breached(surest):
        signal, word = Signal.BREACH, "breach"
    elif rule.cleared(measure.value):
        signal, word = Signal.CLEAR, "clear"
    else:
        signal, word = Signal.HOLD, "at risk"
    text = f"{rule.metric} {measure.value:.3g} ({rule.op} {rule.value:g}: {word}, n = {measure.n})"
    return Reading(Health.OK, signal, measure.value, measure.n, text)


def read_estimate(
    rule: Rule, estimate: Estimate | None, *, rows: int, trend: Trend | None = None
) -> Reading:
    """Judge an estimate as the metric itself; one that a flag speaks against holds the state."""
    if rows == 0:
        return Reading(Health.NO_DATA, Signal.HOLD, None, 0, "no predictions in this window")
    if estimate is None:
        text = "this window was not estimated when it closed"
        return Reading(Health.INSUFFICIENT, Signal.HOLD, None, 0, text)
    measure = estimate.measure
    if not estimate.trusted and isinstance(measure, Bounded):
        text = f"{rule.metric} {measure.value:.3g} is not trusted: {'; '.join(estimate.reasons)}"
        return Reading(Health.UNTRUSTED, Signal.HOLD, measure.value, measure.n, text)
    return read_metric(rule, measure, rows=rows, coverage=0.0, needs_labels=False, trend=trend)


def _read_trend(rule: Rule, measure: Bounded, trend: Trend | None) -> Reading:
    """Judge a number against what is usual for it."""
    value, n = measure.value, measure.n
    if n < ENOUGH_ROWS and rule.metric != VOLUME:
        text = f"{rule.metric} {value:.3g}, but {n} of {ENOUGH_ROWS} rows tell no change"
        return Reading(Health.INSUFFICIENT, Signal.HOLD, value, n, text)
    if trend is None or trend.usual is None or trend.pace <= Pace.LEARNING:
        text = f"{rule.metric} {value:.3g}; too few earlier windows like this to say what is usual"
        return Reading(Health.INSUFFICIENT, Signal.HOLD, value, n, text)
    usual = f"{rule.metric} {value:.3g}, usually {trend.usual:.3g} in windows like this"
    if trend.since is None:
        return Reading(Health.OK, Signal.CLEAR, value, n, usual)
    went = "higher" if trend.rising else "lower"
    now = ", and not yet surely over" if trend.is_back else ""
    text = f"{usual}; {went} since {isoformat(trend.since)}{now}, n = {n}"
    return Reading(Health.OK, Signal.BREACH, value, n, text)


def read_drift(rule: Rule, shift: Shift) -> Reading:
    """Judge one column's drift verdict."""
    text = shift.reason
    # An alert takes evidence to begin; where nothing is seen any more it may end.
    blind = shift.verdict is Verdict.INSUFFICIENT and not shift.is_quiet
    value = shift.js_distance if shift.method is None else shift.value
    if blind or shift.n < rule.min_samples or shift.verdict is Verdict.LEARNING:
        return Reading(Health.INSUFFICIENT, Signal.HOLD, value, shift.n, text)
    signal = Signal.BREACH if shift.verdict is Verdict.DRIFT else Signal.CLEAR
    return Reading(Health.OK, signal, value, shift.n, text)


def read_quality(
    rule: Rule, finding: Finding | None, *, rows: int, unsure: bool = False
) -> Reading:
    """Judge one check of the data: what was found, or None where nothing was.

    unsure: it is beyond what is expected, but that may be chance.
    """
    if rows == 0 and (finding is None or finding.check != VOLUME):
        return Reading(Health.NO_DATA, Signal.HOLD, None, 0, "no predictions in this window")
    if finding is None:
        if rows < max(ENOUGH_ROWS, rule.min_samples):
            text = f"{rows} of {max(ENOUGH_ROWS, rule.min_samples)} rows"
            return Reading(Health.INSUFFICIENT, Signal.HOLD, None, rows, text)
        if unsure:
            text = "beyond what is expected, but that could be chance"
            return Reading(Health.OK, Signal.HOLD, None, rows, text)
        return Reading(Health.OK, Signal.CLEAR, None, rows, "as expected")
    enough = rows >= rule.min_samples or finding.check == VOLUME
    if finding.verdict is not QualityVerdict.VIOLATED or not enough:
        return Reading(Health.INSUFFICIENT, Signal.HOLD, finding.value, finding.n, finding.reason)
    return Reading(Health.OK, Signal.BREACH, finding.value, finding.n, finding.reason)
