"""YAML without surprises, every value with its place.

Only what YAML 1.2 and 1.1 read alike: JSON's types, anchors and merges. What the two read
differently, such as `yes` or `010`, is a fault and no guess, and so is a key that comes twice.
JSON is YAML, and is read the same way.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from tocsin.declared.fault import Fault, Path, Place

# With libyaml it takes a tenth of the time; both build the same nodes.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
MOST_CHARACTERS = 4_000_000
# An alias of aliases grows with every level: so many values nobody repeats.
_MOST_REPEATED = 20_000
_DEEPEST = 100
_PLAIN_TAGS = ("str", "map", "seq", "int", "float", "bool", "null")
_TAG = "tag:yaml.org,2002:"
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE, _FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
_OTHERWISE_BOOLEAN = re.compile(r"(yes|no|on|off)", re.IGNORECASE)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_OTHERWISE_NUMBER = re.compile(r"[-+]?0[0-9_]+|[-+]?0o[0-7]+|[-+]?0x[0-9a-fA-F]+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, eq=False)
class Node:
    """A value with the place where it begins.

    value: as JSON has it. text: a scalar as it was written. keys: where the keys of a mapping are.
    """

    place: Place
    value: Any
    text: str = ""
    entries: dict[str, "Node"] = field(default_factory=dict)
    items: tuple["Node", ...] = ()
    keys: dict[str, Place] = field(default_factory=dict)

    def child(self, part: str | int) -> "Node | None":
        """What a key or a number leads to; None when it leads nowhere."""
        if isinstance(part, str):
            return self.entries.get(part)
        return self.items[part] if part < len(self.items) else None

    def at(self, path: Path) -> "Node | None":
        """What a path leads to; None when it leads nowhere."""
        here: Node | None = self
        for part in path:
            here = None if here is None else here.child(part)
        return here

    def place_of(self, path: Path) -> Place:
        """Where a path leads: to a key's own place, or to the nearest that is there."""
        node, place = self, self.place
        for part in path:
            found = node.child(part)
            if found is None:
                return place
            place = node.keys[part] if isinstance(part, str) else found.place
            node = found
        return place

    def scalars(self, path: Path = ()) -> Iterator[tuple[Path, "Node"]]:
        """All values that hold no others, with their paths."""
        if not self.entries and not self.items:
            yield path, self
        for key, child in self.entries.items():
            yield from child.scalars((*path, key))
        for number, child in enumerate(self.items):
            yield from child.scalars((*path, number))


def read(text: str, file: str) -> tuple[Node | None, list[Fault]]:
    """The document of a file, None where it cannot be read at all, and what is wrong with it."""
    start = Place(file, 1, 1)
    if len(text) > MOST_CHARACTERS:
        what = f"{len(text):,} characters are more than the {MOST_CHARACTERS:,} of a file; split it"
        return None, [Fault(start, "", what)]
    try:
        composed = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = start if mark is None else Place(file, mark.line + 1, mark.column + 1)
        return None, [Fault(place, "", _unreadable(error))]
    except (yaml.YAMLError, UnicodeError) as error:
        reason = getattr(error, "reason", None) or error
        return None, [Fault(start, "", f"this is no YAML: {reason}; save it as plain UTF-8 text")]
    except RecursionError:
        return None, [Fault(start, "", "lists within lists go too deep; nobody reads that")]
    if composed is None:
        return None, [Fault(start, "", "the file is empty; begin with `apiVersion: tocsin/v1`")]
    builder = _Builder(file)
    try:
        return builder.node(composed, ()), builder.faults
    except _EndlessError as error:
        return None, [Fault(builder.place(error.made), "", str(error))]


def is_plain_text(text: str) -> bool:
    """Whether this, written without quotes, is read as text."""
    others = (_NULL, _TRUE, _FALSE, _OTHERWISE_BOOLEAN, _OTHERWISE_NUMBER, _NOT_FINITE, _NUMBER)
    return not any(other.fullmatch(text) for other in others)


