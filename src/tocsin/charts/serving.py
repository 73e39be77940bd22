"""What serving costs over time: latencies, and requests with those that failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.charts.annotations import Mark, mark_layers, mark_rows
from tocsin.charts.layers import dataset, layered
from tocsin.charts.theme import TIME_LABELS, Spec

_LATENCY_HEIGHT, _REQUESTS_HEIGHT = 160, 90
_MS = 1_000
_MOST_WINDOWS = 400


@dataclass(frozen=True)
class ServingWindow:
    """One window. p50, p95, p99: milliseconds, None without requests."""

    start: int
    end: int
    requests: int
    failed: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


def latencies(
    windows: Sequence[ServingWindow], *, title: str, every: int, marks: Sequence[Mark] = ()
) -> Spec:
    """The median as a line, the 95th percentile dashed, a band from the median to the 99th.

    every: the usual step between windows, microseconds; a longer one is a gap.
    """
    import altair as alt

    drawn = windows[-_MOST_WINDOWS:]
    rows: list[dict[str, Any]] = []
    before: ServingWindow | None = None
    for window in drawn:
        if before is not None and window.start - before.start > 1.5 * every:
            rows.append({"t": (before.end + every) // _MS})
        row: dict[str, Any] = {"t": window.end // _MS}
        if window.p50 is not None:
            row |= {"p50": window.p50, "p95": window.p95, "p99": window.p99}
        rows.append(row)
        before = window
    base = dataset("windows").encode(x=_time())
    tooltip = [
        alt.Tooltip("t:T", title="Window until", format="%-d %b %Y, %H:%M"),
        *(alt.Tooltip(f"{name}:Q", title=f"{name}, ms", format=".3~s") for name in _QUANTILES),
    ]

    def y(name: str) -> Any:
        return alt.Y(
            f"{name}:Q", title="milliseconds", axis=alt.Axis(grid=True, tickCount=4), scale=scale
        )

    scale = alt.Scale(zero=True, nice=True)
    layers = [
        base.mark_area(style="band").encode(y=y("p50"), y2="p99:Q"),
        base.mark_line(style="provisional").encode(y=y("p95")),
        base.mark_line(style="line").encode(y=y("p50")),
        base.transform_filter("isValid(datum.p50)")
        .mark_point(style="now", filled=True, size=24)
        .encode(y=y("p50"), tooltip=tooltip),
    ]
    marked, changes = _marked(marks, drawn)
    return layered(
        [*layers, *marked], {"windows": rows, **changes}, title=title, height=_LATENCY_HEIGHT
    )


def requests(windows: Sequence[ServingWindow], *, title: str, marks: Sequence[Mark] = ()) -> Spec:
    """Requests as bars, those that failed on top of each other from the ground up."""
    import altair as alt

    drawn = windows[-_MOST_WINDOWS:]
    rows = [
        {
            "from": window.start // _MS,
            "to": window.end // _MS,
            "requests": window.requests,
            "failed": window.failed,
        }
        for window in drawn
    ]
    tooltip = [
        alt.Tooltip("from:T", title="From", format="%-d %b %Y, %H:%M"),
        alt.Tooltip("requests:Q", title="Requests", format=","),
        alt.Tooltip("failed:Q", title="Failed", format=","),
    ]

    def bars(name: str, style: str) -> Any:
        axis = alt.Axis(grid=True, tickCount=3, format="~s")
        return (
            dataset("windows")
            .mark_rect(style=style)
            .encode(
                x=_time("from"),
                x2="to:T",
                y=alt.Y(f"{name}:Q", title="requests", axis=axis, scale=alt.Scale(zero=True)),
                y2=alt.datum(0),
                tooltip=tooltip,
            )
        )

    marked, changes = _marked(marks, drawn)
    layers = [bars("requests", "bar-now"), bars("failed", "bar-failed"), *marked]
    return layered(layers, {"windows": rows, **changes}, title=title, height=_REQUESTS_HEIGHT)


def _marked(
    marks: Sequence[Mark], drawn: Sequence[ServingWindow]
) -> tuple[list[Any], dict[str, list[dict[str, Any]]]]:
    """The layers of the marks among some windows, and their data set; nothing without any."""
    rows = mark_rows(marks, drawn[0].start, drawn[-1].end) if drawn else []
    return (mark_layers("marks"), {"marks": rows}) if rows else ([], {})


_QUANTILES = ("p50", "p95", "p99")


def _time(name: str = "t") -> Any:
    import altair as alt

    axis = alt.Axis(tickCount={"expr": "max(2, width / 110)"}, labelExpr=TIME_LABELS)
    return alt.X(f"{name}:T", title=None, axis=axis)
