"""What pages people: a rule, a reading of it, and the pure step from state to state."""

from tocsin.rules.history import History, Span
from tocsin.rules.reading import (
    Health,
    Reading,
    Signal,
    read_drift,
    read_estimate,
    read_metric,
    read_quality,
)
from tocsin.rules.rule import (
    DRIFT,
    LABEL_DRIFT,
    PREDICTION_DRIFT,
    QUALITY,
    NoData,
    Operator,
    Rule,
)
from tocsin.rules.transition import Event, Phase, Seen, State, Transition, seen, transition

__all__ = [
    "DRIFT",
    "LABEL_DRIFT",
    "PREDICTION_DRIFT",
    "QUALITY",
    "Event",
    "Health",
    "History",
    "NoData",
    "Operator",
    "Phase",
    "Reading",
    "Rule",
    "Seen",
    "Signal",
    "Span",
    "State",
    "Transition",
    "read_drift",
    "read_estimate",
    "read_metric",
    "read_quality",
    "seen",
    "transition",
]
