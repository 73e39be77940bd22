"""How far two profiles are apart, and whether that is drift."""

from tocsin.drift.divergence import Divergence, divergence
from tocsin.drift.verdict import (
    ENOUGH_HISTORY,
    HISTORY,
    Shift,
    Verdict,
    false_discovery_rates,
    shifts,
)

__all__ = [
    "ENOUGH_HISTORY",
    "HISTORY",
    "Divergence",
    "Shift",
    "Verdict",
    "divergence",
    "false_discovery_rates",
    "shifts",
]
