"""The document of a monitored model, parsed once into frozen values."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from tocsin.errors import InvalidInputError, SchemaError
from tocsin.metrics import (
    Catalogue,
    Metric,
    catalogue,
    cost_metric,
    registered,
    registered_or_missing,
)
from tocsin.records.outbox import Receiver
from tocsin.rules import Operator, Rule
from tocsin.schema import Feature, Kind, Ratio, Schema, Segment, Task
from tocsin.values import DAY, HOUR, MINUTE, WindowSpec, format_duration, parse_duration


@dataclass(frozen=True)
class Monitor:
    """How one model is monitored.

    model_uri: where it is kept, None when it was added without a registry. version: the model
    version of predictions that name none. granularity, lateness, label_horizon: microseconds.
    metrics: those that are measured of every window, by name.
    """

    name: str
    model_uri: str | None
    version: str
    schema: Schema
    granularity: int
    windows: tuple[WindowSpec, ...]
    lateness: int
    label_horizon: int
    rules: tuple[Rule, ...]
    metrics: Catalogue


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _duration(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("write a duration such as 15m or 24h")
    try:
        duration = parse_duration(value)
    except InvalidInputError as error:
        raise ValueError(str(error)) from error
    # Event times further off than this do not fit into a datetime.
    if duration > _LONGEST:
        raise ValueError(f"{value} is too long; at most {format_duration(_LONGEST)}")
    return duration


def _not_zero(duration: int) -> int:
    if duration == 0:
        raise ValueError("a duration of 0 has no room for rows; write one such as 15m or 24h")
    return duration


_LONGEST = 3_650 * DAY
# What one window may hold in memory: a month of minutes would be too much.
MOST_BUCKETS = 12_000
_CELLS = {
    "true_negative": (0, 0),
    "false_positive": (0, 1),
    "false_negative": (1, 0),
    "true_positive": (1, 1),
}
_Duration = Annotated[int, BeforeValidator(_duration)]
_Span = Annotated[_Duration, AfterValidator(_not_zero)]
_Name = Annotated[str, Field(min_length=1)]


class _Feature(_Strict):
    name: _Name
    kind: Kind


class _Schema(_Strict):
    task: Task = Task.BINARY
    features: list[_Feature] = Field(min_length=1)
    score: _Name | None = None
    prediction: _Name | None = None
    label: _Name
    positive: str = "1"
    negative: str = "0"
    threshold: float = 0.5
    thresholds: list[float] = []
    classes: list[str] = []
    scores: list[_Name] = []


class _Segment(_Strict):
    name: _Name | None = None
    column: _Name | None = None
    cuts: list[float] = Field(default=[], max_length=100)
    where: _Name | None = None


class _Metric(_Strict):
    name: _Name
    sum: _Name | None = None
    per: _Name | None = None
    costs: dict[str, float | dict[str, float]] | None = None
    function: _Name | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        given = [part for part in (self.sum, self.costs, self.function) if part is not None]
        if len(given) != 1 or (self.per is not None and self.sum is None):
            raise ValueError("needs either `sum` (and perhaps `per`), `costs` or `function`")
        return self


class _Labels(_Strict):
    max: _Duration = 30 * DAY


class _Expression(_Strict):
    metric: str
    window: _Span
    op: Operator | None = None
    value: float | None = None
    clear: float | None = None


class _RuleLabels(_Strict):
    severity: Literal["info", "warning", "critical"] = "warning"
    category: str = "performance"


class _Rule(_Strict):
    alert: str = Field(min_length=1, max_length=128)
    expr: _Expression
    for_windows: Annotated[int, Field(ge=1, alias="for")] = 1
    keep_firing_for: Annotated[int, Field(ge=1)] = 1
    min_samples: Annotated[int, Field(ge=1)] = 1
    min_coverage: Annotated[float, Field(ge=0, le=1)] = 0.5
    confidence: Literal["interval", "none"] = "interval"
    labels: _RuleLabels = _RuleLabels()


class _Monitor(_Strict):
    model: str | None = None
    version: str = "unknown"
    data: Annotated[_Schema, Field(alias="schema")]
    granularity: _Span = HOUR
    windows: list[_Span] = Field(default=[HOUR, DAY, 7 * DAY], min_length=1)
    lateness: _Duration = MINUTE
    labels: _Labels = _Labels()
    segments: list[_Name | _Segment] = []
    protected: list[_Name] = []
    metrics: list[_Metric] = []
    rules: list[_Rule] | None = None


class _Webhook(_Strict):
    url: str = Field(pattern=r"^https?://[^\s]+$")
    secret_env: str | None = None


class _Receiver(_Strict):
    webhook: _Webhook


def parse_monitor(name: str, document: object, *, new: bool = False) -> Monitor:
    """The monitor that a document describes.

    new: that nobody has accepted yet: functions that it names have to be registered.
    Raises: SchemaError that lists every fault with its place in the document.
    """
    try:
        parsed = _Monitor.model_validate(document)
    except ValidationError as error:
        raise SchemaError(f"monitor {name!r}: {_faults(error)}") from error
    schema = _schema(parsed)
    windows = tuple(_window(size, parsed.granularity) for size in sorted(set(parsed.windows)))
    if new:
        for metric in parsed.metrics:
            _check_function(metric)
    metrics = _metrics(schema, parsed)
    rules = (
        default_rules(windows) if parsed.rules is None else _rules(parsed.rules, windows, metrics)
    )
    return Monitor(
        name=name,
        model_uri=parsed.model,
        version=parsed.version,
        schema=schema,
        granularity=parsed.granularity,
        windows=windows,
        lateness=parsed.lateness,
        label_horizon=parsed.labels.max,
        rules=rules,
        metrics=metrics,
    )


def parse_receiver(name: str, document: object) -> Receiver:
    """The receiver that a document describes.

    Raises: InvalidInputError.
    """
    try:
        webhook = _Receiver.model_validate(document).webhook
    except ValidationError as error:
        raise InvalidInputError(f"receiver {name!r}: {_faults(error)}") from error
    return Receiver(name, "webhook", webhook.model_dump())


def default_rules(windows: tuple[WindowSpec, ...]) -> tuple[Rule, ...]:
    """Rules that need no threshold: the drift verdict on the shortest window."""
    return (Rule("FeatureDrift", "drift", windows[0].size, category="drift"),)


def _schema(parsed: _Monitor) -> Schema:
    data = parsed.data
    return Schema(
        task=data.task,
        features=tuple(Feature(f.name, f.kind) for f in data.features),
        score=data.score,
        prediction=data.prediction,
        label=data.label,
        positive=data.positive,
        negative=data.negative,
        threshold=data.threshold,
        thresholds=tuple(data.thresholds),
        classes=tuple(data.classes),
        scores=tuple(data.scores),
        segments=_segments(parsed),
        ratios=tuple(Ratio(m.name, m.sum, m.per) for m in parsed.metrics if m.sum is not None),
    )


def _segments(parsed: _Monitor) -> tuple[Segment, ...]:
    """The declared segments; a protected attribute is one as well."""
    declared = [s if isinstance(s, _Segment) else _Segment(column=s) for s in parsed.segments]
    found: dict[str, Segment] = {}
    for each in declared:
        name = each.name or each.column
        if name is None:
            raise SchemaError("a segment with `where` needs a `name`")
        if name in found:
            raise SchemaError(f"segments must have different names, but {name!r} is repeated")
        found[name] = Segment(name, each.column, tuple(each.cuts), each.where)
    for name in parsed.protected:
        segment = found.get(name, Segment(name, column=name))
        found[name] = replace(segment, protected=True)
    return tuple(found.values())


def _check_function(metric: _Metric) -> None:
    try:
        if metric.function is not None:
            registered(metric.function)
    except InvalidInputError as error:
        raise SchemaError(str(error)) from error


def _metrics(schema: Schema, parsed: _Monitor) -> Catalogue:
    """The standard metrics, those that are declared, and those that rules ask for by argument."""
    try:
        own = [_metric(schema, m) for m in parsed.metrics if m.sum is None]
        found = catalogue(schema, own)
        asked: dict[str, Metric] = {}
        for rule in parsed.rules or []:
            name = rule.expr.metric
            if name != "drift" and name not in set(found):
                metric = _asked(found, rule)
                asked[metric.name] = metric
        return catalogue(schema, [*own, *asked.values()])
    except SchemaError:
        raise
    except InvalidInputError as error:
        raise SchemaError(str(error)) from error


def _asked(found: Catalogue, rule: _Rule) -> Metric:
    try:
        return found.find(rule.expr.metric)
    except InvalidInputError as error:
        or_drift = "" if "@" in rule.expr.metric else ", or drift"
        raise SchemaError(f"rule {rule.alert!r}: {error}{or_drift}") from error


def _metric(schema: Schema, declared: _Metric) -> Metric:
    name, costs = declared.name, declared.costs
    if declared.function is not None:
        return replace(registered_or_missing(declared.function), name=name)
    assert costs is not None
    if schema.task is Task.REGRESSION:
        raise SchemaError(f"metric {name!r} has `costs`, which only classifiers have")
    return cost_metric(name, schema.labels, _costs(schema, name, costs))


def _costs(
    schema: Schema, name: str, declared: dict[str, float | dict[str, float]]
) -> dict[tuple[str, str], float]:
    """Costs by (true, predicted) class; what is not declared costs nothing."""
    found: dict[tuple[str, str], float] = {}
    for key, cost in declared.items():
        if schema.task is Task.BINARY and key in _CELLS and not isinstance(cost, dict):
            true, predicted = _CELLS[key]
            found[schema.labels[true], schema.labels[predicted]] = cost
        elif schema.task is Task.MULTICLASS and isinstance(cost, dict):
            found |= {(key, predicted): amount for predicted, amount in cost.items()}
        else:
            cells = ", ".join(_CELLS)
            raise SchemaError(
                f"costs of {name!r}: "
                + (
                    f"write a number for each of {cells}"
                    if schema.task is Task.BINARY
                    else "write for each true class the costs of the predicted ones"
                )
            )
    return found


def _window(size: int, granularity: int) -> WindowSpec:
    if not MINUTE <= granularity <= DAY:
        raise SchemaError(
            f"granularity {format_duration(granularity)} is not between 1m and 1d: finer buckets "
            "hold hardly a row, and coarser ones can move windows by days only"
        )
    if size // granularity > MOST_BUCKETS:
        raise SchemaError(
            f"window {format_duration(size)} has more than {MOST_BUCKETS:,} buckets of "
            f"{format_duration(granularity)}; choose a coarser granularity"
        )
    if size % granularity:
        raise SchemaError(
            f"window {format_duration(size)} is not a multiple of the granularity "
            f"{format_duration(granularity)}"
        )
    # Steps that people expect: an hour window each granule, a day each hour, longer ones each day.
    step = HOUR if size <= DAY else DAY
    every = granularity if step >= size or step % granularity else step
    return WindowSpec(size, every)


def _rules(
    parsed: list[_Rule], windows: tuple[WindowSpec, ...], metrics: Catalogue
) -> tuple[Rule, ...]:
    names = [rule.alert for rule in parsed]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SchemaError(f"rules must have different names, but {repeated} are repeated")
    return tuple(_rule(rule, windows, metrics) for rule in parsed)


def _rule(parsed: _Rule, windows: tuple[WindowSpec, ...], metrics: Catalogue) -> Rule:
    expr = parsed.expr
    if expr.window not in {spec.size for spec in windows}:
        sizes = ", ".join(spec.name for spec in windows)
        raise SchemaError(
            f"rule {parsed.alert!r}: window {format_duration(expr.window)} is not one of {sizes}"
        )
    return Rule(
        name=parsed.alert,
        # As the metric is called: `recall_score@0.30` is `recall_score@0.3`.
        metric=expr.metric if expr.metric == "drift" else metrics.find(expr.metric).name,
        window=expr.window,
        op=expr.op,
        value=expr.value,
        clear=expr.clear,
        for_windows=parsed.for_windows,
        keep_firing_windows=parsed.keep_firing_for,
        min_samples=parsed.min_samples,
        min_coverage=parsed.min_coverage,
        confident=parsed.confidence == "interval",
        severity=parsed.labels.severity,
        category=parsed.labels.category,
    )


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'document'}: {fault['msg']}"
        for fault in error.errors()
    )
