"""Drift of every column over time, as a map of one hue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.charts.annotations import Mark, mark_layers, mark_rows
from tocsin.charts.layers import dataset, layered
from tocsin.charts.theme import TIME_LABELS, Spec
from tocsin.drift import Shift, Verdict
from tocsin.values import Window

_ROW = 22
# Cells, and as many dots in the worst case.
_MOST_CELLS = 1_000
_MOST_COLUMNS = 24
_WORDS = {
    Verdict.DRIFT: "drift",
    Verdict.NONE: "no drift",
    Verdict.INSUFFICIENT: "too few rows",
    Verdict.LEARNING: "too few earlier windows",
}


@dataclass(frozen=True)
class DriftColumn:
    """One window's verdicts by column."""

    window: Window
    shifts: Mapping[str, Shift]


def drift_map(points: Sequence[DriftColumn], *, title: str, marks: Sequence[Mark] = ()) -> Spec:
    """The picture: column by window, darker is further from the reference, a dot is drift.

    points: oldest first. The columns that were furthest away are shown, at most `_MOST_COLUMNS`,
    and as many of the newest windows as keep the cells within `_MOST_CELLS`.
    """
    import altair as alt

    names = shown_columns(points)
    newest = points[-(_MOST_CELLS // max(len(names), 1)) :]
    rows: list[dict[str, Any]] = [
        {
            "from": point.window.start // 1000,
            "column": name,
            "distance": round(shift.js_distance, 3),
            "verdict": _WORDS[shift.verdict],
        }
        for point in newest
        for name in names
        if (shift := point.shifts.get(name)) is not None
    ]
    furthest = max([row["distance"] for row in rows], default=0.0)
    tooltip = [
        alt.Tooltip("column:N", title="Column"),
        alt.Tooltip("to:T", title="Window until", format="%-d %b %Y, %H:%M"),
        alt.Tooltip("distance:Q", title="Distance", format=".3f"),
        alt.Tooltip("verdict:N", title="Verdict"),
    ]
    length = (points[0].window.end - points[0].window.start) // 1000 if points else 0
    base = dataset("cells").transform_calculate(to=f"datum.from + {length}")
    step = 0.1 if furthest < 0.5 else 0.2
    y = alt.Y("column:N", title=None, sort=list(names), axis=alt.Axis(labelLimit=130))
    cells = base.mark_rect(style="cell", tooltip=True).encode(
        x=alt.X(
            "from:T",
            title=None,
            axis=alt.Axis(tickCount={"expr": "max(2, width / 110)"}, labelExpr=TIME_LABELS),
        ),
        x2="to:T",
        y=y,
        color=alt.Color(
            "distance:Q",
            scale=alt.Scale(domain=[0, max(0.3, furthest)], scheme=alt.Undefined),
            legend=alt.Legend(
                title="distance from the reference",
                orient="top",
                titleOrient="left",
                direction="horizontal",
                values=[i * step for i in range(1, 1 + int(max(0.3, furthest) / step))],
                format=".1f",
            ),
        ),
        tooltip=tooltip,
    )
    layers = [cells]
    if any(row["verdict"] == _WORDS[Verdict.DRIFT] for row in rows):
        drifted = base.transform_filter(f"datum.verdict == '{_WORDS[Verdict.DRIFT]}'")
        dots = drifted.transform_calculate(middle=f"datum.from + {length / 2}").mark_point(
            style="verdict", filled=True, shape="circle", size=26
        )
        layers.append(dots.encode(x="middle:T", y=y, tooltip=tooltip))
    changes = mark_rows(marks, newest[0].window.start, newest[-1].window.end) if newest else []
    if changes:
        layers += mark_layers("marks")
    return layered(
        layers, {"cells": rows, "marks": changes}, title=title, height=_ROW * max(len(names), 1)
    )


def shown_columns(points: Sequence[DriftColumn]) -> tuple[str, ...]:
    """The columns of the map: those with a verdict of drift first, then the furthest."""
    rank: dict[str, tuple[bool, float]] = {}
    for point in points:
        for name, shift in point.shifts.items():
            drifted, distance = rank.get(name, (False, 0.0))
            rank[name] = (
                drifted or shift.verdict is Verdict.DRIFT,
                max(distance, shift.js_distance),
            )
    ordered = sorted(rank, key=lambda name: (*(-part for part in rank[name]), name))
    return tuple(ordered[:_MOST_COLUMNS])
