"""Metrics of one's own: declared ratios, costs of decisions, and any function of a profile."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import InvalidInputError
from tocsin.metrics import binary, multiclass, regression
from tocsin.metrics.intervals import of_bounded_mean, t95, wilson
from tocsin.metrics.measured import (
    NO_OUTCOMES,
    NO_PREDICTIONS,
    NO_ROWS,
    Measured,
    measured,
)
from tocsin.metrics.metric import Metric
from tocsin.profiles import Profile, RatioSums, needs_label
from tocsin.schema import Ratio

Floats = NDArray[np.float64]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
# Sums of squares that cancel to this share of themselves are rounding.
_ROUNDING = 1e-12
_registered: dict[str, Metric] = {}


def built_in(name: str) -> bool:
    """Whether some task has a metric of this name, with or without what follows an @."""
    plain = name.partition("@")[0]
    tables = (binary.METRICS, multiclass.METRICS, regression.METRICS, multiclass.OF_CLASS)
    others = ("top_k_accuracy_score", "absolute_error_quantile")
    return plain in others or any(plain in names for names in tables)


def checked_name(name: str) -> str:
    """A name that a metric of one's own can have.

    Raises: InvalidInputError that says what is wrong with it.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"metric name {name!r} has to begin with a letter and go on with letters, digits, "
            "_, . or -, at most 100"
        )
    if built_in(name):
        raise InvalidInputError(f"metric {name!r} is built in; choose another name")
    return name


def ratio_metric(ratio: Ratio) -> Metric:
    """The metric of a ratio that the schema declares."""
    return Metric(
        checked_name(ratio.name),
        ratio.name,
        partial(_ratio, ratio),
        higher_is_better=None,
        needs_labels=needs_label(ratio),
        unit="number",
    )


def cost_metric(
    name: str,
    classes: Sequence[str],
    costs: Mapping[tuple[str, str], float],
    *,
    total: bool = False,
) -> Metric:
    """What decisions cost, in the mean of the labelled rows or in total. Exact.

    classes: as the schema writes them, in its order: `schema.labels`.
    costs: by (true, predicted) class, less than 0 for a gain; what is not listed costs nothing.
    Raises: InvalidInputError for a class that does not exist, and for a cost that is not finite.
    """
    matrix = np.zeros((len(classes), len(classes)))
    for pair, cost in costs.items():
        for each in pair:
            if each not in classes:
                raise InvalidInputError(
                    f"metric {name!r}: there is no class {each!r}; there are {', '.join(classes)}"
                )
        if not np.isfinite(cost):
            raise InvalidInputError(f"metric {name!r}: cost {cost} of {pair} is not finite")
        matrix[classes.index(pair[0]), classes.index(pair[1])] = cost
    measure = partial(_cost, matrix, total=total)
    return Metric(checked_name(name), name, measure, higher_is_better=False, unit="number")


def register(metric: Metric) -> Metric:
    """Let models use a metric of one's own by its name; registering it again replaces it.

    Raises: InvalidInputError for a name that cannot be, and for a measure that cannot be called.
    """
    checked_name(metric.name)
    if not callable(metric.measure):
        raise InvalidInputError(
            f"metric {metric.name!r} needs a function of a profile as `measure`"
        )
    guarded = replace(metric, measure=partial(_guarded, metric))
    _registered[metric.name] = guarded
    return guarded


def registered(name: str) -> Metric:
    """The metric that was registered by this name.

    Raises: InvalidInputError when there is none.
    """
    if name not in _registered:
        known = ", ".join(sorted(_registered)) or "none"
        raise InvalidInputError(f"metric {name!r} is not registered; registered are: {known}")
    return _registered[name]


def registered_or_missing(name: str) -> Metric:
    """The same, or a metric that is undefined because it is not registered here."""
    if name in _registered:
        return _registered[name]
    reason = f"metric {name!r} is not registered; install the package that brings it"
    return Metric(name, name, partial(_nothing, reason), higher_is_better=None)


def _nothing(reason: str, profile: Profile) -> Measured:
    none = np.zeros(profile.vector.shape[:-1])
    everywhere = np.ones(none.shape, np.bool_)
    return measured(none, none, (everywhere, reason), low=none, high=none)


def _guarded(metric: Metric, profile: Profile) -> Measured:
    """A function of somebody else's must not keep the other metrics from being measured."""
    try:
        found = metric.measure(profile)
        shape = found.value.shape
    except Exception as error:  # noqa: BLE001 - the entry point of code that is not ours
        return _nothing(f"{metric.name} failed: {type(error).__name__}: {error}", profile)
    if shape != profile.vector.shape[:-1]:
        return _nothing(f"{metric.name} gave numbers of shape {shape}", profile)
    return found


def _ratio(ratio: Ratio, profile: Profile) -> Measured:
    """The sum of one expression over that of another; the interval is by the delta method.

    A share, where both are 0 or 1 and the first implies the second, has Wilson's interval.
    """
    sums = profile.ratio(ratio.name)
    flat = np.asarray(sums.per == 0)
    per = np.where(flat, 1.0, sums.per)
    value = sums.sum / per
    low, high = _ratio_interval(sums, value, per)
    share = (
        (sums.sum == sums.sum_squared) & (sums.per == sums.per_squared) & (sums.sum == sums.product)
    )
    of_share = wilson(np.where(share, sums.sum, 0), np.where(share, per, 1))
    labelled = needs_label(ratio)
    nothing = profile.total("labelled" if labelled else "n") == 0
    return measured(
        value,
        sums.n,
        (nothing, NO_OUTCOMES if labelled else NO_ROWS),
        (np.asarray(sums.n == 0), "no row on which both parts of the ratio are known"),
        (flat, "what it is divided by adds up to 0"),
        low=np.where(share, of_share[0], low),
        high=np.where(share, of_share[1], high),
    )


def _ratio_interval(sums: RatioSums, value: Floats, per: Floats) -> tuple[Floats, Floats]:
    """Student's interval of a ratio of means; it has no end where all rows have the same ratio."""
    squares = sums.sum_squared - 2 * value * sums.product + value**2 * sums.per_squared
    known = (sums.n > 1) & (squares > _ROUNDING * (sums.sum_squared + value**2 * sums.per_squared))
    corrected = np.maximum(squares, 0) * sums.n / np.maximum(sums.n - 1, 1)
    half = np.where(known, t95(sums.n) * np.sqrt(corrected) / np.abs(per), np.inf)
    return value - half, value + half


def _cost(matrix: Floats, profile: Profile, *, total: bool) -> Measured:
    confusion = profile.confusion
    n = confusion.sum((-2, -1))
    sums, squares = ((confusion * matrix**power).sum((-2, -1)) for power in (1, 2))
    least, most = float(matrix.min()), float(matrix.max())
    mean = sums / np.maximum(n, 1)
    if least < most:
        low, high = of_bounded_mean(sums, squares, n, least=least, most=most)
    else:
        low = high = mean
    times = n if total else np.ones_like(n)
    return measured(
        mean * times,
        n,
        (profile.total("labelled") == 0, NO_OUTCOMES),
        (n == 0, NO_PREDICTIONS),
        low=low * times,
        high=high * times,
    )
