"""What pages people: a rule, a reading of it, and the pure step from state to state."""

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
    Operator,
    Rule,
)
from tocsin.rules.transition import Event, Phase, State, Transition, transition

__all__ = [
    "DRIFT",
    "LABEL_DRIFT",
    "PREDICTION_DRIFT",
    "QUALITY",
    "Event",
    "Health",
    "Operator",
    "Phase",
    "Reading",
    "Rule",
    "Signal",
    "State",
    "Transition",
    "read_drift",
    "read_estimate",
    "read_metric",
    "read_quality",
    "transition",
]
