"""Numbers, times and sentences as people read them."""

import re
from datetime import UTC, datetime
from math import floor, isfinite, log10
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from tocsin.charts import sparkline
from tocsin.drift import Judgement, Verdict
from tocsin.explain import Importance, described
from tocsin.metrics import Metric
from tocsin.quality import FEATURE_CHECKS, MODEL_CHECKS, VOLUME
from tocsin.service.views import Point, Series
from tocsin.values import (
    DAY,
    HOUR,
    MINUTE,
    Bounded,
    Measure,
    Undefined,
    format_duration,
    isoformat,
    to_datetime,
)

# Numbers that people know as percentages.
SHARES = frozenset({"label_rate", "prediction_rate", "coverage", "error_rate"})
_MOST_SPARKS = 120
_MOST_PLACES = 4
# An interval of which one end is so many times the other says nothing.
_WIDE = 1_000.0
# An interval is not told by its half where one end is so many times as far away.
_ONE_SIDED = 2.0
_NO_BREAK = "\u00a0"


def number(value: float) -> str:
    """Three significant figures, thousands apart.

    >>> number(0.71234), number(12345.6), number(0.000123), number(1)
    ('0.712', '12,300', '0.000123', '1.00')
    """
    if not isfinite(value):
        return "not a number"
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    if abs(rounded) < 1e-6:
        return f"{rounded:.3g}".replace("-", "−")
    places = max(0, 2 - floor(log10(abs(rounded))))
    return f"{rounded:,.{places}f}".replace("-", "−")


def percent(share: float) -> str:
    """A share as a percentage, never rounded to all or nothing.

    >>> [percent(share).replace(_NO_BREAK, " ") for share in (0.971, 0.0312, 0.9996, 0.0001, 1)]
    ['97 %', '3.1 %', '>99.9 %', '<0.1 %', '100 %']
    """
    if not isfinite(share):
        return "not a number"
    if 0 < share < 0.001:
        return f"<0.1{_NO_BREAK}%"
    if 0.999 < share < 1:
        return f">99.9{_NO_BREAK}%"
    places = 0 if share in (0, 1) or 0.1 <= share < 0.995 else 1
    return f"{share * 100:.{places}f}{_NO_BREAK}%"


def count(value: int) -> str:
    """A whole number, thousands apart."""
    return f"{value:,}".replace("-", "−")


def seconds(measure: Measure) -> str:
    """A latency as people say it.

    >>> [seconds(Bounded(s)).replace(_NO_BREAK, " ") for s in (0.0123, 2.5)]
    ['12.3 ms', '2.50 s']
    """
    if isinstance(measure, Undefined):
        return measure.reason
    value, unit = (measure.value, "s") if measure.value >= 1 else (measure.value * 1000, "ms")
    return f"{number(value)}{_NO_BREAK}{unit}"


def is_share(metric: Metric) -> bool:
    """Whether people know it as a percentage."""
    return metric.name.partition("@")[0] in SHARES


def level(metric: Metric, value: float) -> str:
    """A metric's value in its unit."""
    if metric.unit == "seconds":
        return seconds(Bounded(value))
    return percent(value) if is_share(metric) else number(value)


def margin(metric: Metric, measure: Bounded) -> str | None:
    """Half the 95 % interval, to the digits that the value is written with.

    None where it is unknown, or lies so much to one side that half of it says nothing.

    >>> from tocsin.metrics import METRICS
    >>> margin(METRICS["roc_auc"], Bounded(0.7123, low=0.703, high=0.7215))
    '0.009'
    """
    if measure.low is None or measure.high is None:
        return None
    half = (measure.high - measure.low) / 2
    below, above = measure.value - measure.low, measure.high - measure.value
    if not isfinite(half) or max(below, above) > _ONE_SIDED * min(below, above):
        return None
    if is_share(metric):
        return f"{half * 100:.1f}{_NO_BREAK}pt"
    return to_digits_of(measure.value, half)


def to_digits_of(value: float, half: float) -> str:
    """Half an interval, to the digits that its value is written with.

    >>> to_digits_of(0.0412, 0.00213), to_digits_of(0.0412, 0.00001)
    ('0.0021', '1e-05')
    """
    places = len(number(value).partition(".")[2])
    rounded = f"{half:,.{places}f}"
    return rounded if half == 0 or float(rounded.replace(",", "")) else f"{half:.1g}"


