"""Rules in a file of their own, or of a monitor in its file: to be tried, with their places."""

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tocsin.declared import wording
from tocsin.declared.configuration import Source, check, faults_in, labelled, refused
from tocsin.declared.documents import RuleDocument
from tocsin.declared.fault import Fault
from tocsin.declared.meaning import blamed
from tocsin.declared.strict_yaml import Node, read
from tocsin.errors import ConfigurationError

_RULES = "rules"


class _RulesDocument(BaseModel):
    """A file of rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: Annotated[list[RuleDocument], Field(min_length=1)]


@dataclass(frozen=True)
class RulesFile:
    """Rules as a file has them. node: a mapping with `rules`, wherever these stand in the file."""

    node: Node

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules as documents."""
        found: list[dict[str, Any]] = self.node.value[_RULES]
        return found

    def fault_of(self, message: str) -> Fault | None:
        """What a server says of one of the rules, at its place; None if it is of something else."""
        named = re.search(r"rule '([^']*)'", message)
        for i, rule in enumerate(self.rules):
            if named is not None and rule["alert"] == named[1]:
                path, told = blamed((_RULES, i), self.node.value, message)
                return faults_in(self.node, [(path, told)])[0]
        return None


def parse_rules(source: Source, model: str) -> RulesFile:
    """The rules of a file: a list, `rules:` with a list, or those of a model in a file of monitors.

    Raises: ConfigurationError with every fault of their form and its place.
    """
    node, faults = read(source.text, source.file)
    if node is None:
        raise refused(faults)
    if faults:
        raise refused(labelled(node, faults))
    if "monitors" in node.entries:
        return RulesFile(_of_monitor(source, node, model))
    if not node.entries:
        node = _under_rules(node)
    try:
        _RulesDocument.model_validate_json(
            json.dumps(node.value), strict=True, by_alias=True, by_name=False
        )
    except ValidationError as error:
        found = wording.faults(error, node, _RulesDocument.model_json_schema())
        raise refused(faults_in(node, found)) from error
    return RulesFile(node)


def _of_monitor(source: Source, node: Node, model: str) -> Node:
    """The rules of a model in a file of monitors."""
    faults = check([source]).faults
    if faults:
        raise refused(faults)
    named = {each.value["name"]: each for each in node.entries["monitors"].items}
    if model not in named:
        known = wording.nearest(model, named)
        raise ConfigurationError(f"{source.file} has no monitor {model!r}; {known}")
    rules = named[model].entries.get(_RULES)
    if rules is None or not rules.value:
        raise ConfigurationError(
            f"{rules.place if rules else named[model].place}: monitor {model!r} has no `rules` in "
            "this file; add some, or leave out --rules to try those of the server"
        )
    return _under_rules(rules)


def _under_rules(node: Node) -> Node:
    return Node(node.place, {_RULES: node.value}, entries={_RULES: node}, keys={_RULES: node.place})
