"""Tests of rules as a file has them: what windows say, and where that leaves an alert."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tocsin.declared import wording
from tocsin.declared.configuration import Source, faults_in, labelled, refused
from tocsin.declared.fault import Fault
from tocsin.declared.strict_yaml import Node, read
from tocsin.rules import Phase

_TESTS = "tests"
_M = TypeVar("_M", bound=BaseModel)
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
        both = self.value is not None and self.sees is not None
        if both or (
            self.value is None and self.sees is None and "rows" not in self.model_fields_set
        ):
            raise ValueError("needs either `value` or `sees`, or `rows: 0`")
        return self


class EpisodeDocument(_Strict):
    """A run of an alert, by the numbers of the windows; resolved: none while it goes on."""

    started: int
    fired: int
    resolved: int | None = None


class RuleTestDocument(_Strict):
    """A series of windows for one rule; `restart` stands for the server ending and beginning.

    about: the alert of what the rule looks at, or that of windows without rows, which a rule with
    `no_data: no_data` has beside it.
    """

    name: _Name
    monitor: _Name
    rule: _Name
    about: Literal["rule", "no_data"] = "rule"
    windows: Annotated[list[Literal["restart"] | WindowDocument], Field(min_length=1)]
    episodes: list[EpisodeDocument] | None = None


class RuleTestsDocument(_Strict):
    """A file of tests. files: the monitors that they are of, from the folder of this file."""

    api_version: Annotated[Literal["tocsin/v1"], Field(alias="apiVersion")]
    files: Annotated[list[_Name], Field(min_length=1)]
    tests: Annotated[list[RuleTestDocument], Field(min_length=1)]


@dataclass(frozen=True)
class ParsedTests:
    """A file of tests.

    tests: those of the right form by their number in it. faulty: what is wrong with the others.
    """

    files: tuple[str, ...]
    tests: Mapping[int, RuleTestDocument]
    faulty: Mapping[int, tuple[Fault, ...]]
    node: Node

    def fault_of(self, number: int, field: str, message: str) -> Fault:
        """A fault of a field of a test, at its place."""
        (found,) = faults_in(self.node, [((_TESTS, number, field), message)])
        return found

    def name_of(self, number: int) -> str:
        """What a test is called, also where that has the wrong form."""
        text = getattr(self.node.at((_TESTS, number, "name")), "text", "")
        return text or f"test {number + 1}"


def parse_rule_tests(source: Source) -> ParsedTests:
    """The tests of a file. Raises: ConfigurationError for faults that no test has for itself."""
    node, found = read(source.text, source.file)
    if node is None:
        raise refused(found)
    if found:
        raise refused(labelled(node, found))
    faults = _faults(node, node.value)
    of_tests = {f.path[1] for f in faults if len(f.path) > 1 and f.path[0] == _TESTS}
    if any(len(f.path) < 2 or f.path[0] != _TESTS for f in faults):
        raise refused(faults)
    kept = [i for i in range(len(node.value[_TESTS])) if i not in of_tests]
    tests = {i: _validated(RuleTestDocument, node.value[_TESTS][i]) for i in kept}
    faulty = {int(i): tuple(f for f in faults if f.path[1] == i) for i in of_tests}
    return ParsedTests(tuple(node.value["files"]), tests, faulty, node)


def _faults(node: Node, document: Any) -> tuple[Fault, ...]:
    try:
        _validated(RuleTestsDocument, document)
    except ValidationError as error:
        schema: dict[str, Any] = RuleTestsDocument.model_json_schema()
        return faults_in(node, wording.faults(error, node, schema))
    return ()


def _validated(kind: type[_M], document: Any) -> _M:
    """The document, without guesses. Raises: ValidationError."""
    return kind.model_validate_json(json.dumps(document), strict=True, by_alias=True, by_name=False)