def measure_words(metric: Metric, measure: Measure) -> str:
    """A number with its interval, or the reason why there is none."""
    if isinstance(measure, Undefined):
        return measure.reason
    spread = spread_words(metric, measure)
    return level(metric, measure.value) + (f" {spread}" if spread else "")


def spread_words(metric: Metric, measure: Bounded) -> str:
    """The 95 % interval beside its number: `± 0.009`, or its ends; nothing where it is unknown."""
    half = margin(metric, measure)
    if half:
        return f"± {half}"
    ends = interval(metric, measure)
    return "" if ends == "–" else f"({ends})"


def difference(metric: Metric, measure: Measure, reference: Measure) -> str | None:
    """How far a number is from its reference: `0.03 under`; None when either is missing.

    Nor is there one for coverage: a reference is labelled as its maker chose.
    """
    if not isinstance(measure, Bounded) or not isinstance(reference, Bounded):
        return None
    if metric.name == "coverage":
        return None
    apart = measure.value - reference.value
    if is_share(metric):
        if abs(apart) < 0.0005:
            return "as"
        size = f"{abs(apart) * 100:.1f}{_NO_BREAK}pt"
    else:
        # A reference of nearly nothing would ask for more digits than anybody reads.
        places = min(max(2, len(number(reference.value).partition(".")[2])), _MOST_PLACES)
        if abs(apart) < 0.5 * 10**-places:
            return "as"
        size = f"{abs(apart):,.{places}f}"
    return f"{size} {'over' if apart > 0 else 'under'}"


def worse(metric: Metric, measure: Measure, reference: Measure) -> bool:
    """Whether a number is surely on the bad side of its reference: its interval says so."""
    better = metric.higher_is_better
    if better is None or not isinstance(measure, Bounded) or not isinstance(reference, Bounded):
        return False
    mildest = measure.high if better else measure.low
    if mildest is None or not isfinite(mildest):
        return False
    return mildest < reference.value if better else mildest > reference.value


def duration(size: int) -> str:
    """A window's size: `24 h`, `7 days`."""
    if size % DAY == 0 and size > DAY:
        return f"{size // DAY}{_NO_BREAK}days"
    return re.sub(r"(\d)([a-z])", rf"\1{_NO_BREAK}\2", format_duration(size)).replace("m", "min")


def lasting(span: int) -> str:
    """How long something lasted, in its largest units: `3 h`, `2 days`."""
    for size, unit in ((DAY, "day"), (HOUR, "h"), (MINUTE, "min")):
        if span >= size:
            amount = span // size
            return f"{amount}{_NO_BREAK}{unit}{'s' if unit == 'day' and amount > 1 else ''}"
    return f"{span // 1_000_000}{_NO_BREAK}s"


def time_element(moment: int, *, now: datetime | None = None) -> Markup:
    """A moment in UTC, with the year unless it is this one; the page turns it to the viewer's zone.

    >>> print(time_element(0).replace(_NO_BREAK, " "))
    <time datetime="1970-01-01T00:00:00Z" title="1970-01-01 00:00 UTC">1 Jan 1970, 00:00 UTC</time>
    """
    at = to_datetime(moment)
    now = now or datetime.now(UTC)
    year = "" if at.year == now.year else f" {at.year}"
    text = f"{at.day} {at:%b}{year}, {at:%H:%M} UTC".replace(" ", _NO_BREAK)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        isoformat(moment), f"{at:%Y-%m-%d %H:%M} UTC", text
    )


def moment(at: int) -> str:
    """A moment in UTC within a sentence, with its year.

    >>> moment(0).replace(_NO_BREAK, " ")
    '1 Jan 1970, 00:00 UTC'
    """
    when = to_datetime(at)
    return f"{when.day} {when:%b %Y, %H:%M} UTC".replace(" ", _NO_BREAK)


