"""How the values of a column are spread now, over how they were in the reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tocsin.charts.layers import dataset, layered
from tocsin.charts.theme import Spec

_HEIGHT = 260
_MOST_BINS = 30
_NAMES = {
    "null": "no value",
    "below": "lower",
    "above": "higher",
    "non-finite": "not finite",
    "unseen": "never seen",
    "other": "other",
}


@dataclass(frozen=True)
class _Bar:
    label: str
    reference: float
    current: float


def distribution(
    bins: Sequence[str],
    regular: int,
    reference: Sequence[float],
    current: Sequence[float],
    *,
    title: str | None = None,
) -> Spec:
    """The picture: current filled, reference as outline, the explicit bins apart on the right.

    bins: labels; the first `regular` hold values of the reference. reference, current: shares.
    title: the largest change, unless given. Explicit bins that are empty on both sides are left
    out; of more than `_MOST_BINS` categories the largest are shown.
    """
    import altair as alt

    bars = [_Bar(*parts) for parts in zip(bins, reference, current, strict=True)]
    explicit = [bar for bar in bars[regular:] if bar.reference or bar.current]
    edges = _edges(bins[:regular])
    inside = bars[:regular] if edges else _largest(bars[:regular])
    gap = 0.75 if explicit and inside else 0.0
    # The explicit bins of a number are wide enough for their names.
    wide = 2.5 if edges else 1.0
    starts = [float(i) for i in range(len(inside))]
    starts += [len(inside) + gap + i * wide for i in range(len(explicit))]
    rows: list[dict[str, Any]] = []
    for i, (start, bar) in enumerate(zip(starts, [*inside, *explicit], strict=True)):
        apart = i >= len(inside)
        # The bars of categories stand apart, those of a number touch.
        margin, width = (0.02, 1.0) if edges and not apart else (0.1, wide if apart else 1.0)
        rows.append(
            {
                "from": start + (width - 1) / 2 + margin,
                "to": start + (width + 1) / 2 - margin,
                "middle": start + width / 2,
                "bin": _NAMES.get(bar.label, bar.label) if apart else bar.label,
                "reference": bar.reference,
                "current": bar.current,
                "boxed": apart or not edges,
            }
        )
    end = rows[-1]["middle"] + (0.5 if not explicit else wide / 2) if rows else 1.0
    tooltip = [
        alt.Tooltip("bin:N", title="Values"),
        alt.Tooltip("current:Q", title="Now", format=".1%"),
        alt.Tooltip("reference:Q", title="Reference", format=".1%"),
    ]
    x_scale = alt.Scale(domain=[0, end], nice=False, zero=False)
    highest = max([max(row["reference"], row["current"]) for row in rows], default=1.0)
    y = {
        "title": "share of rows",
        "scale": alt.Scale(domain=[0, highest * 1.08 or 1.0], nice=False),
        "axis": alt.Axis(format=".0%", grid=True, tickCount=4),
    }
    base = dataset("bars")
    x = alt.X("from:Q", title=None, scale=x_scale, axis=_axis(edges, rows, len(inside)))
    layers = [
        base.mark_rect(style="bar-now").encode(
            x=x, x2="to:Q", y=alt.Y("current:Q", **y), y2=alt.datum(0), tooltip=tooltip
        ),
        base.transform_filter("datum.boxed")
        .mark_rect(style="bar-reference", filled=False)
        .encode(
            x=alt.X("from:Q", title=None, scale=x_scale),
            x2="to:Q",
            y=alt.Y("reference:Q", **y),
            y2=alt.datum(0),
            tooltip=tooltip,
        ),
    ]
    if edges:
        steps = dataset("steps").mark_line(style="bar-reference", interpolate="step-after")
        layers.append(steps.encode(x="at:Q", y=alt.Y("reference:Q", **y)))
    if gap:
        layers.append(dataset("gap").mark_rule(style="apart").encode(x="at:Q"))
    datasets = {
        "bars": rows,
        "steps": _steps(inside) if edges else [],
        "gap": [{"at": len(inside) + gap / 2}],
    }
    return layered(
        layers,
        datasets,
        title=title or largest_change(bins, regular, reference, current),
        height=_HEIGHT,
    )


def largest_change(
    bins: Sequence[str], regular: int, reference: Sequence[float], current: Sequence[float]
) -> str:
    """The bin whose share moved most, as a sentence."""
    if not bins:
        return "No rows in this window"
    moved = [now - before for before, now in zip(reference, current, strict=True)]
    at = max(range(len(bins)), key=lambda i: abs(moved[i]))
    explicit = {
        "null": "of the rows have no value",
        "below": "of the rows lie below the range of the reference",
        "above": "of the rows lie above the range of the reference",
        "non-finite": "of the rows are not finite",
        "unseen": "of the rows have values that the reference never had",
    }
    # A category may be called like an explicit bin.
    named = f"of the rows are {bins[at]}"
    where = explicit.get(bins[at], named) if at >= regular else named
    return f"{current[at]:.1%} {where}; in the reference {reference[at]:.1%}"


def _edges(labels: Sequence[str]) -> list[float]:
    """The edges behind labels such as `1 to 2.5`, `2.5 to 7`; none when these are categories."""
    pairs = [label.split(" to ") for label in labels]
    try:
        ends = [(float(low), float(high)) for low, high in pairs]
    except ValueError:
        return []
    joined = all(a[1] == b[0] for a, b in pairwise(ends))
    return [ends[0][0], *(high for _, high in ends)] if ends and joined else []


def _largest(bars: Sequence[_Bar]) -> list[_Bar]:
    """At most `_MOST_BINS` categories, in their order, the others as one."""
    if len(bars) <= _MOST_BINS:
        return list(bars)
    kept = sorted(bars, key=lambda bar: -max(bar.reference, bar.current))[: _MOST_BINS - 1]
    rest = [bar for bar in bars if bar not in kept]
    together = _Bar(
        f"{len(rest)} more", sum(b.reference for b in rest), sum(b.current for b in rest)
    )
    return [*(bar for bar in bars if bar in kept), together]


def _steps(inside: Sequence[_Bar]) -> list[dict[str, Any]]:
    """The outline of the reference over the bins of a number."""
    steps = [{"at": i, "reference": bar.reference} for i, bar in enumerate(inside)]
    return [*steps, {"at": len(inside), "reference": inside[-1].reference}]


def _axis(edges: Sequence[float], rows: Sequence[dict[str, Any]], inside: int) -> Any:
    """Numbers are named at the edges of their bins, everything else below its bar."""
    import altair as alt

    step = max(1, len(edges) // 5)
    names: dict[float, str] = {
        float(i): f"{edge:,.4g}" for i, edge in enumerate(edges) if i % step == 0
    }
    names |= {row["middle"]: row["bin"] for row in rows[inside if edges else 0 :]}
    keys = list(names)
    # Expressions cannot look a label up by a number with a fraction; by its place they can.
    expression = f"{_literal([names[k] for k in keys])}[indexof({keys}, datum.value)]"
    crowded = not edges and len(keys) > 8 and max(map(len, names.values())) > 3
    return alt.Axis(
        values=keys,
        labelExpr=expression,
        labelAngle=-40 if crowded else 0,
        labelAlign="right" if crowded else "center",
        labelOverlap="greedy",
        labelLimit=96,
        labelSeparation=2,
    )


def _literal(texts: Sequence[str]) -> str:
    """Texts as an expression; JSON, with what a label must not contain escaped."""
    import json

    return json.dumps(list(texts))
