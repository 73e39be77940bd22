"""What the reference says of a window when its rows are weighted to be like those of the window."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.declared import Monitor
from tocsin.drift import Told
from tocsin.engines import reference_rows
from tocsin.estimation import (
    Cover,
    Estimate,
    Flag,
    cover,
    density_ratios,
    estimate_of,
    expectations,
    expected_in,
    weighted_profile,
)
from tocsin.metrics import Metric
from tocsin.records.models import ModelRecord
from tocsin.service.estimates import estimated_metrics
from tocsin.values import Bounded, Measure, Undefined


@dataclass(frozen=True)
class BothEstimates:
    """A metric of a window before its labels: by the weighted reference, and by scores alone.

    by_scores: as it was when the window closed, None where none was made.
    """

    metric: Metric
    weighted: Measure
    by_scores: Estimate | None

    @property
    def sentence(self) -> str:
        """Both, for a person."""
        texts = [
            f"{_number(self.weighted)} by weighting the reference",
            f"{_number(None if self.by_scores is None else self.by_scores.measure)} by scores",
        ]
        if isinstance(self.weighted, Undefined):
            texts.reverse()
        text = f"{self.metric.title} is expected to be {', '.join(texts)}"
        if self.by_scores is not None and self.by_scores.reasons:
            text += f", which is not to be trusted: {'; '.join(self.by_scores.reasons)}"
        return text


@dataclass(frozen=True)
class WeightedView:
    """Estimates by weighting the labelled rows of the reference, beside those by scores."""

    cover: Cover
    metrics: Mapping[str, BothEstimates]

    @property
    def flags(self) -> tuple[str, ...]:
        """What speaks against the weighted numbers."""
        return () if self.cover.supported else (str(Flag.OUT_OF_SUPPORT.name).lower(),)

    @property
    def sentence(self) -> str:
        """Which of the two is to be believed."""
        found = self.cover
        if found.reason is not None:
            return (
                f"No estimate by weighting, as {found.reason}; the estimates by scores stand, with "
                "what speaks against them"
            )
        return (
            f"Weighted to be like the window, {found.rows:,} labelled rows of the reference are "
            f"worth {found.worth:,.0f}"
        )


def weighted_view(
    record: ModelRecord, monitor: Monitor, table: pa.Table, told: Told, kept: Mapping[str, Any]
) -> WeightedView | None:
    """The estimates of all metrics that have some; None where nothing of the reference is labelled.

    table: the rows of the reference that `told` is about. kept: estimates stored of the window.
    """
    labels = reference_rows(monitor.schema, table).labels
    labelled = np.flatnonzero(np.isfinite(labels))
    names = estimated_metrics(monitor)
    if not len(labelled) or not names:
        return None
    sizes = len(told.reference), len(told.current)
    weights = density_ratios(told.reference[labelled], *sizes)
    found = cover(weights, density_ratios(told.current, *sizes))
    some = reference_rows(monitor.schema, table.take(labelled)).rows
    profile = weighted_profile(record.plan, some, labels[labelled], weights)
    scales = expectations(record.reference, record.reference, names)
    return WeightedView(
        found,
        {
            name: BothEstimates(
                monitor.metrics[name],
                expected_in(found, monitor.metrics[name], scales[name].scale, profile),
                estimate_of(kept, name),
            )
            for name in names
        },
    )


def _number(found: Measure | None) -> str:
    if not isinstance(found, Bounded):
        return "unknown"
    if found.low is None or found.high is None:
        return f"{found.value:.3g}"
    return f"{found.value:.3g} [{found.low:.3g} to {found.high:.3g}]"
