"""Numbers that are made for a rule: against something else, of parts of the rows, of several."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from tocsin.declared.documents import ExpressionDocument, RuleDocument
from tocsin.declared.looked_at import SIGNALS
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.estimation import is_estimate
from tocsin.metrics import SERVING, Catalogue, Metric
from tocsin.profiles.expression import Expression, parsed
from tocsin.records.operations import BUCKET
from tocsin.schema import Schema
from tocsin.values import format_duration

FEATURE, VERSION = "feature", "version"


class Against(StrEnum):
    """What a number is compared with: its value of the reference, of the window before, or of the
    version that has most rows of the window."""

    REFERENCE = "reference"
    PREVIOUS = "previous"
    VERSION = "version"


_TITLES = {
    Against.REFERENCE: "against the reference",
    Against.PREVIOUS: "against the window before",
    Against.VERSION: "against the version with most rows",
}


@dataclass(frozen=True)
class Derived:
    """A number that is made for rules.

    metric: how it is called and read; measured on nothing by itself. of: the metrics that it is
    made of. against: what is subtracted. by: the part of the rows, `version` or a segment's name;
    empty for all rows. expression: over the metrics `of`, for all rows. served: it is the number
    `of` serving, and of requests.
    """

    metric: Metric
    of: tuple[Metric, ...]
    against: Against | None = None
    by: str = ""
    expression: Expression | None = None
    served: bool = False

    @property
    def name(self) -> str:
        """As evaluations store it; with the part in braces where it is of parts."""
        return self.metric.name


def is_derived(expr: ExpressionDocument) -> bool:
    """Whether a rule looks at a number that is made for it."""
    of_parts = any(part != FEATURE for part in expr.by)
    made = expr.expression is not None or expr.relative_to is not None or of_parts
    return made or expr.metric in SERVING


def derived(rule: RuleDocument, metrics: Catalogue, schema: Schema) -> Derived:
    """The number that a rule looks at. Raises: SchemaError."""
    expr = rule.expr
    if expr.metric in SERVING:
        return _of_serving(rule, SERVING[expr.metric])
    if expr.value == "auto" and (expr.metric is None or expr.relative_to or VERSION in expr.by):
        raise SchemaError(
            f"rule {rule.alert!r}: `value: auto` is for metrics, of all rows or by segment; give a "
            "value, or leave out `by: [version]`, `relative_to` and `expression`"
        )
    try:
        if expr.expression is not None:
            return _of_expression(rule, expr.expression, metrics)
        assert expr.metric is not None
        _check_is_metric(rule, expr.metric)
        metric = metrics.find(expr.metric)
    except SchemaError:
        raise
    except InvalidInputError as error:
        raise SchemaError(f"rule {rule.alert!r}: {error}") from error
    by = _part(rule, schema)
    against = None if expr.relative_to is None else Against(expr.relative_to)
    if against is Against.VERSION:
        by = by or VERSION
    if against is Against.REFERENCE and by:
        raise SchemaError(
            f"rule {rule.alert!r}: the reference is known of all rows only; leave out `by`, or "
            "write `relative_to: previous`"
        )
    if against is Against.VERSION and by != VERSION:
        raise SchemaError(
            f"rule {rule.alert!r}: `relative_to: version` is of each version; leave out `by`"
        )
    name = metric.name + (f" - {against}" if against else "") + (f" by {by}" if by else "")
    title = f"{metric.title} {_TITLES[against]}" if against else metric.title
    # A difference is no share, and near 0 where all is well.
    unit = "number" if against and metric.unit == "share" else metric.unit
    return Derived(replace(metric, name=name, title=title, unit=unit), (metric,), against, by)


def _check_is_metric(rule: RuleDocument, name: str) -> None:
    """Refuse what is told of all rows, or of each column by itself."""
    field = "relative_to" if rule.expr.relative_to is not None else "by"
    if is_estimate(name):
        raise SchemaError(
            f"rule {rule.alert!r}: estimates are of all rows and have no `{field}`; leave it out"
        )
    if name in SIGNALS:
        raise SchemaError(
            f"rule {rule.alert!r}: {name} is of the data and has no `{field}` but `by: [feature]`; "
            "leave it out, or choose a metric"
        )


def _of_serving(rule: RuleDocument, metric: Metric) -> Derived:
    """A number of the requests, which is of a whole window, or of each version's."""
    if rule.expr.relative_to is not None:
        raise SchemaError(
            f"rule {rule.alert!r}: {metric.name} is of requests, and has no `relative_to`; "
            "leave it out"
        )
    if rule.expr.window % BUCKET:
        raise SchemaError(
            f"rule {rule.alert!r}: window {format_duration(rule.expr.window)} is not a multiple of "
            f"{format_duration(BUCKET)}, by which requests are counted"
        )
    if rule.expr.by not in ((), (VERSION,)):
        raise SchemaError(
            f"rule {rule.alert!r}: `by` of {metric.name} may be {VERSION}; no other part of the "
            "requests is known"
        )
    (by,) = rule.expr.by or ("",)
    if by and rule.expr.value == "auto":
        raise SchemaError(
            f"rule {rule.alert!r}: `value: auto` is for all requests; give a value, or leave "
            "out `by`"
        )
    name = metric.name + (f" by {by}" if by else "")
    return Derived(replace(metric, name=name), (metric,), by=by, served=True)


def _of_expression(rule: RuleDocument, text: str, metrics: Catalogue) -> Derived:
    if rule.expr.relative_to is not None or rule.expr.by:
        raise SchemaError(
            f"rule {rule.alert!r}: an `expression` is of all rows; leave out `by` and `relative_to`"
        )
    expression = parsed(text)
    of = tuple(metrics.find(name) for name in sorted(expression.names))
    if not of:
        raise SchemaError(f"rule {rule.alert!r}: `{text}` has no metric in it")
    if not _has_values(expression):
        raise SchemaError(
            f"rule {rule.alert!r}: `{text}` has no value whatever its metrics are, as by a "
            "division by 0; correct it"
        )
    metric = Metric(
        text,
        text,
        of[0].measure,
        higher_is_better=None,
        needs_labels=any(metric.needs_labels for metric in of),
        unit="number",
    )
    return Derived(metric, of, expression=expression)


def _has_values(expression: Expression) -> bool:
    """Whether an expression has a value for any of some numbers, such as metrics may be."""
    tries = np.random.default_rng(0).random((len(expression.names), 64))
    values = expression.over(dict(zip(sorted(expression.names), tries, strict=True)), 64)
    return bool(np.isfinite(values).any())


def _part(rule: RuleDocument, schema: Schema) -> str:
    if not rule.expr.by:
        return ""
    if len(rule.expr.by) > 1:
        raise SchemaError(f"rule {rule.alert!r}: `by` takes one part, not {list(rule.expr.by)}")
    (by,) = rule.expr.by
    known = [VERSION, *(segment.name for segment in schema.segments)]
    if by not in known:
        raise SchemaError(
            f"rule {rule.alert!r}: there is no segment {by!r}; `by` may be {', '.join(known)}"
            + ("" if len(known) > 1 else "; declare some with `segments`")
        )
    return by
