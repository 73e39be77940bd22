"""A number over time: line, interval, reference, threshold and incidents."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

from tocsin.charts.theme import TIME_LABELS, Spec
from tocsin.values import Bounded, Measure, Undefined

if TYPE_CHECKING:
    import altair as alt

_HEIGHT = 260
_MS = 1_000
# Two lines and a band of a mark each; the rest are marks per point at most.
_MOST_POINTS = 900


@dataclass(frozen=True)
class Moment:
    """The number of one window. at: the window's end. provisional: labels are still to come."""

    at: int
    measure: Measure
    provisional: bool = False


@dataclass(frozen=True)
class Threshold:
    """Where a rule begins to alert; `words` are written on the line."""

    value: float
    words: str


@dataclass(frozen=True)
class Span:
    """A time that stands out, such as an incident; end None: it still lasts."""

    start: int
    end: int | None
    words: str


def over_time(
    moments: Sequence[Moment],
    *,
    title: str,
    unit: str,
    every: int,
    percent: bool = False,
    reference: Measure | None = None,
    reference_name: str = "reference",
    thresholds: Sequence[Threshold] = (),
    spans: Sequence[Span] = (),
) -> Spec:
    """The picture of a metric.

    moments: oldest first; the newest `_MOST_POINTS` are drawn. An undefined one, or a step longer
    than `every`, is a gap; crosses at the bottom carry the reasons.
    every: the usual step between moments, microseconds.
    """
    import altair as alt

    drawn = list(moments[-_MOST_POINTS:])
    rows = _rows(drawn, every)
    number = ".1%" if percent else ".3f"
    low, high = _domain(drawn, reference, thresholds)
    shown = [drawn[0].at // _MS, drawn[-1].at // _MS] if drawn else [0, 1]
    x = alt.X(
        "t:T",
        title=None,
        scale=alt.Scale(domain=shown),
        axis=alt.Axis(tickCount={"expr": "max(2, width / 110)"}, labelExpr=TIME_LABELS),
    )
    axis = alt.Axis(grid=True, tickCount=5, format=".3~%" if percent else ".3~f")
    scale = alt.Scale(domain=[low, high], zero=False, nice=False)
    y = alt.Y("value:Q", title=unit, axis=axis, scale=scale)
    base = (
        alt.Chart(alt.Data(values=rows))
        .transform_calculate(
            interval="isValid(datum.low) ? "
            f"format(datum.low, '{number}') + ' to ' + format(datum.high, '{number}') : 'unknown'",
            state="isValid(datum.provisional) && !isValid(datum.value) ? "
            "'still coming in' : 'complete'",
        )
        .encode(x=x)
    )
    layers: list[alt.Chart] = []
    if spans and drawn:
        layers.extend(_spans(spans, drawn[0].at, drawn[-1].at))
    layers.append(
        base.mark_area(style="band", clip=True).encode(
            y=alt.Y("low:Q", title=unit, axis=axis, scale=scale), y2="high:Q"
        )
    )
    named = reference_name, number
    levels = _levels(reference, named, thresholds, (low, high))
    layers += [line for line, _ in levels]
    tooltip = [
        alt.Tooltip("t:T", title="Window until", format="%-d %b %Y, %H:%M"),
        alt.Tooltip("value:Q", title=unit, format=number),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("state:N", title="Labels"),
    ]
    near = alt.selection_point(
        name="near", on="pointermove", nearest=True, fields=["t"], empty=False, clear="pointerout"
    )
    layers += [
        base.mark_line(style="line", clip=True).encode(y=y.copy()),
        base.mark_line(style="provisional", clip=True).encode(
            y=alt.Y("provisional:Q", title=unit, axis=axis, scale=scale)
        ),
        base.transform_filter("isValid(datum.any)")
        .mark_point(style="now", filled=True, size=50)
        .encode(
            y="any:Q",
            tooltip=tooltip,
            opacity=alt.condition(near, alt.value(1), alt.value(0)),
        )
        .add_params(near),
    ]
    if any(row.get("alone") for row in rows):
        alone = base.transform_filter("datum.alone")
        layers.append(alone.mark_point(style="alone", filled=True, size=14).encode(y="any:Q"))
    if any("reason" in row for row in rows):
        undefined = base.transform_filter("isValid(datum.reason)")
        layers.append(
            undefined.mark_text(style="undefined", text="×").encode(
                y=alt.value({"expr": "height - 6"}),
                tooltip=[tooltip[0], alt.Tooltip("reason:N", title="No value")],
            )
        )
    layers += [word for _, words in levels for word in words]
    chart = alt.layer(*layers).properties(
        width="container",
        height=_HEIGHT,
        title=title,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    return dict(chart.to_dict(validate=False))


def _rows(moments: Sequence[Moment], every: int) -> list[dict[str, Any]]:
    """One row per window, without what it lacks.

    any: the number; value: the same where the line is solid; provisional: where it is dashed, and
    at both ends of a dashed stretch; alone: neither neighbour has a number, so there is no line.
    """
    rows: list[dict[str, Any]] = []
    for before, moment in pairwise([None, *moments]):
        assert moment is not None
        if before is not None and moment.at - before.at > 1.5 * every:
            rows.append({"t": (before.at + every) // _MS})
        rows.append(_row(moment))
    dashed = {moment.at // _MS for moment in moments if moment.provisional}
    empty: dict[str, Any] = {}
    for left, here, right in zip([empty, *rows], rows, [*rows[1:], empty], strict=False):
        if "any" not in here:
            continue
        near = [side for side in (left, right) if "any" in side]
        if not near:
            here["alone"] = True
        open_here = here["t"] in dashed
        if not open_here:
            here["value"] = here["any"]
        if open_here or any(side["t"] in dashed for side in near):
            here["provisional"] = here["any"]
    return rows


def _row(moment: Moment) -> dict[str, Any]:
    row: dict[str, Any] = {"t": moment.at // _MS}
    measure = moment.measure
    if isinstance(measure, Undefined) or not isfinite(measure.value):
        row["reason"] = measure.reason if isinstance(measure, Undefined) else "not a number"
        return row
    row["any"] = _short(measure.value)
    if measure.low is not None and measure.high is not None and isfinite(measure.high):
        row |= {"low": _short(measure.low), "high": _short(measure.high)}
    return row


def _short(value: float) -> float:
    """Enough digits for a picture."""
    return float(f"{value:.6g}")


def _spans(spans: Sequence[Span], first: int, last: int) -> list["alt.Chart"]:
    """Tinted backgrounds; what lies before the first moment is cut off."""
    import altair as alt

    shown: list[dict[str, Any]] = []
    worded = first - (last - first)
    for span in sorted(spans, key=lambda span: span.start)[-50:]:
        if span.start > last or (span.end is not None and span.end <= first):
            continue
        begin = max(span.start, first)
        # Words that would run into the ones before are left out.
        apart = begin - worded > (last - first) / 20 and last - begin > (last - first) / 40
        worded = begin if apart else worded
        end = last if span.end is None else min(span.end, last)
        words = span.words if apart else ""
        shown.append({"from": begin // _MS, "to": end // _MS, "words": words})
    if not shown:
        return []
    base = alt.Chart(alt.Data(values=shown)).encode(
        x=alt.X("from:T", title=None, scale=alt.Scale(domain=[first // _MS, last // _MS]))
    )
    return [
        base.mark_rect(style="incident", clip=True, minBandSize=3).encode(x2="to:T"),
        base.mark_text(
            style="incident-word", align="left", baseline="top", dx=4, dy=3, clip=True
        ).encode(text="words:N", y=alt.value(0)),
    ]


def _levels(
    reference: Measure | None,
    named: tuple[str, str],
    thresholds: Sequence[Threshold],
    domain: tuple[float, float],
) -> list[tuple["alt.Chart", list["alt.Chart"]]]:
    """(line, words) of the reference, named at the right, and of the thresholds, at the left."""
    levels = []
    if isinstance(reference, Bounded):
        words = f"{named[0]} {reference.value:{named[1]}}"
        levels.append(_level(reference.value, words, "reference", domain))
    levels += [_level(t.value, t.words, "threshold", domain) for t in thresholds]
    return levels


def _level(
    value: float, words: str, style: str, domain: tuple[float, float]
) -> tuple["alt.Chart", list["alt.Chart"]]:
    import altair as alt

    base = alt.Chart(alt.Data(values=[{"level": value, "words": words}])).encode(y="level:Q")
    # Words above the line, unless there is no room.
    above = (domain[1] - value) > 0.1 * (domain[1] - domain[0])
    at_right = style == "reference"
    place = {
        "align": "right" if at_right else "left",
        "baseline": "bottom" if above else "top",
        "dy": -3 if above else 4,
        "dx": -2 if at_right else 2,
    }
    x = alt.value("width" if at_right else 0)
    # A halo first, so that the words can be read on top of the line.
    texts = [
        base.mark_text(style=name, **place).encode(text="words:N", x=x)
        for name in ("halo", f"{style}-word")
    ]
    return base.mark_rule(style=style), texts


def _domain(
    moments: Sequence[Moment], reference: Measure | None, thresholds: Sequence[Threshold]
) -> tuple[float, float]:
    """The range of the numbers, with some room; a few wide intervals are cut, not shown in full."""
    numbers = [m.measure for m in moments if isinstance(m.measure, Bounded)]
    drawn = [m.value for m in numbers] + [t.value for t in thresholds]
    if isinstance(reference, Bounded):
        drawn.append(reference.value)
    lows = sorted(m.low for m in numbers if m.low is not None and isfinite(m.low))
    highs = sorted(m.high for m in numbers if m.high is not None and isfinite(m.high))
    if lows and highs:
        drawn += [lows[len(lows) // 20], highs[-1 - len(highs) // 20]]
    drawn = [value for value in drawn if isfinite(value)]
    if not drawn:
        return 0.0, 1.0
    low, high = min(drawn), max(drawn)
    room = max(0.06 * (high - low), 0.005 * max(abs(high), abs(low)), 1e-6)
    return (low if low == 0 else low - room), high + room
