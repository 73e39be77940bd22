"""How far two profiles are apart, and whether that is drift."""

from tocsin.drift.divergence import EFFECT, Divergence, divergence
from tocsin.drift.verdict import (
    ENOUGH_HISTORY,
    ENOUGH_ROWS,
    HISTORY,
    LOOK_BACK,
    Shift,
    Verdict,
    false_discovery_rates,
    shifts,
)

__all__ = [
    "EFFECT",
    "ENOUGH_HISTORY",
    "ENOUGH_ROWS",
    "HISTORY",
    "LOOK_BACK",
    "Divergence",
    "Shift",
    "Verdict",
    "divergence",
    "false_discovery_rates",
    "shifts",
]
