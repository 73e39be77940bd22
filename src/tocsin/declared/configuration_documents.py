"""The document of a file of monitors, as pydantic reads it."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tocsin.declared.documents import MonitorParts, ToldSchemaDocument
from tocsin.declared.durations import Span
from tocsin.declared.receiver_documents import ReceiverDocument
from tocsin.declared.routing_documents import (
    InhibitRuleDocument,
    MuteTimeDocument,
    RouteDocument,
)
from tocsin.schema import Task

API_VERSION = "tocsin/v1"
MOST_IN_A_NAME = 200


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _printable(name: str) -> str:
    if not name.isprintable() or not name.strip():
        raise ValueError("a name is of characters that can be seen")
    return name


_ModelName = Annotated[
    str,
    Field(min_length=1, max_length=MOST_IN_A_NAME, pattern=r"^[^/]*$"),
    AfterValidator(_printable),
]


class ReferenceDocument(_Strict):
    """Where the reference is: one of these, or both `file` and `sha256`.

    file: Parquet, by its path from the file that says so. dataset: that on which the version of
    `model` was trained, as MLflow has it. window: the model's own newest predictions, as they are
    when this is applied. sha256: of rows that the server has, as `export` says.
    """

    file: Annotated[str, Field(min_length=1)] | None = None
    dataset: Literal["training"] | None = None
    window: Span | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = (self.dataset, self.window, self.file or self.sha256)
        if sum(part is not None for part in given) != 1:
            raise ValueError("write either `file`, `dataset: training`, `window` or `sha256`")
        return self


def _from_the_log(source: object) -> object:
    if source != "log":
        raise ValueError(
            "rows come over HTTP, or from files, tables and streams by `tocsin ingest`; write "
            "`source: log`, or leave it out"
        )
    return source


def _tellable(data: ToldSchemaDocument | None, info: ValidationInfo) -> ToldSchemaDocument | None:
    """What a file leaves out of a schema the registry has to tell."""
    reference = info.data.get("reference")
    told = isinstance(reference, ReferenceDocument) and reference.dataset is not None
    if told and info.data.get("model"):
        return data
    if data is None:
        raise PydanticCustomError("missing", "Field required")
    if data.features is None:
        raise ValueError(
            "`features` are missing: add them, or let the registry tell them by `model` and "
            "`reference: {dataset: training}`"
        )
    return data


def _one_task(data: ToldSchemaDocument | None, info: ValidationInfo) -> ToldSchemaDocument | None:
    task = info.data.get("task")
    if task is not None and data is not None and data.task not in (None, task):
        raise ValueError(f"`task` is {data.task} here and {task} beside it; write it once")
    return data


class MonitorEntry(MonitorParts):
    """A monitor with its name and its reference; without one, the server keeps what it has.

    schema: what of it the registry is not to tell. task: the same as in `schema`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [{"anyOf": [{"required": ["schema"]}, {"required": ["model", "reference"]}]}]
        }
    )

    name: _ModelName
    reference: Annotated[str, Field(min_length=1)] | ReferenceDocument | None = None
    task: Task | None = None
    source: Annotated[Literal["log"], BeforeValidator(_from_the_log)] = "log"
    data: Annotated[
        ToldSchemaDocument | None,
        AfterValidator(_tellable),
        AfterValidator(_one_task),
        Field(alias="schema", default=None, validate_default=True),
    ]


class ReceiverEntry(ReceiverDocument):
    """A receiver with its name."""

    name: Annotated[str, Field(min_length=1, max_length=MOST_IN_A_NAME)]

    @model_validator(mode="after")
    def _one(self) -> Self:
        """As a receiver without a name is checked."""
        rest = self.model_dump(exclude={"name"}, exclude_unset=True, by_alias=True)
        try:
            ReceiverDocument.model_validate(rest)
        except ValidationError as error:
            told = error.errors()[0]["msg"]
            raise ValueError(told.removeprefix("Value error, ")) from error
        return self


class ConfigurationDocument(_Strict):
    """A file of monitors and of what goes with them."""

    model_config = ConfigDict(title="Tocsin's monitors as code")

    api_version: Annotated[Literal["tocsin/v1"], Field(alias="apiVersion")]
    monitors: list[MonitorEntry] = []
    receivers: list[ReceiverEntry] = []
    route: RouteDocument | None = None
    inhibit_rules: list[InhibitRuleDocument] | None = None
    mute_times: list[MuteTimeDocument] = []


NAMED = ("monitors", "receivers")
# What is written once, in one of the files: who is told, which is one thing.
SINGLE = ("route", "inhibit_rules", "mute_times")


def parsed_strictly(document: Any) -> ConfigurationDocument:
    """The document, without guesses: text is no number, and 1 no boolean. Raises: ValidationError.

    document: as JSON has it.
    """
    import json

    return ConfigurationDocument.model_validate_json(
        json.dumps(document), strict=True, by_alias=True, by_name=False
    )
