"""How much of the truth has arrived: the same for every task."""

from tocsin.metrics.measured import NO_ROWS, Measured, proportion
from tocsin.metrics.metric import Metric
from tocsin.profiles import Profile


def coverage(profile: Profile) -> Measured:
    """Share of predictions whose outcome is known. Range [0, 1]; exact."""
    n = profile.total("n")
    return proportion(profile.total("labelled"), n, (n == 0, NO_ROWS))


COVERAGE = Metric("coverage", "Label coverage", coverage, higher_is_better=None, needs_labels=False)
