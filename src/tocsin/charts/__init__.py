"""Pictures as Vega-Lite documents: one function per picture, one theme for page, e-mail and PDF.

Each document has its finding as title, at most `MOST_MARKS` marks, and no colours of its own:
marks name a style, and `themed` (or the page, for the scheme that the viewer prefers) adds them.
"""

from tocsin.charts.annotations import Mark, Span, Threshold
from tocsin.charts.distribution import distribution
from tocsin.charts.drift_map import DriftColumn, drift_map
from tocsin.charts.evidence import cause_evidence
from tocsin.charts.over_time import Guess, Moment, over_time
from tocsin.charts.serving import ServingWindow, latencies, requests
from tocsin.charts.sparkline import sparkline
from tocsin.charts.theme import DARK, LIGHT, Tokens, config, themed

# The most that one picture draws; the server aggregates or leaves out the oldest.
MOST_MARKS = 2_000

__all__ = [
    "DARK",
    "LIGHT",
    "MOST_MARKS",
    "DriftColumn",
    "Guess",
    "Mark",
    "Moment",
    "ServingWindow",
    "Span",
    "Threshold",
    "Tokens",
    "cause_evidence",
    "config",
    "distribution",
    "drift_map",
    "latencies",
    "over_time",
    "requests",
    "sparkline",
    "themed",
]
