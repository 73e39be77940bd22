"""What pydantic found, as people who write YAML would say it: the field, the value, the remedy."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tocsin.declared.fault import Path
from tocsin.declared.json_schema import known_keys, monitors_schema
from tocsin.declared.strict_yaml import Node
from tocsin.errors import did_you_mean

# What values have to be like, where pydantic only has an expression.
_FORMS = {
    r"^[A-Za-z_][A-Za-z0-9_]*$": "of a name: letters, digits and _, and no digit first",
    r"^[^/]*$": "of a name: without /",
    r"^https?://[^\s]+$": "of an address, such as https://example.com/runbook",
    r"^[^@\s<>,;]+@[^@\s<>,;]+$": "of a mailbox, such as oncall@example.com",
}
_BOUNDS = {
    "ge": "is too small; write at least {ge}",
    "gt": "is too small; write more than {gt}",
    "le": "is too large; write at most {le}",
    "lt": "is too large; write less than {lt}",
    "min_length": "is too short; at least {min_length} is needed",
    "max_length": "is too long; at most {max_length} are taken",
}
_OF_A_KIND = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list, an item on each line after `- `",
    "tuple": "a list, an item on each line after `- `",
    "dict": "a mapping of `key: value`",
    "model": "a mapping of `key: value`",
    "enum": "text",
    "literal": "one of the words",
}


def faults(
    error: ValidationError, node: Node, schema: dict[str, Any] | None = None
) -> list[tuple[Path, str]]:
    """The faults as paths of the document, each with what is wrong and what to do.

    schema: the JSON Schema of the document, of a file of monitors if it is None.
    Where a value may be of several kinds, only the faults of the kind that it is of are told.
    """
    found: dict[Path, list[tuple[bool, ErrorDetails]]] = {}
    for detail in error.errors(include_url=False):
        loc = detail["loc"]
        if loc[:1] == ("monitors",) and loc[2:] == ("data",):
            # Of what is not there pydantic says how the code calls it.
            loc = (*loc[:2], "schema")
        path, branch = _path(node, loc)
        if detail["type"] in ("missing", "extra_forbidden"):
            path = (*path, str(loc[-1])) if path[-1:] != loc[-1:] else path
        found.setdefault(path, []).append((branch, detail))
    return [
        (path, _words(path, [d for _, d in details], node, schema or monitors_schema()))
        for path, details in found.items()
        # The value is of another kind than a branch wants, and has faults of its own kind deeper.
        if not (
            all(branch and _of_a_kind(d) for branch, d in details)
            and any(other[: len(path)] == path and other != path for other in found)
        )
    ]


def _path(node: Node, loc: Sequence[str | int]) -> tuple[Path, bool]:
    """Without the names of branches that pydantic puts in between; whether there were any."""
    path: list[str | int] = []
    here: Node | None = node
    branch = False
    for i, part in enumerate(loc):
        below = None if here is None else here.child(part)
        if below is None and (i < len(loc) - 1 or _is_branch(part)):
            branch = True
            continue
        if below is None:
            break
        path.append(part)
        here = below
    return tuple(path), branch


def _is_branch(part: str | int) -> bool:
    """Whether it names a kind of value and no field."""
    kinds = ("str", "int", "float", "bool", "literal", "function", "constrained", "lax-or-strict")
    return isinstance(part, str) and (
        "[" in part or part.endswith("Document") or part.partition("-")[0] in kinds
    )


def _of_a_kind(detail: ErrorDetails) -> bool:
    return detail["type"].endswith(("_type", "_parsing")) or detail["type"] == "literal_error"


def _words(path: Path, details: Sequence[ErrorDetails], node: Node, schema: dict[str, Any]) -> str:
    first = next((detail for detail in details if not _of_a_kind(detail)), details[0])
    key = str(path[-1]) if path else "the file"
    kind = first["type"]
    if kind == "missing":
        return f"`{key}` is required; add it"
    if kind == "extra_forbidden":
        return f"there is no `{key}` here; {nearest(key, known_keys(path[:-1], schema))}"
    if len(details) > 1 and all(_of_a_kind(detail) for detail in details):
        wanted = list(dict.fromkeys(_wanted(detail) for detail in details))
        return f"{_given(path, node)} should be {' or '.join(wanted)}"
    if _of_a_kind(first):
        return _other_kind(first, path, node)
    return _other_value(first, path, node)


def _other_kind(detail: ErrorDetails, path: Path, node: Node) -> str:
    if detail["type"] in ("literal_error", "enum"):
        return _other_value(detail, path, node)
    scalar = node.at(path)
    said = f"{_given(path, node)} should be {_wanted(detail)}"
    if detail["type"] == "string_type" and scalar is not None and scalar.text:
        return f'{said}; write it in quotes, as "{scalar.text}"'
    if scalar is not None and isinstance(scalar.value, str) and scalar.text:
        return f"{said}; write it without quotes or words around it"
    return said


def _other_value(detail: ErrorDetails, path: Path, node: Node) -> str:
    limits: dict[str, Any] = detail.get("ctx", {})
    # What is wrong may be the key itself.
    is_key = path and detail["input"] == path[-1]
    given = repr(path[-1]) if is_key else _given(path, node)
    if detail["type"] in ("literal_error", "enum"):
        words = [
            word.strip("'") for word in str(limits["expected"]).replace(" or ", ", ").split(", ")
        ]
        return f"{given} is not known here; {nearest(_text(path, node), words, all_of_them=True)}"
    if detail["type"] == "string_pattern_mismatch":
        if str(path[-1]).endswith("_env"):
            return "this is no name of a variable, such as SLACK_HOOK; the secret stays outside"
        if str(path[-1]).endswith("_file"):
            return "this is no path of a file, such as /run/secrets/slack; the secret stays there"
        return f"{given} does not have the form {_FORMS.get(limits['pattern'], limits['pattern'])}"
    bound = next((words for bound, words in _BOUNDS.items() if bound in limits), None)
    if bound is not None:
        return f"{given} {bound.format(**limits)}"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return message.removeprefix("List ").removeprefix("String ")


def nearest(word: str, known: Iterable[str], *, all_of_them: bool = False) -> str:
    """What may have been meant, and else what there is.

    >>> nearest("colum", ["column", "cuts"]), nearest("x", ["column", "cuts"])
    ('did you mean `column`?', 'there are column, cuts')
    """
    names = list(known)
    meant = did_you_mean(word, names)
    there = f"there are {', '.join(names)}" if names else "leave it out"
    if meant and all_of_them:
        return f"{meant}{there[:1].upper()}{there[1:]}"
    return meant.rstrip() or there


def _wanted(detail: ErrorDetails) -> str:
    if detail["type"] == "literal_error":
        return str(detail.get("ctx", {})["expected"])
    return _OF_A_KIND.get(detail["type"].partition("_")[0], "of another kind")


def _text(path: Path, node: Node) -> str:
    here = node.at(path)
    return "" if here is None else here.text


def _given(path: Path, node: Node) -> str:
    """A value as it was written; what receivers have might be a secret."""
    here = node.at(path)
    if here is None or path[:1] == ("receivers",):
        return "what is here"
    if here.entries or isinstance(here.value, dict):
        return "a mapping"
    if here.items or isinstance(here.value, list):
        return "a list"
    return "nothing" if here.value is None and not here.text else repr(here.text)
