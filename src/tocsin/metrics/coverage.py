"""How much of the truth has arrived: the same for every task."""

import numpy as np

from tocsin.metrics.measured import NO_ROWS, Measured, measured, proportion
from tocsin.metrics.metric import Metric
from tocsin.profiles import Profile


def coverage(profile: Profile) -> Measured:
    """Share of predictions whose outcome is known. Range [0, 1]; exact."""
    n = profile.total("n")
    return proportion(profile.total("labelled"), n, (n == 0, NO_ROWS))


COVERAGE = Metric("coverage", "Label coverage", coverage, higher_is_better=None, needs_labels=False)


def volume(profile: Profile) -> Measured:
    """How many predictions there are: a count, without an interval."""
    n = np.asarray(profile.total("n"))
    return measured(n, n, low=n, high=n)


VOLUME_METRIC = Metric(
    "volume",
    "Number of rows",
    volume,
    higher_is_better=None,
    needs_labels=False,
    unit="number",
)
