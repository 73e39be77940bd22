"""Tests of rules as a file has them: what windows say, and where that leaves an alert."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tocsin.declared import wording
from tocsin.declared.configuration import Source, faults_in, refused
from tocsin.declared.strict_yaml import read
from tocsin.rules import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.declared.fault import Fault

_Share = Annotated[float, Field(ge=0, le=1)]
_Name = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WindowDocument(_Strict):
    """What one window says of a rule, and where the alert stands after it.

    value, low, high: of the metric and its interval. n: rows that it is of; rows: predictions, none
    of them a window without data. coverage: their labelled share. sees: the verdict itself.
    revise: the number of an earlier window that says this now, in place of a new one.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: Annotated[int, Field(ge=0)] = 10_000
    rows: Annotated[int, Field(ge=0)] = 10_000
    coverage: _Share = 1.0
    sees: Literal["breach", "between", "clear", "insufficient", "missing"] | None = None
    repeat: Annotated[int, Field(ge=1, le=10_000)] = 1
    revise: Annotated[int, Field(ge=1)] | None = None
    expect: Phase | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.value is None) == (self.sees is None) and self.rows:
            raise ValueError("needs either `value` or `sees`, or `rows: 0`")
        return self


class EpisodeDocument(_Strict):
    """A run of an alert, by the numbers of the windows; resolved: none while it goes on."""

    started: int
    fired: int
    resolved: int | None = None


class RuleTestDocument(_Strict):
    """A series of windows for one rule; `restart` stands for the server ending and beginning."""

    name: _Name
    monitor: _Name
    rule: _Name
    windows: Annotated[list[Literal["restart"] | WindowDocument], Field(min_length=1)]
    episodes: list[EpisodeDocument] | None = None


class RuleTestsDocument(_Strict):
    """A file of tests. files: the monitors that they are of, from the folder of this file."""

    api_version: Annotated[Literal["tocsin/v1"], Field(alias="apiVersion")]
    files: Annotated[list[_Name], Field(min_length=1)]
    tests: Annotated[list[RuleTestDocument], Field(min_length=1)]


def parse_rule_tests(source: Source) -> RuleTestsDocument:
    """The tests of a file. Raises: ConfigurationError with every fault and its place."""
    node, found = read(source.text, source.file)
    faults: Sequence[Fault] = found
    if node is not None and not found:
        try:
            return RuleTestsDocument.model_validate_json(
                json.dumps(node.value), strict=True, by_alias=True, by_name=False
            )
        except ValidationError as error:
            schema: dict[str, Any] = RuleTestsDocument.model_json_schema()
            faults = faults_in(node, wording.faults(error, node, schema))
    raise refused(faults)
