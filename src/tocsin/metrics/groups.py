"""Whether groups of rows are treated alike: one metric over the profiles of a segment's values.

A difference is only called one when it is more than chance: it has an interval and a p-value. Of
more than two groups the largest difference is chosen after looking, so its interval is widened for
all pairs (Bonferroni): it is longer than it need be, never too short.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, ndtri

from tocsin.metrics import binary, decisions, multiclass, regression
from tocsin.metrics.decisions import as_predicted
from tocsin.metrics.intervals import Z95
from tocsin.metrics.measured import Measured
from tocsin.metrics.metric import Metric
from tocsin.profiles import Profile
from tocsin.schema import Task
from tocsin.values import Bounded, Measure, Undefined

Floats = NDArray[np.float64]

# Smaller groups are left out: their intervals span everything.
LEAST_ROWS = 30
TOO_FEW = "fewer than two groups have enough rows"


@dataclass(frozen=True)
class Comparison:
    """One metric by group.

    groups: by name; Undefined, with the reason, for those that are left out.
    difference: largest less smallest. ratio: smallest over largest; 1 when all are alike.
    p_value: how often groups that are alike would differ as much by chance; None without groups.
    lowest, highest: the names of the groups with the smallest and the largest number.
    """

    metric: str
    groups: Mapping[str, Measure]
    difference: Measure
    ratio: Measure
    p_value: float | None
    lowest: str | None
    highest: str | None


@dataclass(frozen=True)
class Fairness:
    """A criterion of fairness: metrics that are to be the same in all groups.

    metrics: the worst of them counts, as in equalized odds.
    """

    name: str
    title: str
    metrics: tuple[Metric, ...]

    def compare(
        self, stack: Profile, names: Sequence[str], *, least: int = LEAST_ROWS
    ) -> Comparison:
        """Compare groups by every metric, and give the one whose difference is largest.

        stack: (g,) profiles of the groups; least: rows that a group needs.
        """
        count = len(self.metrics)
        found = [compare(m, stack, names, least=least, tests=count) for m in self.metrics]
        worst = max(found, key=lambda each: _size(each.difference))
        ratios = [each.ratio for each in found if isinstance(each.ratio, Bounded)]
        p_values = [each.p_value for each in found if each.p_value is not None]
        return Comparison(
            worst.metric,
            worst.groups,
            _widest([each.difference for each in found], worst.difference),
            min(ratios, key=lambda each: each.value) if ratios else worst.ratio,
            min(1.0, min(p_values) * count) if p_values else None,
            worst.lowest,
            worst.highest,
        )


def compare(
    metric: Metric,
    stack: Profile,
    names: Sequence[str],
    *,
    least: int = LEAST_ROWS,
    tests: int = 1,
) -> Comparison:
    """One metric by group.

    stack: (g,) profiles of the groups, called `names`; least: rows that a group needs.
    tests: so many comparisons are made at once, and the intervals are widened for them.
    Source: the intervals are those of Zou & Donner (2008), doi:10.1002/sim.3095, from the intervals
        of the groups; the p-value is Cochran's Q (1954), doi:10.2307/3001666.
    """
    found = metric.measure(stack)
    groups = {name: _judged(found.at(i), least) for i, name in enumerate(names)}
    kept = [i for i, name in enumerate(names) if isinstance(groups[name], Bounded)]
    if len(kept) < 2:
        none = Undefined(TOO_FEW, sum(each.n for each in groups.values()))
        return Comparison(metric.name, groups, none, none, None, None, None)
    value, low, high = found.value[kept], found.low[kept], found.high[kept]
    wider = _widening(len(kept), tests)
    smallest, largest = int(value.argmin()), int(value.argmax())
    n = int(found.n[kept].sum())
    ends = _span(value, low, high, wider)
    error = float(found.error[kept][[smallest, largest]].sum())
    return Comparison(
        metric.name,
        groups,
        Bounded(float(np.ptp(value)), error, *ends, n),
        _ratio(found, kept, wider, n),
        _p_value(value, low, high),
        names[kept[smallest]],
        names[kept[largest]],
    )


def _judged(measure: Measure, least: int) -> Measure:
    if isinstance(measure, Bounded) and measure.n < least:
        return Undefined(f"{measure.n} of the {least} rows that a group needs", measure.n)
    return measure


def _widening(groups: int, tests: int) -> float:
    """By how much the interval of a pair is longer, when it is one of so many."""
    pairs = groups * (groups - 1) // 2 * tests
    return float(-ndtri(0.025 / pairs) / Z95)


def _span(value: Floats, low: Floats, high: Floats, wider: float) -> tuple[float, float]:
    """The interval of the largest difference, from all pairs."""
    difference = value[:, None] - value[None, :]
    down, up = wider * (value - low), wider * (high - value)
    lows = difference - np.hypot(down[:, None], up[None, :])
    highs = difference + np.hypot(up[:, None], down[None, :])
    return max(float(lows.max()), 0.0), float(highs.max())


def _ratio(found: Measured, kept: Sequence[int], wider: float, n: int) -> Measure:
    value, error = found.value[kept], found.error[kept]
    low, high = found.low[kept], found.high[kept]
    if value.min() < 0 or value.max() <= 0:
        return Undefined("numbers that are 0 or below have no ratio", n)
    smallest, largest = int(value.argmin()), int(value.argmax())
    ratio = float(value[smallest] / value[largest])
    best = (value[smallest] + error[smallest]) / max(value[largest] - error[largest], 1e-300)
    worst = (value[smallest] - error[smallest]) / (value[largest] + error[largest])
    off = float(max(best - ratio, ratio - worst))
    if value[smallest] == 0 or low.min() <= 0:
        # Its logarithm has no lower end.
        least, most = _span(value, low, high, wider)
        return Bounded(ratio, off, 0.0, min(1.0, 1 - least / float(high[largest])), n)
    least, most = _span(np.log(value), np.log(low), np.log(high), wider)
    return Bounded(ratio, off, float(np.exp(-most)), float(np.exp(-least)), n)


def _p_value(value: Floats, low: Floats, high: Floats) -> float:
    """Of the spread of the numbers around their mean, weighted by what their intervals say."""
    deviation = (high - low) / (2 * Z95)
    known = np.isfinite(deviation) & (deviation > 0)
    if known.sum() < 2:
        return 1.0
    weight = 1 / deviation[known] ** 2
    mean = (weight * value[known]).sum() / weight.sum()
    spread = (weight * (value[known] - mean) ** 2).sum()
    return float(gammaincc((known.sum() - 1) / 2, spread / 2))


def _size(measure: Measure) -> float:
    return measure.value if isinstance(measure, Bounded) else -1.0


def _widest(all_of_them: Sequence[Measure], worst: Measure) -> Measure:
    """The worst difference, with an interval that holds the worst of the true ones."""
    known = [each for each in all_of_them if isinstance(each, Bounded)]
    if not isinstance(worst, Bounded):
        return worst
    low = max(each.low for each in known if each.low is not None)
    high = max(each.high for each in known if each.high is not None)
    return Bounded(worst.value, worst.error, low, high, worst.n)


def _decision(name: str, title: str, number: decisions.Decided) -> Metric:
    return Metric(name, title, lambda profile: number(as_predicted(profile)), None)


_FALSE_POSITIVES = _decision(
    "false_positive_rate", "False positive rate", decisions.false_positive_rate
)


def _criteria(*criteria: tuple[str, str, tuple[Metric, ...]]) -> dict[str, Fairness]:
    return {name: Fairness(name, title, metrics) for name, title, metrics in criteria}


_BINARY, _REGRESSION = binary.METRICS, regression.METRICS

# What groups can be compared by.
FAIRNESS: dict[Task, dict[str, Fairness]] = {
    Task.BINARY: _criteria(
        ("demographic_parity", "Selection rate", (_BINARY["prediction_rate"],)),
        ("equal_opportunity", "Recall", (_BINARY["recall_score"],)),
        ("equalized_odds", "Recall and false positives",
         (_BINARY["recall_score"], _FALSE_POSITIVES)),
        ("predictive_parity", "Precision", (_BINARY["precision_score"],)),
        ("accuracy_parity", "Accuracy", (_BINARY["accuracy_score"],)),
        ("calibration_parity", "Mean score less positives", (_BINARY["calibration_bias"],)),
        ("calibration_error_parity", "Calibration error",
         (_BINARY["expected_calibration_error"],)),
    ),
    Task.MULTICLASS: _criteria(
        ("accuracy_parity", "Accuracy", (multiclass.METRICS["accuracy_score"],)),
        ("balanced_accuracy_parity", "Balanced accuracy",
         (multiclass.METRICS["balanced_accuracy_score"],)),
    ),
    Task.REGRESSION: _criteria(
        ("mean_error_parity", "Mean error", (_REGRESSION["mean_error"],)),
        ("absolute_error_parity", "Mean absolute error", (_REGRESSION["mean_absolute_error"],)),
    ),
}  # fmt: skip
