"""A named number of a profile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tocsin.metrics.measured import Measured
from tocsin.profiles import Profile

Unit = Literal["share", "number", "label", "seconds"]


@dataclass(frozen=True)
class Metric:
    """A named number of a profile, or of each of a stack of them.

    higher_is_better: None where neither direction is good or bad.
    needs_labels: the number waits for outcomes.
    unit: `share` is in [0, 1]; `label` is in the unit of the label; `number` has none of
    them.
    """

    name: str
    title: str
    measure: Callable[[Profile], Measured]
    higher_is_better: bool | None
    needs_labels: bool = True
    unit: Unit = "share"


def table(*metrics: Metric) -> dict[str, Metric]:
    """Metrics by their names, in this order."""
    return {metric.name: metric for metric in metrics}
