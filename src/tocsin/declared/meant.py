"""What a monitor says that nobody can mean: refused where it is new, read where it is stored."""

from tocsin.errors import SchemaError
from tocsin.metrics import Catalogue
from tocsin.notify.template import fault_of
from tocsin.quality import FEATURE_CHECKS, MODEL_CHECKS
from tocsin.rules import Rule
from tocsin.schema import Schema
from tocsin.values import format_duration

_RATES = FEATURE_CHECKS | MODEL_CHECKS


def check_meant(
    schema: Schema,
    rules: tuple[Rule, ...],
    metrics: Catalogue,
    *,
    delay: int | None,
    horizon: int,
    trailing: int,
    longest: int,
) -> None:
    """Refuse what can have no effect, or only one that nobody wants.

    delay: declared, of labels; horizon: how late they may be; trailing: how far back the trailing
    reference goes; longest: the largest window. Raises: SchemaError.
    """
    if schema.label in {feature.name for feature in schema.features}:
        raise SchemaError(
            f"feature {schema.label!r} is the label: no model is given the truth; leave it out of "
            "`features`, or call the feature otherwise"
        )
    if delay is not None and delay > horizon:
        raise SchemaError(
            f"labels.delay {format_duration(delay)} is longer than labels.max "
            f"{format_duration(horizon)}, after which no label counts; lower the first or raise "
            "the second"
        )
    if trailing < longest:
        raise SchemaError(
            f"drift.trailing {format_duration(trailing)} is shorter than the window "
            f"{format_duration(longest)}; a reference of fewer rows than it is compared with tells "
            "nothing: write at least as much"
        )
    for rule in rules:
        _check_value(rule, metrics)
        fault = fault_of(rule.summary)
        if fault is not None:
            raise SchemaError(
                f"rule {rule.name!r}: `summary` cannot be filled in: {fault}; write such as "
                "AUC {{ value|round(3) }} (n={{ n }})"
            )


def _check_value(rule: Rule, metrics: Catalogue) -> None:
    """Refuse a threshold on a share that no share can have."""
    check = _RATES.get(rule.metric)
    metric = metrics.get(rule.metric)
    share = check.share if check is not None else metric is not None and metric.unit == "share"
    if share and rule.value is not None and not 0 <= rule.value <= 1:
        raise SchemaError(
            f"rule {rule.name!r}: {rule.metric} lies between 0 and 1, and so always on one side of "
            f"{rule.value:g}; choose a value between them"
        )
