"""How far two profiles are apart, and whether that is drift."""

from tocsin.drift.apart import ENOUGH_ROWS, TAIL, Apart
from tocsin.drift.divergence import EFFECT, Divergence, divergence
from tocsin.drift.domain import LEAST_ROWS, Told, told_apart
from tocsin.drift.method import Judgement, Method, judgements
from tocsin.drift.moments import Moments, moment_divergence
from tocsin.drift.pairs import Line, Pair, feature_pair, score_pair
from tocsin.drift.statistic import STATISTICS, Statistic, statistic
from tocsin.drift.verdict import (
    ENOUGH_HISTORY,
    HISTORY,
    LOOK_BACK,
    Shift,
    false_discovery_rates,
    shifts,
)
from tocsin.drift.verdicts import Verdict

__all__ = [
    "EFFECT",
    "ENOUGH_HISTORY",
    "ENOUGH_ROWS",
    "HISTORY",
    "LEAST_ROWS",
    "LOOK_BACK",
    "STATISTICS",
    "TAIL",
    "Apart",
    "Divergence",
    "Judgement",
    "Line",
    "Method",
    "Moments",
    "Pair",
    "Shift",
    "Statistic",
    "Told",
    "Verdict",
    "divergence",
    "false_discovery_rates",
    "feature_pair",
    "judgements",
    "moment_divergence",
    "score_pair",
    "shifts",
    "statistic",
    "told_apart",
]
