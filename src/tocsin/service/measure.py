"""Measure many windows of one size at once, from profiles alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tocsin.declared import Monitor
from tocsin.drift import (
    Divergence,
    Judgement,
    Shift,
    divergence,
    false_discovery_rates,
    judgements,
    moment_divergence,
    shifts,
)
from tocsin.metrics import Measured
from tocsin.profiles import Profile, RegressionOutput
from tocsin.service.columns import label_moments, label_pair, pairs
from tocsin.values import Measure

Found = TypeVar("Found")

# With fewer labels, those that came first would pass for all.
_LABELLED = 0.5


@dataclass(frozen=True, eq=False)
class Drifts:
    """How far windows are from the reference, before their history; each of one window an entry.

    q_values: false-discovery rates over the columns. judged: of the columns that have a method.
    label: under its name, where enough is labelled to tell.
    """

    divergences: tuple[Mapping[str, Divergence], ...]
    q_values: tuple[Mapping[str, float], ...]
    judged: tuple[Mapping[str, Judgement], ...]
    labels: tuple[Mapping[str, Divergence], ...]

    def shifts(self, at: int, history: Mapping[str, Sequence[float]]) -> dict[str, Shift]:
        """The verdicts on the columns of a window that are known without labels.

        history: their distances in earlier windows like this one.
        """
        found = shifts(self.divergences[at], self.q_values[at], history)
        return self._as_chosen(at, found)

    def label_shifts(self, at: int, history: Mapping[str, Sequence[float]]) -> dict[str, Shift]:
        """The verdict on the labels of a window, if it has enough of them."""
        alone = {name: float(found.p_value) for name, found in self.labels[at].items()}
        return self._as_chosen(at, shifts(self.labels[at], alone, history))

    def _as_chosen(self, at: int, found: dict[str, Shift]) -> dict[str, Shift]:
        judged = self.judged[at]
        return {
            name: shift.as_judged(judged[name]) if name in judged else shift
            for name, shift in found.items()
        }


def measures(measured: Mapping[str, Measured]) -> tuple[Mapping[str, Measure], ...]:
    """All metrics of each window of a stack, from those of the stack by name."""
    values = [metric.each() for metric in measured.values()]
    return tuple(dict(zip(measured, row, strict=True)) for row in zip(*values, strict=True))


def drifts(reference: Profile, windows: Profile, monitor: Monitor) -> Drifts:
    """The divergences of all columns of a stack of windows.

    reference: one profile, or one for each window.
    """
    columns = pairs(reference, windows, monitor.schema)
    apart = {name: divergence(pair.reference, pair.current) for name, pair in columns.items()}
    rates = false_discovery_rates(np.stack([d.p_value for d in apart.values()], axis=-1))
    truth = label_pair(reference, windows)
    name = monitor.schema.watched_label
    if truth is not None:
        columns[name] = truth
    methods = monitor.drift.methods
    judged = {
        column: judgements(methods[column], pair)
        for column, pair in columns.items()
        if column in methods
    }
    count = windows.vector.shape[0]
    return Drifts(
        _by_window({column: found.each() for column, found in apart.items()}, count),
        tuple(dict(zip(apart, row, strict=True)) for row in rates.tolist()),
        _by_window(judged, count),
        _labels(reference, windows, name),
    )


def _labels(
    reference: Profile, windows: Profile, name: str
) -> tuple[Mapping[str, Divergence], ...]:
    rows, labelled = windows.total("n"), windows.total("labelled")
    count = len(rows)
    if isinstance(windows.plan.output, RegressionOutput):
        if not reference.total("labelled").any():
            return ({},) * count
        found = moment_divergence(label_moments(reference), label_moments(windows))
    else:
        pair = label_pair(reference, windows)
        if pair is None:
            return ({},) * count
        found = divergence(pair.reference, pair.current)
    enough = (labelled > 0) & (labelled >= _LABELLED * rows)
    each = found.each()
    return tuple({name: each[i]} if enough[i] else {} for i in range(count))


def _by_window(
    columns: Mapping[str, Sequence[Found]], count: int
) -> tuple[Mapping[str, Found], ...]:
    if not columns:
        return ({},) * count
    return tuple(
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    )
