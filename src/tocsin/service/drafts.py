"""A rule that somebody writes into a form: its YAML before it is saved, or what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.declared import parse_monitor
from tocsin.declared.configuration import Source, check
from tocsin.declared.configuration_documents import API_VERSION
from tocsin.declared.exported import strict_monitor
from tocsin.declared.rules import default_rules
from tocsin.declared.yaml_text import as_yaml
from tocsin.errors import InvalidInputError
from tocsin.records import Records, applied, models
from tocsin.records.applied import Applied
from tocsin.rules import Rule
from tocsin.service.register import Register
from tocsin.values import format_duration

# The fields of the form, and where a rule has them.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "alert": ("alert",),
    "metric": ("expr", "metric"),
    "window": ("expr", "window"),
    "op": ("expr", "op"),
    "value": ("expr", "value"),
    "clear": ("expr", "clear"),
    "for": ("for",),
    "min_samples": ("min_samples",),
    "severity": ("labels", "severity"),
    "summary": ("annotations", "summary"),
}
_NUMBERS = ("value", "clear")
_COUNTS = ("for", "min_samples")


@dataclass(frozen=True)
class Draft:
    """A rule as it was written.

    rule: as a document; yaml: the same as a file has it. errors: by field of the form, what
    concerns no field under "".
    """

    rule: dict[str, Any]
    yaml: str
    errors: Mapping[str, str]
    monitor: dict[str, Any]


class Drafts:
    """Rules and monitors as code, for pages."""

    def __init__(self, records: Records, register: Register) -> None:
        self._records = records
        self._register = register

    def code(self, model: str) -> str:
        """A model's monitor as a file has it. Raises: UnknownModelError."""
        document = {"name": model, **strict_monitor(model, self._document(model))}
        return as_yaml({"apiVersion": API_VERSION, "monitors": [document]})

    def owner(self, model: str) -> Applied | None:
        """The files that declare a model, as they were applied; None where none do."""
        with self._records.read() as connection:
            newest = applied.newest(connection)
        declared = [] if newest is None else newest.document.get("monitors", [])
        return newest if any(each["name"] == model for each in declared) else None

    def rule(self, model: str, fields: Mapping[str, str]) -> Draft:
        """The rule that a form describes, nothing saved. Raises: UnknownModelError."""
        return _draft(model, self._document(model), fields)

    def save(self, model: str, fields: Mapping[str, str], *, actor: str) -> Draft:
        """Add the rule to the monitor, unless something is wrong with it.

        Raises: UnknownModelError.
        """
        draft = self.rule(model, fields)
        if draft.errors:
            return draft
        try:
            self._register.change(model, draft.monitor, actor=actor)
        except InvalidInputError as error:
            return Draft(draft.rule, draft.yaml, {"": str(error)}, draft.monitor)
        return draft

    def _document(self, model: str) -> dict[str, Any]:
        with self._records.read() as connection:
            _, document = models.monitor_named(connection, model)
        return document


def _draft(model: str, document: dict[str, Any], fields: Mapping[str, str]) -> Draft:
    rule = _rule(fields)
    before = strict_monitor(model, document)
    # Where nobody wrote rules there are some, which a first one that is written must not end.
    rules = before.get("rules")
    if rules is None:
        monitor = parse_monitor(model, document)
        rules = [_document_of(each) for each in default_rules(monitor.windows)]
    after = {**before, "rules": [*rules, rule]}
    text = as_yaml({"apiVersion": API_VERSION, "monitors": [{"name": model, **after}]})
    mine = ("monitors", 0, "rules", len(rules))
    errors: dict[str, str] = {}
    for fault in check([Source(model, text)], new=True).faults:
        field = _field(fault.path[len(mine) :]) if fault.path[: len(mine)] == mine else ""
        errors.setdefault(field, fault.message)
    return Draft(rule, as_yaml([rule]), errors, after)


def _rule(fields: Mapping[str, str]) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    for field, path in FIELDS.items():
        text = fields.get(field, "").strip()
        if not text:
            continue
        here = rule
        for part in path[:-1]:
            here = here.setdefault(part, {})
        here[path[-1]] = _value(field, text)
    return rule


def _value(field: str, text: str) -> str | int | float:
    """A number where one is meant; text that is none is told as such."""
    try:
        if field in _NUMBERS:
            return float(text)
        return int(text) if field in _COUNTS else text
    except ValueError:
        return text


def _field(path: tuple[str | int, ...]) -> str:
    """The field of the form that is nearest to a path of a rule."""
    exact = next((field for field, place in FIELDS.items() if place == path[: len(place)]), None)
    if exact is not None:
        return exact
    return next((field for field, place in FIELDS.items() if path and place[0] == path[0]), "")


def _document_of(rule: Rule) -> dict[str, Any]:
    """A rule that nobody wrote, as somebody would."""
    return {
        "alert": rule.name,
        "expr": {"metric": rule.metric, "window": format_duration(rule.window)},
        "for": rule.for_windows,
        "keep_firing_for": rule.keep_firing_windows,
        "labels": {"category": rule.category},
    }
