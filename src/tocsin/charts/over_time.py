"""A number over time: line, interval, reference, threshold and incidents."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

from tocsin.charts.annotations import (
    Level,
    Mark,
    Span,
    Threshold,
    level_layers,
    mark_layers,
    mark_rows,
    span_layers,
    span_rows,
)
from tocsin.charts.layers import dataset, layered
from tocsin.charts.theme import TIME_LABELS, Spec
from tocsin.values import Bounded, Measure, Undefined

_HEIGHT = 260
_MS = 1_000
# Two lines and a band are a mark each; the rest are two marks per window at most.
_MOST_POINTS = 900


@dataclass(frozen=True)
class Moment:
    """The number of one window. at: the window's end. provisional: labels are still to come."""

    at: int
    measure: Measure
    provisional: bool = False


@dataclass(frozen=True)
class Guess:
    """What was estimated of one window, without labels. doubtful: something speaks against it."""

    at: int
    value: float
    doubtful: bool = False


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
    marks: Sequence[Mark] = (),
    guesses: Sequence[Guess] = (),
) -> Spec:
    """The picture of a metric.

    moments: oldest first; the newest `_MOST_POINTS` are drawn. An undefined one, or a step longer
    than `every`, is a gap; crosses at the bottom carry the reasons.
    every: the usual step between moments, microseconds. guesses: oldest first, a line of their own.
    """
    drawn = list(moments[-_MOST_POINTS:])
    number = ".1%" if percent else ".3f"
    estimated = _guessed([g for g in guesses if drawn and g.at >= drawn[0].at], every)
    shown = [row["any"] for row in estimated if "any" in row]
    domain = _domain(drawn, reference, thresholds, shown)
    levels = [Level(t.value, t.words, "threshold") for t in thresholds]
    if isinstance(reference, Bounded):
        words = f"{reference_name} {reference.value:{number}}"
        levels.append(Level(reference.value, words, "reference"))
    named = {f"level {i}": level for i, level in enumerate(levels)}
    around = [level_layers(level, name, domain) for name, level in named.items()]
    rows = _rows(drawn, every)
    stretches = span_rows(spans, drawn[0].at, drawn[-1].at) if drawn else []
    changes = mark_rows(marks, drawn[0].at, drawn[-1].at) if drawn else []
    layers = [
        *(span_layers("spans") if stretches else ()),
        *_lines(
            rows,
            unit=unit,
            number=number,
            domain=domain,
            below=[
                *(line for line, _ in around),
                *(_guess_lines(unit, domain) if estimated else ()),
            ],
        ),
        *(mark_layers("marks") if changes else ()),
        *(text for _, texts in around for text in texts),
    ]
    datasets: dict[str, list[dict[str, Any]]] = {
        "windows": rows,
        "spans": stretches,
        "marks": changes,
        **({"guesses": estimated} if estimated else {}),
        **{name: [{"level": lv.value, "words": lv.words}] for name, lv in named.items()},
    }
    return layered(layers, datasets, title=title, height=_HEIGHT)