def _unreadable(error: yaml.MarkedYAMLError) -> str:
    problem = " ".join(str(error.problem or error.context).split())
    if "single document" in str(error.context):
        return "a second document begins here; put it into a file of its own"
    if "\\t" in problem or "cannot start any token" in problem:
        return f"this is no YAML: {problem}; indent with spaces, and quote what begins with @ or `"
    if "alias" in problem:
        return f"{problem}; an anchor `&name` has to come before its alias `*name`"
    return f"this is no YAML: {problem}; look at the indentation, colons and quotes around it"


class _EndlessError(Exception):
    """Values within values, more than anybody reads."""

    def __init__(self, made: yaml.Node) -> None:
        super().__init__("aliases repeat, or lists go deeper, than anybody reads; write it out")
        self.made = made


class _Builder:
    """Makes values of nodes, and collects what is wrong with them."""

    def __init__(self, file: str) -> None:
        self.faults: list[Fault] = []
        self._file = file
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._repeated = 0

    def node(self, made: yaml.Node, path: Path) -> Node:
        """The value of a node; what is wrong within becomes null, and a fault."""
        place = self.place(made)
        self._repeated += id(made) in self._seen
        self._seen.add(id(made))
        if self._repeated > _MOST_REPEATED or len(path) > _DEEPEST or id(made) in self._open:
            raise _EndlessError(made)
        self._open.add(id(made))
        try:
            return self._of_kind(made, place, path)
        finally:
            self._open.remove(id(made))

    def _of_kind(self, made: yaml.Node, place: Place, path: Path) -> Node:
        if made.tag.removeprefix(_TAG) not in _PLAIN_TAGS and made.tag != "!":
            tag = made.tag.replace(_TAG, "!!")
            self._wrong(place, path, f"the tag {tag} is not read; write the plain value")
            return Node(place, None)
        if isinstance(made, yaml.MappingNode):
            return self._mapping(made, place, path)
        if isinstance(made, yaml.SequenceNode):
            items = tuple(self.node(item, (*path, i)) for i, item in enumerate(made.value))
            return Node(place, [item.value for item in items], items=items)
        if made.style:
            return Node(place, made.value, made.value)
        return Node(place, self._plain(made.value, place, path), made.value)

    def _mapping(self, made: yaml.MappingNode, place: Place, path: Path) -> Node:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[Node] = []
        for key, value in made.value:
            at = self.place(key)
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(at, path, "a key has to be a plain word; quote it if it is meant")
            elif key.value == "<<" and not key.style:
                merged += self._merged(value, (*path, "<<"))
            elif key.value in keys:
                first = keys[key.value].line
                self._wrong(at, (*path, key.value), f"it is in line {first} already; remove one")
            else:
                keys[key.value] = at
                entries[key.value] = self.node(value, (*path, key.value))
        for other in merged:
            entries = {**other.entries, **entries}
            keys = {**other.keys, **keys}
        return Node(place, {k: n.value for k, n in entries.items()}, entries=entries, keys=keys)

    def _merged(self, value: yaml.Node, path: Path) -> list[Node]:
        """What `<<` brings, the first that has a key first."""
        many = value.value if isinstance(value, yaml.SequenceNode) else [value]
        found = []
        for each in many:
            if isinstance(each, yaml.MappingNode):
                found.append(self.node(each, path))
            else:
                self._wrong(self.place(each), path, "`<<` takes a mapping, such as *usual")
        return found

    def _plain(self, text: str, place: Place, path: Path) -> Any:
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return bool(_TRUE.fullmatch(text))
        if _OTHERWISE_BOOLEAN.fullmatch(text):
            self._wrong(
                place,
                path,
                f"some read {text} as a boolean, others as text; write true or false, or "
                f'"{text}" in quotes if text is meant',
            )
        if _OTHERWISE_NUMBER.fullmatch(text):
            self._wrong(
                place,
                path,
                f"{text} is another number to each who reads it; write it without the leading 0, "
                f'or "{text}" in quotes if text is meant',
            )
        if _NOT_FINITE.fullmatch(text):
            self._wrong(place, path, f"{text} is no number here; write a finite one")
            return None
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _NUMBER.fullmatch(text) else text

    def place(self, made: yaml.Node) -> Place:
        """Where a node begins."""
        return Place(self._file, made.start_mark.line + 1, made.start_mark.column + 1)

    def _wrong(self, place: Place, path: Path, message: str) -> None:
        self.faults.append(Fault(place, ".".join(map(str, path)), message, path))
