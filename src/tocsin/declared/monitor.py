"""The document of a monitored model, parsed once into frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from pydantic import ValidationError

from tocsin.declared.derived import Derived, derived, is_derived
from tocsin.declared.documents import (
    MetricDocument,
    MonitorDocument,
    PrivacyDocument,
    RuleDocument,
    SegmentDocument,
)
from tocsin.declared.drift import DriftSettings, drift_settings
from tocsin.declared.faults import faults
from tocsin.declared.looked_at import SIGNALS
from tocsin.declared.maintenance import Maintenance, is_paused, maintenance_of
from tocsin.declared.meant import check_meant
from tocsin.declared.quality import declared_quality, with_quality
from tocsin.declared.rules import check_patience, declared_rules, default_rules
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.estimation import plain_name
from tocsin.ids import ID_NAMES
from tocsin.metrics import (
    SERVING,
    Catalogue,
    Metric,
    catalogue,
    cost_metric,
    registered,
    registered_or_missing,
)
from tocsin.profiles.expression import parsed as parsed_expression
from tocsin.quality import Declared
from tocsin.rules import Rule
from tocsin.schema import Feature, Kind, Ratio, Schema, Segment, Task
from tocsin.values import DAY, HOUR, MINUTE, Window, WindowSpec, format_duration


@dataclass(frozen=True)
class Privacy:
    """Fields with personal data, wherever a row has them: to be hashed, or not to be stored."""

    hash: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hash or self.drop)


@dataclass(frozen=True)
class Prices:
    """What an hour of a serving process, an hour of a processor and a prediction are paid with."""

    process_hour: float
    cpu_hour: float
    prediction: float
    currency: str


@dataclass(frozen=True)
class Monitor:
    """How one model is monitored.

    model_uri: where it is kept, None when it was added without a registry. version: the model
    version of predictions that name none. granularity, lateness, label_horizon, skew: microseconds;
    skew is how far clients' clocks may be ahead; label_delay, after which labels are complete, is
    learned when it is None. metrics: those that are measured of every window, by name. retention:
    microseconds for which rows are kept, None for ever. publish: whether results go back to MLflow.
    drift: how columns are judged.
    quality: what is said of the data, in place of what is learned from the reference.
    false_alarms: how many a month are accepted by chance, over all rules that are `auto` together.
    derived: what is made for rules, by its name. maintenance: when the model is worked on.
    """

    name: str
    model_uri: str | None
    version: str
    schema: Schema
    granularity: int
    windows: tuple[WindowSpec, ...]
    lateness: int
    skew: int
    label_horizon: int
    label_delay: int | None
    rules: tuple[Rule, ...]
    metrics: Catalogue
    privacy: Privacy
    retention: int | None = None
    publish: bool = True
    drift: DriftSettings = field(default_factory=DriftSettings)
    quality: Declared = field(default_factory=Declared)
    false_alarms: float = 1.0
    prices: Prices | None = None
    derived: Mapping[str, Derived] = field(default_factory=dict)
    maintenance: tuple[Maintenance, ...] = ()

    def is_paused(self, window: Window) -> bool:
        """Whether a window alerts nobody and is no example of what is usual."""
        return is_paused(self.maintenance, window, self.granularity)

    @cached_property
    def named(self) -> Mapping[str, Metric]:
        """All numbers that have a name: metrics, and those that are made for rules."""
        return {**self.metrics, **{name: each.metric for name, each in self.derived.items()}}


# What one window may hold in memory: a month of minutes would be too much.
MOST_BUCKETS = 12_000
_CELLS = {
    "true_negative": (0, 0),
    "false_positive": (0, 1),
    "false_negative": (1, 0),
    "true_positive": (1, 1),
}


def parse_monitor(
    name: str, document: object, *, new: bool = False, elsewhere: bool = False
) -> Monitor:
    """The monitor that a document describes.

    new: that nobody has accepted yet: what nobody can mean is refused. elsewhere: it is for another
    server, on which functions that it names may be registered.
    Raises: SchemaError that lists every fault with its place in the document.
    """
    try:
        parsed = MonitorDocument.model_validate(document)
    except ValidationError as error:
        raise SchemaError(f"monitor {name!r}: {faults(error, document)}") from error
    schema = _schema(parsed)
    windows = tuple(_window(size, parsed.granularity) for size in sorted(set(parsed.windows)))
    label_horizon = parsed.labels.max if parsed.join is None else parsed.join.within
    _check_retention(parsed, windows, label_horizon)
    if new and not elsewhere:
        for metric in parsed.own_metrics:
            _check_function(metric)
    metrics = _metrics(schema, parsed)
    rules, made = _rules(parsed, windows, metrics, schema)
    drift = drift_settings(parsed.drift, schema, granularity=parsed.granularity)
    if new:
        check_patience(parsed.rules or [], windows)
        check_meant(
            schema,
            rules,
            metrics,
            delay=parsed.labels.delay,
            horizon=label_horizon,
            trailing=drift.trailing,
            longest=windows[-1].size,
        )
    return Monitor(
        name=name,
        model_uri=parsed.model,
        version=parsed.version,
        schema=schema,
        granularity=parsed.granularity,
        windows=windows,
        lateness=parsed.lateness,
        skew=parsed.clock_skew,
        label_horizon=label_horizon,
        label_delay=parsed.labels.delay,
        rules=rules,
        metrics=metrics,
        privacy=_privacy(parsed.privacy, schema),
        retention=parsed.retention,
        publish=parsed.publish,
        drift=drift,
        quality=declared_quality(parsed.quality, schema.features),
        false_alarms=parsed.false_alarms,
        prices=None if parsed.prices is None else Prices(**parsed.prices.model_dump()),
        derived=made,
        maintenance=maintenance_of(parsed.maintenance),
    )


def _rules(
    parsed: MonitorDocument, windows: tuple[WindowSpec, ...], metrics: Catalogue, schema: Schema
) -> tuple[tuple[Rule, ...], dict[str, Derived]]:
    """The rules, and the numbers that are made for them by name."""
    if parsed.rules is None:
        return default_rules(windows), {}
    by_rule = {
        rule.alert: derived(rule, metrics, schema) for rule in parsed.rules if is_derived(rule.expr)
    }
    rules = declared_rules(parsed.rules, windows, metrics, schema, by_rule)
    return rules, {each.name: each for each in by_rule.values()}


def _schema(parsed: MonitorDocument) -> Schema:
    data = parsed.data
    return Schema(
        task=data.task,
        features=tuple(
            with_quality(Feature(f.name, f.kind, f.was), parsed.quality) for f in data.features
        ),
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
        join_on=() if parsed.join is None else tuple(parsed.join.on),
        ratios=tuple(Ratio(m.name, m.sum, m.per) for m in parsed.own_metrics if m.sum is not None),
    )


def _privacy(parsed: PrivacyDocument, schema: Schema) -> Privacy:
    kinds = {feature.name: feature.kind for feature in schema.features}
    for name in parsed.hash:
        if kinds.get(name, Kind.CATEGORICAL) is not Kind.CATEGORICAL:
            raise SchemaError(
                f"feature {name!r} is {kinds[name]}, and its hashes would be text: make it "
                "categorical, or do not watch it"
            )
    needed = {*kinds, *schema.join_on, schema.label, schema.output, *schema.scores}
    lost = sorted(needed & set(parsed.drop))
    if lost:
        raise SchemaError(f"{lost[0]!r} is needed and cannot be dropped: hash it, or leave it out")
    return Privacy(_all_names(parsed.hash, schema), _all_names(parsed.drop, schema))


def _all_names(names: list[str], schema: Schema) -> frozenset[str]:
    """Names with all others that a client may still give to the same field."""
    alike = [ID_NAMES, *((feature.name, *feature.was) for feature in schema.features)]
    others = {name for group in alike if not set(group).isdisjoint(names) for name in group}
    return frozenset(names) | others


def _segments(parsed: MonitorDocument) -> tuple[Segment, ...]:
    """The declared segments; a protected attribute is one as well."""
    declared = [
        s if isinstance(s, SegmentDocument) else SegmentDocument(column=s) for s in parsed.segments
    ]
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


def _check_function(metric: MetricDocument) -> None:
    try:
        if metric.function is not None:
            registered(metric.function)
    except InvalidInputError as error:
        raise SchemaError(str(error)) from error


def _metrics(schema: Schema, parsed: MonitorDocument) -> Catalogue:
    """The standard metrics, those that are declared, and those that rules ask for by argument."""
    try:
        own = [_metric(schema, m) for m in parsed.own_metrics if m.sum is None]
        found = catalogue(schema, own)
        chosen = [found.find(name).name for name in parsed.chosen_metrics]
        asked: dict[str, Metric] = {}
        for rule in parsed.rules or []:
            for name in _looked_at(rule):
                if name not in {*SIGNALS, *SERVING, *found}:
                    metric = _asked(found, rule, name)
                    asked[metric.name] = metric
        return catalogue(schema, [*own, *asked.values()], first=chosen)
    except SchemaError:
        raise
    except InvalidInputError as error:
        raise SchemaError(str(error)) from error


def _looked_at(rule: RuleDocument) -> list[str]:
    """The names of the metrics that a rule is about."""
    if rule.expr.expression is not None:
        return sorted(parsed_expression(rule.expr.expression).names)
    return [plain_name(rule.expr.looked_at)]


def _asked(found: Catalogue, rule: RuleDocument, name: str) -> Metric:
    try:
        return found.find(name)
    except InvalidInputError as error:
        or_signals = "" if "@" in name else f", or {', '.join([*SIGNALS, *SERVING])}"
        raise SchemaError(f"rule {rule.alert!r}: {error}{or_signals}") from error


def _metric(schema: Schema, declared: MetricDocument) -> Metric:
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


def _check_retention(
    parsed: MonitorDocument, windows: tuple[WindowSpec, ...], label_horizon: int
) -> None:
    """Late truth has to find its prediction, and a window that it changes all of its rows."""
    least = label_horizon + windows[-1].size
    if parsed.retention is not None and parsed.retention < least:
        horizon = "labels.max" if parsed.join is None else "join.within"
        raise SchemaError(
            f"retention {format_duration(parsed.retention)} is shorter than {horizon} "
            f"{format_duration(label_horizon)} and the largest window {windows[-1].name} "
            f"together; write at least {format_duration(least)}, or lower those"
        )