def _lines(
    rows: Sequence[dict[str, Any]],
    *,
    unit: str,
    number: str,
    domain: tuple[float, float],
    below: Sequence[Any],
) -> list[Any]:
    """Band, solid and dashed line, and what the pointer finds; `below` goes between band and line.

    number: how values are written; the axis leaves out what is zero at their end.
    """
    import altair as alt

    time = alt.Axis(tickCount={"expr": "max(2, width / 110)"}, labelExpr=TIME_LABELS)
    axis = alt.Axis(grid=True, tickCount=5, format=".3~%" if "%" in number else ".3~f")
    scale = alt.Scale(domain=list(domain), zero=False, nice=False)
    interval = f"format(datum.low, '{number}') + ' to ' + format(datum.high, '{number}')"
    base = (
        dataset("windows")
        .transform_calculate(
            interval=f"isValid(datum.low) ? {interval} : 'unknown'",
            state="isValid(datum.value) ? 'complete' : 'still coming in'",
        )
        .encode(x=alt.X("t:T", title=None, axis=time))
    )
    moment = alt.Tooltip("t:T", title="Window until", format="%-d %b %Y, %H:%M")
    tooltip = [
        moment,
        alt.Tooltip("any:Q", title=unit, format=number),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("state:N", title="Labels"),
    ]
    near = alt.selection_point(
        name="near", on="pointermove", nearest=True, fields=["t"], empty=False, clear="pointerout"
    )

    def y(field: str) -> Any:
        return alt.Y(f"{field}:Q", title=unit, axis=axis, scale=scale)

    layers = [
        base.mark_area(style="band", clip=True).encode(y=y("low"), y2="high:Q"),
        *below,
        base.mark_line(style="line", clip=True).encode(y=y("value")),
        base.mark_line(style="provisional", clip=True).encode(y=y("provisional")),
    ]
    if any("any" in row for row in rows):
        found = base.transform_filter("isValid(datum.any)").mark_point(
            style="now", filled=True, size=50
        )
        shown = alt.condition(near, alt.value(1), alt.value(0))
        layers.append(found.encode(y=y("any"), tooltip=tooltip, opacity=shown).add_params(near))
    if any("alone" in row for row in rows):
        alone = base.transform_filter("datum.alone")
        layers.append(alone.mark_point(style="alone", filled=True, size=14).encode(y=y("any")))
    if any("reason" in row for row in rows):
        cross = base.transform_filter("isValid(datum.reason)").mark_text(
            style="undefined", text="×"
        )
        reason = alt.Tooltip("reason:N", title="No value")
        at = alt.value({"expr": "height - 6"})
        layers.append(cross.encode(y=at, tooltip=[moment, reason]))
    return layers


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
    low, high = measure.low, measure.high
    if low is not None and high is not None and isfinite(low) and isfinite(high):
        row |= {"low": _short(low), "high": _short(high)}
    return row


def _short(value: float) -> float:
    """Enough digits for a picture."""
    return float(f"{value:.6g}")


def _guess_lines(unit: str, domain: tuple[float, float]) -> list[Any]:
    """The estimate, and where it is doubtful."""
    import altair as alt

    scale = alt.Scale(domain=list(domain), zero=False, nice=False)
    base = dataset("guesses").encode(x=alt.X("t:T", title=None))
    return [
        base.mark_line(style=style, clip=True).encode(y=alt.Y(f"{f}:Q", title=unit, scale=scale))
        for style, f in (("estimate", "value"), ("doubtful", "doubtful"))
    ]


def _guessed(guesses: Sequence[Guess], every: int) -> list[dict[str, Any]]:
    """One row per window: value where the line is plain; doubtful: where it is not, and beside."""
    rows: list[dict[str, Any]] = []
    for before, guess in pairwise([None, *guesses]):
        assert guess is not None
        here: dict[str, Any] = {"t": guess.at // _MS, "any": _short(guess.value)}
        here["doubtful" if guess.doubtful else "value"] = here["any"]
        if before is not None and guess.at - before.at > 1.5 * every:
            rows.append({"t": (before.at + every) // _MS})
        elif before is not None and before.doubtful != guess.doubtful:
            # The dotted stretch reaches to its neighbours.
            plain = rows[-1] if guess.doubtful else here
            plain["doubtful"] = plain["any"]
        rows.append(here)
    return rows


def _domain(
    moments: Sequence[Moment],
    reference: Measure | None,
    thresholds: Sequence[Threshold],
    more: Sequence[float] = (),
) -> tuple[float, float]:
    """The range of the numbers, with some room; a few wide intervals are cut, not shown in full."""
    numbers = [m.measure for m in moments if isinstance(m.measure, Bounded)]
    drawn = [m.value for m in numbers] + [t.value for t in thresholds] + list(more)
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
