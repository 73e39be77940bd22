"""What is said of one column in one window."""

from enum import StrEnum


class Verdict(StrEnum):
    """Drift, none, too few rows to tell, or too few earlier windows to know what is usual."""

    DRIFT = "drift"
    NONE = "none"
    INSUFFICIENT = "insufficient"
    LEARNING = "learning"
