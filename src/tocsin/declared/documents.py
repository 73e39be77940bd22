"""The documents that people write, as pydantic reads them: strictly, fault by fault."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from tocsin.declared.durations import Duration, Patience, Span, Windows
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


class SchemaDocument(_Strict):
    """The columns of a model and their roles."""

    task: Task = Task.BINARY
    features: list[FeatureDocument] = Field(min_length=1)
    score: _Name | None = None
    prediction: _Name | None = None
    label: _Name
    positive: str = "1"
    negative: str = "0"
    threshold: float = 0.5
    thresholds: list[float] = []
    classes: list[str] = []
    scores: list[_Name] = []


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


class MonitorDocument(_Strict):
    """A whole monitor."""

    model: str | None = None
    version: str = "unknown"
    data: Annotated[SchemaDocument, Field(alias="schema")]
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
    metrics: list[MetricDocument] = []
    drift: DriftDocument = DriftDocument()
    rules: list[RuleDocument] | None = None
    quality: QualityDocument = QualityDocument()
    publish: bool = True
    prices: PricesDocument | None = None
    false_alarms: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)] = 1.0


class WebhookDocument(_Strict):
    """Where notifications are posted."""

    url: str = Field(pattern=r"^https?://[^\s]+$")
    secret_env: str | None = None


_Mailbox = Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=254)]
_Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


_Address = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


class SlackDocument(_Strict):
    """A channel by a bot, or by an incoming webhook; secrets by the names of their variables.

    channel: such as C0123. api_url: of another Slack, such as that of governments.
    """

    webhook_url_env: _Variable | None = None
    token_env: _Variable | None = None
    channel: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,30}$")] | None = None
    api_url: _Address | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.webhook_url_env is None) == (self.token_env is None):
            raise ValueError("either `webhook_url_env`, or `token_env` and `channel`, is required")
        if (self.token_env is None) != (self.channel is None):
            raise ValueError("`token_env` and `channel` go together")
        return self


class AlertmanagerDocument(_Strict):
    """An Alertmanager of Prometheus. token_env: of a proxy before it."""

    url: _Address
    token_env: _Variable | None = None


class AppriseDocument(_Strict):
    """Services that Apprise knows: the variable that holds their addresses."""

    urls_env: _Variable


class HookDocument(_Strict):
    """A chat whose address is a secret: the name of the variable that holds it."""

    webhook_url_env: _Variable


class PagerDutyDocument(_Strict):
    """A service of PagerDuty. url: of another region."""

    routing_key_env: _Variable
    url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")


class EmailDocument(_Strict):
    """Recipients, and the relay that takes their mail. port: what is usual for the security."""

    to: list[_Mailbox] = Field(min_length=1, max_length=100)
    sender: Annotated[_Mailbox, Field(alias="from")]
    host: _Name
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: _Name | None = None
    password_env: _Variable | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.username is None) != (self.password_env is None):
            raise ValueError("`username` and `password_env` go together")
        if self.password_env is not None and self.security == "none":
            raise ValueError("a password is not sent unencrypted: choose starttls or tls")
        return self


class ReceiverDocument(_Strict):
    """A receiver of notifications: one of these.

    fallback: another receiver, which is told of critical alerts that this one does not take.
    """

    webhook: WebhookDocument | None = None
    slack: SlackDocument | None = None
    teams: HookDocument | None = None
    pagerduty: PagerDutyDocument | None = None
    email: EmailDocument | None = None
    alertmanager: AlertmanagerDocument | None = None
    apprise: AppriseDocument | None = None
    fallback: _Name | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self._channels) != 1 or self.chosen is None:
            known = ", ".join(name for name in type(self).model_fields if name != "fallback")
            raise ValueError(f"one channel is required, of {known}")
        return self

    @property
    def _channels(self) -> set[str]:
        return self.model_fields_set - {"fallback"}

    @property
    def chosen(self) -> tuple[str, _Strict] | None:
        """The channel and its options."""
        found = [(name, getattr(self, name)) for name in self._channels]
        return next(((name, options) for name, options in found if options is not None), None)
