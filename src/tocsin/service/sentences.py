"""What numbers say, in a sentence: the same in the API, on the pages and in the terminal."""

from tocsin.service.outlook import Crossing, RuleTrend
from tocsin.service.views import Point, Series
from tocsin.trends import Pace
from tocsin.values import DAY, HOUR, Bounded, Measure, format_duration, isoformat, to_datetime


def point_sentence(series: Series, point: Point) -> str:
    """A number of one window, how sure it is, and what the reference has."""
    name = series.metric.title + (f" of {series.segment}" if series.segment else "")
    over = f"over the {series.spec.name} until {isoformat(point.window.end)}"
    if not isinstance(point.measure, Bounded):
        return f"{name} {over} is not known: {point.measure.reason}."
    labelled = f", {point.coverage:.0%} labelled" if series.metric.needs_labels else ""
    has = (
        f"; the reference has {series.reference.value:.3g}"
        if isinstance(series.reference, Bounded)
        else ""
    )
    return f"{name} {over} is {_bounded(point.measure)} on {point.measure.n:,} rows{labelled}{has}."


def _bounded(measure: Measure) -> str:
    assert isinstance(measure, Bounded)
    if measure.low is None or measure.high is None:
        return f"{measure.value:.3g}"
    return f"{measure.value:.3g} [{measure.low:.3g} to {measure.high:.3g}]"


def trend_sentence(found: RuleTrend) -> str:
    """How a series stands against what is usual for it."""
    trend, rule = found.trend, found.rule
    name = rule.metric + (f" of {found.instance}" if found.instance else "")
    over = f"over {format_duration(rule.window)}"
    if trend.pace is Pace.UNKNOWN or trend.value is None:
        return f"{name} {over} is not known of the newest window."
    if trend.usual is None:
        return f"{name} is {trend.value:.3g} {over}; what is usual is still being learned."
    usual = f"{name} is {trend.value:.3g} {over}, usually {trend.usual:.3g}"
    if trend.since is None:
        return f"{usual}; no lasting change ({trend.evidence:.0%} of the evidence for an alarm)."
    went = "higher" if trend.rising else "lower"
    if trend.is_back:
        return f"{usual} again; {went} since {_moment(trend.since)}, and not yet surely over."
    return f"{usual}; {went} since {_moment(trend.since)}."


def crossing_sentence(found: Crossing) -> str:
    """When a threshold will be crossed, and what that rests on."""
    rule, ahead = found.rule, found.forecast
    name = rule.metric + (f" of {found.instance}" if found.instance else "")
    goes = "falls" if ahead.slope < 0 else "rises"
    early, likely, late = (
        _lasting(end - found.window.end) for end in (found.early, found.likely, found.late)
    )
    return (
        f"{name} over {format_duration(rule.window)} is {found.value:.3g} and {goes} by "
        f"{abs(ahead.slope):.2g} each {format_duration(found.step)}; going on so it crosses "
        f"{rule.value:g} in {likely} (90 % range {early} to {late}; {ahead.windows} windows, "
        f"p = {ahead.p_value:.1g})."
    )


def _moment(time: int) -> str:
    """A time to the minute, in UTC."""
    return f"{to_datetime(time):%d %b %Y %H:%M} UTC".lstrip("0")


def _lasting(duration: int) -> str:
    """A time to come, as exactly as a forecast deserves."""
    unit, word = (DAY, "day") if duration >= 2 * DAY else (HOUR, "hour")
    count = max(round(duration / unit), 1)
    return f"{count} {word}" + ("" if count == 1 else "s")
