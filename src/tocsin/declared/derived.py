"""Numbers that are made for a rule: against something else, of parts of the rows, of several."""

from dataclasses import dataclass, replace
from enum import StrEnum

from tocsin.declared.documents import ExpressionDocument, RuleDocument
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.metrics import Catalogue, Metric
from tocsin.profiles.expression import Expression, parsed
from tocsin.schema import Schema

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
    empty for all rows. expression: over the metrics `of`, for all rows.
    """

    metric: Metric
    of: tuple[Metric, ...]
    against: Against | None = None
    by: str = ""
    expression: Expression | None = None

    @property
    def name(self) -> str:
        """As evaluations store it; with the part in braces where it is of parts."""
        return self.metric.name


def is_derived(expr: ExpressionDocument) -> bool:
    """Whether a rule looks at a number that is made for it."""
    of_parts = any(part != FEATURE for part in expr.by)
    return expr.expression is not None or expr.relative_to is not None or of_parts


def derived(rule: RuleDocument, metrics: Catalogue, schema: Schema) -> Derived:
    """The number that a rule looks at. Raises: SchemaError."""
    expr = rule.expr
    if expr.value == "auto":
        raise SchemaError(
            f"rule {rule.alert!r}: `value: auto` is for metrics of all rows; give a value, or "
            "leave out `by`, `relative_to` and `expression`"
        )
    try:
        if expr.expression is not None:
            return _of_expression(rule, expr.expression, metrics)
        assert expr.metric is not None
        metric = metrics.find(expr.metric)
    except InvalidInputError as error:
        raise SchemaError(f"rule {rule.alert!r}: {error}") from error
    by = _part(rule, schema)
    against = None if expr.relative_to is None else Against(expr.relative_to)
    if against is Against.VERSION:
        by = by or VERSION
    if against is not None and by and (against, by) != (Against.VERSION, VERSION):
        raise SchemaError(
            f"rule {rule.alert!r}: `relative_to: {against}` is for all rows; leave out `by`"
        )
    name = metric.name + (f" - {against}" if against else "") + (f" by {by}" if by else "")
    title = f"{metric.title} {_TITLES[against]}" if against else metric.title
    # A difference is no share, and near 0 where all is well.
    unit = "number" if against and metric.unit == "share" else metric.unit
    return Derived(replace(metric, name=name, title=title, unit=unit), (metric,), against, by)


def _of_expression(rule: RuleDocument, text: str, metrics: Catalogue) -> Derived:
    if rule.expr.relative_to is not None or rule.expr.by:
        raise SchemaError(
            f"rule {rule.alert!r}: an `expression` is of all rows; leave out `by` and `relative_to`"
        )
    expression = parsed(text)
    of = tuple(metrics.find(name) for name in sorted(expression.names))
    if not of:
        raise SchemaError(f"rule {rule.alert!r}: `{text}` has no metric in it")
    metric = Metric(
        text,
        text,
        of[0].measure,
        higher_is_better=None,
        needs_labels=any(metric.needs_labels for metric in of),
        unit="number",
    )
    return Derived(metric, of, expression=expression)


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
