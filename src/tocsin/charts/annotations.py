"""What is drawn around a line: levels with a name, and times that stand out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.charts.layers import dataset

_MOST_SPANS = 50
_MOST_MARKS = 30


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


@dataclass(frozen=True)
class Mark:
    """A moment that something changed, such as an alias at another version."""

    at: int
    words: str


@dataclass(frozen=True)
class Level:
    """A line across the picture. style: `reference` or `threshold`."""

    value: float
    words: str
    style: str


def level_layers(level: Level, name: str, domain: tuple[float, float]) -> tuple[Any, list[Any]]:
    """(line, words) of a level whose row is the data set `name`; words go on top of everything.

    domain: the range of the axis; the words are above the line, unless there is no room.
    """
    import altair as alt

    base = dataset(name).encode(y="level:Q")
    above = (domain[1] - level.value) > 0.1 * (domain[1] - domain[0])
    at_right = level.style == "reference"
    place = {
        "align": "right" if at_right else "left",
        "baseline": "bottom" if above else "top",
        "dy": -3 if above else 4,
        "dx": -2 if at_right else 2,
    }
    x = alt.value("width" if at_right else 0)
    # A halo first, so that the words can be read on top of the line.
    texts = [
        base.mark_text(style=style, **place).encode(text="words:N", x=x)
        for style in ("halo", f"{level.style}-word")
    ]
    return base.mark_rule(style=level.style), texts


def span_layers(name: str) -> list[Any]:
    """Tinted backgrounds of the spans whose rows are the data set `name`."""
    import altair as alt

    base = dataset(name).encode(x=alt.X("from:T", title=None))
    words = base.mark_text(
        style="incident-word", align="left", baseline="top", dx=4, dy=3, clip=True
    )
    return [
        base.mark_rect(style="incident", clip=True, minBandSize=3).encode(x2="to:T"),
        words.encode(text="words:N", y=alt.value(0)),
    ]


def span_rows(spans: Sequence[Span], first: int, last: int) -> list[dict[str, Any]]:
    """The spans that touch [first, last], cut to it; the newest `_MOST_SPANS`, in milliseconds.

    Words that would run into the ones before them, or out of the picture, are left out.
    """
    rows: list[dict[str, Any]] = []
    worded = first - (last - first)
    for span in sorted(spans, key=lambda span: span.start)[-_MOST_SPANS:]:
        if span.start > last or (span.end is not None and span.end <= first):
            continue
        begin = max(span.start, first)
        apart = begin - worded > (last - first) / 20 and last - begin > (last - first) / 40
        worded = begin if apart else worded
        end = last if span.end is None else min(span.end, last)
        words = span.words if apart else ""
        rows.append({"from": begin // 1_000, "to": end // 1_000, "words": words})
    return rows


def mark_layers(name: str) -> list[Any]:
    """Upright lines at the marks whose rows are the data set `name`, their words at the foot."""
    import altair as alt

    base = dataset(name).encode(x=alt.X("at:T", title=None))
    place = {"align": "left", "baseline": "bottom", "dx": 4, "dy": -4, "clip": True}
    y = alt.value("height")
    texts = [
        base.mark_text(style=style, **place).encode(text="words:N", y=y)
        for style in ("halo", "mark-word")
    ]
    return [base.mark_rule(style="mark", clip=True), *texts]


def mark_rows(marks: Sequence[Mark], first: int, last: int) -> list[dict[str, Any]]:
    """The newest `_MOST_MARKS` marks within [first, last], in milliseconds.

    Words that would run into the ones before them, or out of the picture, are left out.
    """
    rows: list[dict[str, Any]] = []
    worded = first - (last - first)
    for mark in sorted(marks, key=lambda mark: mark.at)[-_MOST_MARKS:]:
        if not first <= mark.at <= last:
            continue
        apart = mark.at - worded > (last - first) / 8 and last - mark.at > (last - first) / 8
        worded = mark.at if apart else worded
        rows.append({"at": mark.at // 1_000, "words": mark.words if apart else ""})
    return rows
