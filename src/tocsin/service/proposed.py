"""Rules for a model whose owner named none: few, so that each of them is worth being woken for."""

from collections.abc import Mapping
from typing import Any

from tocsin.declared import Monitor
from tocsin.metrics import Metric
from tocsin.profiles import Profile
from tocsin.registry import TRAINING
from tocsin.service.windows import spec_of
from tocsin.values import Bounded, Measure, WindowSpec

# How much worse than its reference a model may be: of a share absolutely, of an error relatively.
_WORSE = 0.05
_WORSE_RELATIVE = 0.2
# A breach is over when that part of it has been made good.
_CLEARED = 0.4
# Fewer labelled rows do not tell how good a model is; as few in a window say nothing either.
_ENOUGH = 300
_MIN_SAMPLES = 100
_Rules = tuple[list[dict[str, Any]], tuple[str, ...]]


def proposed_rules(monitor: Monitor, reference: Profile, logged: Mapping[str, float]) -> _Rules:
    """Documents of rules, and a sentence about each of them.

    logged: metrics of the version as MLflow has them, for where the reference has no labels.
    """
    short = monitor.windows[0]
    drift = {
        "alert": "FeatureDrift",
        "expr": {"metric": "drift", "window": short.name},
        "labels": {"category": "drift"},
    }
    lasting = short.size // short.every + 1
    quality = {
        "alert": "DataQuality",
        "expr": {"metric": "quality", "window": short.name},
        "for": lasting,
        "keep_firing_for": lasting,
    }
    told = (
        f"Rule FeatureDrift: a feature of a window of {short.name} is unlike the "
        "reference and unlike earlier windows."
    )
    checked = (
        f"Rule DataQuality: for {lasting} windows of {short.name} in a row a check of the data, of "
        "nulls, ranges, values or the number of rows, finds what is not expected."
    )
    spec = spec_of(monitor, None)
    metric = monitor.metrics[monitor.metrics.headline]
    number, said = _usual(metric, metric.measure(reference).at(), logged)
    if number is None:
        rule, sentence = _learned(metric, spec)
        return [drift, rule, quality], (told, checked, f"{said} {sentence}")
    rule, sentence = _performance(metric, number, spec)
    return [drift, rule, quality], (told, checked, f"{sentence} {said}")


def _usual(
    metric: Metric, of_reference: Measure, logged: Mapping[str, float]
) -> tuple[float | None, str]:
    """How good the model is, and where that is known from."""
    if isinstance(of_reference, Bounded) and of_reference.n >= _ENOUGH:
        return of_reference.value, f"The reference has {of_reference.value:.3f}."
    few = (
        f"the reference has {of_reference.n} labelled rows"
        if isinstance(of_reference, Bounded)
        else f"the reference has none ({of_reference.reason})"
    )
    if metric.name in logged:
        return logged[metric.name], f"MLflow has {logged[metric.name]:.3f}; {few}."
    trained = logged.get(TRAINING + metric.name)
    if trained is not None:
        return trained, (
            f"MLflow has {trained:.3f}, on rows that the model was trained on, which flatters it; "
            f"{few}."
        )
    return None, (
        f"How good it is is not known: {few}, and MLflow has no {metric.name} of this version."
    )


def _learned(metric: Metric, spec: WindowSpec) -> tuple[dict[str, Any], str]:
    """The rule that the metric leaves what is usual, and a sentence about it."""
    name = "".join(part.title() for part in metric.name.split("_")) + "Went"
    rule = {
        "alert": name,
        "expr": {"metric": metric.name, "window": spec.name, "value": "auto"},
        "min_samples": _MIN_SAMPLES,
    }
    return rule, (
        f"Rule {name}: {metric.name} over {spec.name} leaves what is usual for it, which is "
        "learned from the first weeks; replace it by a threshold once you know one."
    )


def _performance(metric: Metric, usual: float, spec: WindowSpec) -> tuple[dict[str, Any], str]:
    """The rule that the metric is surely worse than usual, and a sentence about it."""
    better = metric.higher_is_better is not False
    apart = -_WORSE if better else _WORSE_RELATIVE * abs(usual)
    value, clear = usual + apart, usual + apart * (1 - _CLEARED)
    op, side = ("<", "below") if better else (">", "above")
    name = "".join(part.title() for part in metric.name.split("_"))
    name += "Low" if better else "High"
    rule = {
        "alert": name,
        "expr": {
            "metric": metric.name,
            "window": spec.name,
            "op": op,
            "value": _short(value),
            "clear": _short(clear),
        },
        "min_samples": _MIN_SAMPLES,
    }
    return rule, (
        f"Rule {name}: the whole 95 % interval of {metric.name} over {spec.name} is {side} "
        f"{value:.3f}, with {_MIN_SAMPLES} labels or more and half of the rows labelled."
    )


def _short(value: float) -> float:
    return float(f"{value:.4g}")
