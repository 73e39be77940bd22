"""The rules of a monitor: those that its document has, and those of one that has none."""

from collections.abc import Mapping, Sequence

from tocsin.declared.derived import Derived
from tocsin.declared.documents import RuleDocument
from tocsin.declared.looked_at import SIGNALS
from tocsin.errors import SchemaError
from tocsin.estimation import ESTIMATED, has_expectation, is_estimate, plain_name
from tocsin.metrics import SERVING, Catalogue
from tocsin.quality import FEATURE_CHECKS
from tocsin.rules import DRIFT, LABEL_DRIFT, PREDICTION_DRIFT, QUALITY, Rule
from tocsin.schema import Schema
from tocsin.values import WindowSpec, format_duration


def default_rules(windows: tuple[WindowSpec, ...]) -> tuple[Rule, ...]:
    """Rules that need no threshold: the verdicts on the shortest window.

    What is wrong with the data for two windows that do not overlap: docs/decisions/0025-quality.md.
    """
    short = windows[0]
    lasting = short.size // short.every + 1
    return (
        Rule("FeatureDrift", DRIFT, short.size, category="drift"),
        Rule(
            "DataQuality",
            QUALITY,
            short.size,
            for_windows=lasting,
            keep_firing_windows=lasting,
            category="data_quality",
        ),
    )


def declared_rules(
    parsed: list[RuleDocument],
    windows: tuple[WindowSpec, ...],
    metrics: Catalogue,
    schema: Schema,
    made: Mapping[str, Derived],
) -> tuple[Rule, ...]:
    """The rules that a monitor declares.

    made: what rules compute of metrics, by the name of the rule. Raises: SchemaError.
    """
    names = [rule.alert for rule in parsed]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SchemaError(f"rules must have different names, but {repeated} are repeated")
    return tuple(_rule(rule, windows, metrics, schema, made.get(rule.alert)) for rule in parsed)


def _rule(
    parsed: RuleDocument,
    windows: tuple[WindowSpec, ...],
    metrics: Catalogue,
    schema: Schema,
    made: Derived | None,
) -> Rule:
    expr = parsed.expr
    spec = next((spec for spec in windows if spec.size == expr.window), None)
    if spec is None:
        sizes = ", ".join(spec.name for spec in windows)
        raise SchemaError(
            f"rule {parsed.alert!r}: window {format_duration(expr.window)} is not one of {sizes}"
        )
    of_features = [*FEATURE_CHECKS, DRIFT]
    if expr.by and made is None and expr.metric not in of_features:
        raise SchemaError(
            f"rule {parsed.alert!r}: {expr.metric} has no `by: [feature]`; leave it out, or choose "
            f"one of {', '.join(of_features)}"
        )
    every = _apart(parsed, spec)
    return Rule(
        name=parsed.alert,
        # As the metric is called: `recall_score@0.30` is `recall_score@0.3`.
        metric=made.name if made is not None else _name(parsed, metrics, schema),
        window=expr.window,
        op=expr.op,
        value=None if expr.value == "auto" else expr.value,
        clear=expr.clear,
        auto=expr.value == "auto",
        for_windows=parsed.patience.windows_of(every),
        keep_firing_windows=parsed.keep_firing_for.windows_of(every),
        min_samples=parsed.min_samples,
        min_coverage=parsed.min_coverage,
        confident=parsed.confidence == "interval",
        severity=parsed.labels.severity,
        category=_category(parsed),
        no_data=parsed.no_data,
        by="" if made is None else made.by,
        labels=tuple(parsed.labels.own.items()),
        summary=parsed.annotations.summary,
        runbook_url=parsed.annotations.runbook_url or "",
    )


def _apart(parsed: RuleDocument, spec: WindowSpec) -> int:
    """How far apart the windows end that a rule looks at, microseconds."""
    # What is usual is learned from windows that have no rows in common.
    return spec.size if parsed.expr.value == "auto" else spec.every


def check_patience(parsed: Sequence[RuleDocument], windows: tuple[WindowSpec, ...]) -> None:
    """Refuse what is not met when it says, or that nobody waits for. Raises: SchemaError."""
    of_size = {spec.size: spec for spec in windows}
    for rule in parsed:
        every = _apart(rule, of_size[rule.expr.window])
        for field, patience in (("for", rule.patience), ("keep_firing_for", rule.keep_firing_for)):
            fault = patience.fault(every)
            if fault is not None:
                size, apart = format_duration(rule.expr.window), format_duration(every)
                raise SchemaError(
                    f"rule {rule.alert!r}: `{field}`: windows of {size} end {apart} apart, and "
                    f"{fault}"
                )


def _category(parsed: RuleDocument) -> str:
    """As written; what is estimated, and what looks at the data, is about that otherwise."""
    if parsed.labels.category is not None:
        return parsed.labels.category
    metric = parsed.expr.looked_at
    if is_estimate(metric):
        return "early"
    if metric in (DRIFT, PREDICTION_DRIFT, LABEL_DRIFT):
        return "drift"
    if metric in SERVING:
        return "operations"
    return "data_quality" if metric in SIGNALS else "performance"


def _name(parsed: RuleDocument, metrics: Catalogue, schema: Schema) -> str:
    """What a rule looks at, by the name that the catalogue gives it."""
    given = parsed.expr.looked_at
    if given in SIGNALS:
        return given
    name = metrics.find(plain_name(given)).name
    if not is_estimate(given):
        return name
    if not has_expectation(schema, name):
        known = ", ".join(other for other in metrics if has_expectation(schema, other))
        raise SchemaError(
            f"rule {parsed.alert!r}: {name} cannot be estimated without labels; of this model "
            f"these can: {known}"
        )
    return ESTIMATED + name