def marked(text: str) -> Markup:
    """A text in which `names` in backticks are set as code."""
    parts = re.split(r"`([^`]*)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    )


def sentence(text: str) -> Markup:
    """A marked text that begins with a capital letter, unless with a name."""
    joined = marked(text)
    return joined[:1].upper() + joined[1:] if not text.startswith("`") else joined


def statement(text: str) -> Markup:
    """A sentence that ends: with a full stop, unless it is a question.

    >>> str(statement("a changed unit?")), str(statement("`a` is gone"))
    ('A changed unit?', '<code>a</code> is gone.')
    """
    return sentence(text) + ("" if text.endswith(("?", "!", ".")) else ".")


def segment(name: str) -> str:
    """A name as one segment of an address."""
    return quote(name, safe="")


def series_sentence(series: Series, told: Point | None = None) -> str:
    """A number of a series against its reference, and how much of it is labelled.

    told: of which window, the newest when None.
    """
    metric = series.metric
    size = duration(series.spec.size)
    if not series.points:
        return f"No window of {size} has closed yet: there is nothing to measure."
    point = told or series.points[-1]
    if point.window != series.points[-1].window:
        # Later ones have too few rows or labels.
        size += f" until {moment(point.window.end)}"
    state = "" if point.final else ", provisional"
    labels = f"; {percent(point.coverage)} labelled{state}" if metric.needs_labels else ""
    if isinstance(point.measure, Undefined):
        return f"{metric.title} over {size} has no value: {point.measure.reason}{labels}."
    return (
        f"{metric.title} {measure_words(series.metric, point.measure)} over {size}"
        f"{against(series, point)}{labels}."
    )


def against(series: Series, point: Point) -> str:
    """`, 0.03 under its reference`, or nothing."""
    apart = difference(series.metric, point.measure, series.reference)
    if apart is None:
        return ""
    return ", as in its reference" if apart == "as" else f", {apart} its reference"


def check_level(check: str, value: float) -> str:
    """What a check of the data measures, in its unit.

    >>> check_level("null_rate", 0.02).replace(_NO_BREAK, " "), check_level("volume", 1200)
    ('2.0 %', '1,200')
    """
    counts = check == VOLUME or not (FEATURE_CHECKS | MODEL_CHECKS)[check].share
    return count(round(value)) if counts else percent(value)


def against_threshold(judgement: Judgement) -> str:
    """How a statistic that does not decide stands to its threshold: no verdict, and no alarm."""
    if judgement.verdict is Verdict.INSUFFICIENT:
        return "too few rows"
    if judgement.statistic.decides == "p_value":
        return "p is under it" if judgement.verdict is Verdict.DRIFT else "p is not under it"
    return "over it" if judgement.verdict is Verdict.DRIFT else "within it"


def interval(metric: Metric, measure: Bounded) -> str:
    """The 95 % interval; a dash where there is none, and words where it says nothing."""
    low, high = measure.low, measure.high
    if low is None or high is None or not (isfinite(low) and isfinite(high)):
        return "–"
    # Ends of two rows or so: 0.0003 to 400,000.
    if low > 0 and high > _WIDE * low:
        return "too few rows to say"
    return f"{level(metric, low)} to {level(metric, high)}"


def spark(series: Series) -> Markup:
    """A series as a sparkline over its reference."""
    # Every so-manieth point, the newest among them: more do not show on so few pixels.
    points = series.points[:: -max(1, -(-len(series.points) // _MOST_SPARKS))][::-1]
    values = [
        p.measure.value if isinstance(p.measure, Bounded) and isfinite(p.measure.value) else None
        for p in points
    ]
    reference = series.reference.value if isinstance(series.reference, Bounded) else None
    # Markup is right here: the sparkline is made of numbers only.
    return Markup(sparkline(values, reference))


def importance(found: Importance) -> str:
    """What an importance is, as a sentence."""
    return f"{described(found)}."


def bar(share: float) -> Markup:
    """A share of the longest bar."""
    # Not by style, which the policy of the pages forbids.
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect width="{:.1f}" height="8"/></svg>'
    ).format(100 * min(max(share, 0.0), 1.0))


def narrowed(segment: str, version: str | None) -> str:
    """The part of an address that says of which rows a picture is.

    >>> narrowed("country=DE", "2")
    '&segment=country%3DDE&version=2'
    """
    parts = (("segment", segment), ("version", version))
    return "".join(f"&{name}={quote(text, safe='')}" for name, text in parts if text)


def span(text: str) -> str:
    """A span as people say it.

    >>> span("7d").replace(_NO_BREAK, " "), span("1d").replace(_NO_BREAK, " ")
    ('7 days', '1 day')
    """
    return text.replace("d", f"{_NO_BREAK}day" + ("" if text == "1d" else "s"))


def recorded(value: Any) -> str:
    """What an audit record has before or after, in a few words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {recorded(part)}" for name, part in value.items()) or "–"
    return "none" if value is None else str(value)
