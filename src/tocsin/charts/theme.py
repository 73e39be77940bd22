"""The colours of the pictures: the tokens that `web/static/tocsin.css` has too."""

from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


@dataclass(frozen=True)
class Tokens:
    """The colours of one scheme; the names are those of the CSS custom properties."""

    paper: str
    ink: str
    ink_2: str
    hair: str
    data: str
    bar: str
    data_soft: str
    past: str
    watch: str
    breach: str
    breach_soft: str
    heat: tuple[str, ...]


LIGHT = Tokens(
    paper="#fcfcfa",
    ink="#1b1e21",
    ink_2="#5a6168",
    hair="#e2e3df",
    data="#2b6a99",
    bar="#86aecb",
    data_soft="#b5cde0",
    past="#7c848b",
    watch="#8f5b00",
    breach="#b3261e",
    breach_soft="#f7e3e0",
    heat=("#f0f3f4", "#c3d6e4", "#82aecd", "#3f7fae", "#17517f", "#08305a"),
)
DARK = Tokens(
    paper="#131517",
    ink="#e7e9eb",
    ink_2="#a0a8b0",
    hair="#2c3136",
    data="#74b3e0",
    bar="#356a92",
    data_soft="#294b66",
    past="#8b949c",
    watch="#e3b341",
    breach="#ff8178",
    breach_soft="#3a1f1f",
    heat=("#1c2126", "#22384a", "#2b5878", "#3f82ae", "#7db8de", "#d3eafa"),
)


# Midnights by date, other ticks by hour; the first one says the year in a second line.
_CLOCK = "(hours(datum.value) || minutes(datum.value))"
TIME_LABELS = (
    f"datum.index == 0 ? [timeFormat(datum.value, {_CLOCK} ? '%H:%M' : '%-d %b'), "
    f"timeFormat(datum.value, {_CLOCK} ? '%-d %b %Y' : '%Y')] : "
    f"timeFormat(datum.value, {_CLOCK} ? '%H:%M' : '%-d %b')"
)


def themed(spec: Spec, tokens: Tokens = LIGHT) -> Spec:
    """The picture with its colours, for whatever draws it without a page."""
    return {**spec, "config": config(tokens)}


def config(tokens: Tokens) -> Spec:
    """The Vega-Lite configuration of one scheme."""
    words = {"font": FONT, "color": tokens.ink_2, "fontSize": 12}
    return {
        "background": "transparent",
        # The page describes the picture in words; hundreds of described marks would only tire.
        "aria": False,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "domain": False,
            "ticks": False,
            "grid": False,
            "gridColor": tokens.hair,
            "gridWidth": 1,
            "labelColor": tokens.ink_2,
            "labelFontSize": 12,
            "labelPadding": 6,
            "labelFont": FONT,
            "titleColor": tokens.ink_2,
            "titleFont": FONT,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 8,
        },
        "legend": {
            "labelColor": tokens.ink_2,
            "labelFontSize": 12,
            "titleColor": tokens.ink_2,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "gradientThickness": 8,
            "gradientLength": 120,
            "gradientStrokeColor": tokens.hair,
        },
        "title": {
            "anchor": "start",
            "color": tokens.ink,
            "subtitleColor": tokens.ink_2,
            "fontSize": 14,
            "fontWeight": 600,
            "subtitleFontSize": 12,
            "offset": 12,
        },
        "range": {"ramp": list(tokens.heat), "heatmap": list(tokens.heat)},
        "style": {
            # Vega-Lite lets a style set `color`, not `fill` or `stroke`, where nothing is encoded.
            "line": {"color": tokens.data, "strokeWidth": 1.75, "strokeJoin": "round"},
            "provisional": {"color": tokens.data, "strokeWidth": 1.75, "strokeDash": [3, 3]},
            "estimate": {"color": tokens.ink_2, "strokeWidth": 1.25, "strokeDash": [8, 2]},
            "doubtful": {"color": tokens.past, "strokeWidth": 1, "strokeDash": [1, 3]},
            "band": {"color": tokens.data_soft, "opacity": 0.5},
            "now": {"color": tokens.data, "opacity": 1},
            "alone": {"color": tokens.data, "opacity": 1},
            "undefined": {**words, "fontSize": 13},
            "halo": {
                **words,
                "color": tokens.paper,
                "stroke": tokens.paper,
                "strokeWidth": 5,
                "strokeJoin": "round",
                "opacity": 0.85,
            },
            "reference": {"color": tokens.past, "strokeWidth": 1},
            "reference-word": words,
            "threshold": {"color": tokens.breach, "strokeWidth": 1},
            "threshold-word": {**words, "color": tokens.breach},
            "mark": {"color": tokens.ink_2, "strokeWidth": 1, "strokeDash": [2, 2]},
            "mark-word": {**words, "color": tokens.ink},
            "incident": {"color": tokens.breach_soft, "opacity": 1},
            "incident-word": {**words, "color": tokens.breach},
            "bar-now": {"color": tokens.bar, "opacity": 1},
            "bar-failed": {"color": tokens.breach, "opacity": 1},
            "bar-reference": {"color": tokens.ink, "strokeWidth": 1.25, "opacity": 1},
            "strong-word": {**words, "color": tokens.ink},
            "apart": {"color": tokens.hair, "strokeWidth": 1},
            "verdict": {
                "color": tokens.breach,
                "stroke": tokens.paper,
                "strokeWidth": 1.25,
                "opacity": 1,
            },
        },
    }
