"""The documents that people write, as pydantic reads them: strictly, fault by fault."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tocsin.declared.durations import Duration, Patience, Span, Windows
from tocsin.declared.maintenance import MaintenanceDocument
from tocsin.declared.quality import QualityDocument
from tocsin.metrics import SERVING
from tocsin.rules import NoData, Operator
from tocsin.schema import Kind, Task
from tocsin.values import DAY, HOUR, MINUTE


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _names(value: object) -> object:
    """One name is a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


_Name = Annotated[str, Field(min_length=1)]


class FeatureDocument(_Strict):
    """A column that is watched."""

    name: _Name
    kind: Kind
    was: Annotated[tuple[_Name, ...], BeforeValidator(_names)] = ()


class _Outputs(_Strict):
    """What a model puts out, and how its classes are written."""

    score: _Name | None = None
    prediction: _Name | None = None
    positive: str = "1"
    negative: str = "0"
    threshold: float = 0.5
    thresholds: list[float] = []
    classes: list[str] = []
    scores: list[_Name] = []


class SchemaDocument(_Outputs):
    """The columns of a model and their roles."""

    task: Task = Task.BINARY
    features: list[FeatureDocument] = Field(min_length=1)
    label: _Name


def _is_named(label: str | None, info: ValidationInfo) -> str | None:
    """Whoever says the features says the label too."""
    if label is None and info.data.get("features"):
        raise PydanticCustomError("missing", "Field required")
    return label


class ToldSchemaDocument(_Outputs):
    """The same where the registry may tell it: as much of it as is said."""

    task: Task | None = None
    features: Annotated[list[FeatureDocument], Field(min_length=1)] | None = None
    label: Annotated[
        _Name | None, AfterValidator(_is_named), Field(default=None, validate_default=True)
    ]


class SegmentDocument(_Strict):
    """A dimension along which rows are told apart."""

    name: _Name | None = None
    column: _Name | None = None
    cuts: list[float] = Field(default=[], max_length=100)
    where: _Name | None = None


class MetricDocument(_Strict):
    """A metric of one's own."""

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


class LabelsDocument(_Strict):
    """How long labels take: at most, and as a rule."""

    max: Duration = 30 * DAY
    delay: Duration | None = None


class JoinDocument(_Strict):
    """How outcomes without an id find their prediction."""

    on: list[_Name] = Field(min_length=1)
    within: Span


class PrivacyDocument(_Strict):
    """Fields with personal data."""

    hash: list[_Name] = []
    drop: list[_Name] = []


_Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PricesDocument(_Strict):
    """What serving is paid for: hours of processes and of processors, and predictions."""

    process_hour: _Price = 0.0
    cpu_hour: _Price = 0.0
    prediction: _Price = 0.0
    currency: Annotated[str, Field(min_length=1, max_length=10)] = ""


_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")


def _limit(value: object, info: ValidationInfo) -> object:
    """A limit on a time may be written as one: 250ms are 0.25 seconds."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    times = [name for name, metric in SERVING.items() if metric.unit == "seconds"]
    if info.data.get("metric") not in times:
        raise ValueError(f"{value} is a time, as only {', '.join(times)} are; write a number")
    return float(found[1]) / (1_000 if found[2] == "ms" else 1)


class ExpressionDocument(_Strict):
    """What a rule looks at: a metric, or an expression over several.

    relative_to: what is subtracted from the metric. value, clear: seconds of metrics that are
    times.
    """

    metric: str | None = None
    expression: _Name | None = None
    relative_to: Literal["reference", "previous", "version"] | None = None
    window: Span
    by: Annotated[tuple[_Name, ...], BeforeValidator(_names)] = ()
    op: Operator | None = None
    value: Annotated[float | Literal["auto"] | None, BeforeValidator(_limit)] = None
    clear: Annotated[float | None, BeforeValidator(_limit)] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.metric is None) == (self.expression is None):
            raise ValueError("needs either `metric` or `expression`")
        return self

    @property
    def looked_at(self) -> str:
        """The name of the metric, or the expression."""
        return self.metric or self.expression or ""


_LabelName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
_LabelValue = Annotated[str, Field(max_length=256)]
# What every alert is labelled with by itself.
_OWN_LABELS = ("alert", "model", "instance", "feature", "segment", "version")


class RuleLabelsDocument(BaseModel):
    """How urgent a rule is, and what it is about: `performance`, or `early` of an estimate.

    Others are free, such as `team`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[_LabelName, _LabelValue]

    severity: Literal["info", "warning", "critical"] = "warning"
    category: str | None = None

    @model_validator(mode="after")
    def _not_own(self) -> Self:
        for name in self.own:
            if name in _OWN_LABELS:
                raise ValueError(f"every alert has `{name}` by itself; choose another name")
        return self

    @property
    def own(self) -> dict[str, str]:
        """Those that are free."""
        return dict(sorted(self.__pydantic_extra__.items()))


class AnnotationsDocument(_Strict):
    """What a person is told first, and where it says what to do."""

    summary: Annotated[str, Field(max_length=1_000)] = ""
    runbook_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None


class RuleDocument(_Strict):
    """A rule."""

    alert: str = Field(min_length=1, max_length=128)
    expr: ExpressionDocument
    patience: Annotated[Windows, Field(alias="for")] = Patience(windows=1)
    keep_firing_for: Windows = Patience(windows=1)
    min_samples: Annotated[int, Field(ge=1)] = 1
    min_coverage: Annotated[float, Field(ge=0, le=1)] = 0.5
    confidence: Literal["interval", "none"] = "interval"
    no_data: NoData = NoData.KEEP_LAST
    labels: RuleLabelsDocument = RuleLabelsDocument.model_validate({})
    annotations: AnnotationsDocument = AnnotationsDocument()


class DriftMethodDocument(_Strict):
    """How one column is judged."""

    method: _Name | None = None
    threshold: float | None = None


class DriftDocument(_Strict):
    """How columns are judged; as the default verdict does where it says nothing."""

    method: _Name | None = None
    threshold: float | None = None
    features: dict[_Name, DriftMethodDocument] = {}
    trailing: Span = 28 * DAY
    reference: Literal["frozen", "trailing"] = "frozen"


class MonitorParts(_Strict):
    """All of a monitor but its schema."""

    model: str | None = None
    version: str = "unknown"
    granularity: Span = HOUR
    windows: list[Span] = Field(default=[HOUR, DAY, 7 * DAY], min_length=1)
    lateness: Duration = MINUTE
    clock_skew: Duration = 10 * MINUTE
    retention: Span | None = None
    labels: LabelsDocument = LabelsDocument()
    join: JoinDocument | None = None
    privacy: PrivacyDocument = PrivacyDocument()
    segments: list[_Name | SegmentDocument] = []
    protected: list[_Name] = []
    metrics: list[_Name | MetricDocument] = []
    drift: DriftDocument = DriftDocument()
    rules: list[RuleDocument] | None = None
    quality: QualityDocument = QualityDocument()
    publish: bool = True
    prices: PricesDocument | None = None
    maintenance: list[MaintenanceDocument] = []
    false_alarms: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)] = 1.0

    @property
    def own_metrics(self) -> list[MetricDocument]:
        """Those that are declared here."""
        return [metric for metric in self.metrics if isinstance(metric, MetricDocument)]

    @property
    def chosen_metrics(self) -> list[str]:
        """The names of those that are shown first."""
        return [metric for metric in self.metrics if isinstance(metric, str)]


class MonitorDocument(MonitorParts):
    """A whole monitor."""

    data: Annotated[SchemaDocument, Field(alias="schema")]
