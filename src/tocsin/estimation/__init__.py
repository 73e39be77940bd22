"""What is said before all labels are there: how long they take, and what they are expected to say.

An estimate is of a window without labels, by scores alone; each comes with an interval, with flags
that speak against it, and with a running test against the labels of earlier windows.
"""

from tocsin.estimation.backtest import (
    LOOK_BACK,
    RECENT,
    Backtest,
    Flag,
    Past,
    Surprises,
    backtest,
)
from tocsin.estimation.estimate import (
    CBPE,
    ESTIMATED,
    Estimate,
    estimate_of,
    is_estimate,
    names,
    plain_name,
    stored,
)
from tocsin.estimation.estimates import expectations, has_expectation
from tocsin.estimation.expected import Expected, Scale, interval
from tocsin.estimation.judging import Judged, Track, joined, judged
from tocsin.estimation.maturity import Maturity, label_maturity
from tocsin.estimation.support import Outside, outside
from tocsin.estimation.weighting import (
    WEIGHTING,
    Cover,
    cover,
    density_ratios,
    effective_rows,
    expected_in,
    importance_weights,
    supports,
    weighted,
    weighted_profile,
)

__all__ = [
    "CBPE",
    "ESTIMATED",
    "LOOK_BACK",
    "RECENT",
    "WEIGHTING",
    "Backtest",
    "Cover",
    "Estimate",
    "Expected",
    "Flag",
    "Judged",
    "Maturity",
    "Outside",
    "Past",
    "Scale",
    "Surprises",
    "Track",
    "backtest",
    "cover",
    "density_ratios",
    "effective_rows",
    "estimate_of",
    "expectations",
    "expected_in",
    "has_expectation",
    "importance_weights",
    "interval",
    "is_estimate",
    "joined",
    "judged",
    "label_maturity",
    "names",
    "outside",
    "plain_name",
    "stored",
    "supports",
    "weighted",
    "weighted_profile",
]
