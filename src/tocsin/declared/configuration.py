"""Files of monitors: read, checked as a whole, and put together to one configuration."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from tocsin.declared import meaning, wording
from tocsin.declared.configuration_documents import (
    API_VERSION,
    NAMED,
    SINGLE,
    parsed_strictly,
)
from tocsin.declared.fault import Fault, Path, Place, counted, in_order
from tocsin.declared.label_names import misspelt
from tocsin.declared.monitor import parse_monitor
from tocsin.declared.receivers import parse_receiver
from tocsin.declared.routing import parse_routing
from tocsin.declared.secrets_in_files import secrets
from tocsin.declared.strict_yaml import Node, read
from tocsin.errors import ConfigurationError, InvalidInputError, SchemaError

# The receiver that is always there.
LOG = "log"
_TOP = ("apiVersion", *NAMED, *SINGLE)
# Where in the message of a routing with several faults the next one begins.
_NEXT_FIELD = re.compile(r"; (?=`(?:route|inhibit_rules|mute_times)[\w.]*`: )")
# What a monitor has in a file, and not on a server.
_OF_FILES = ("name", "reference", "task", "source")


@dataclass(frozen=True)
class Source:
    """The text of a file, by the name that faults call it."""

    file: str
    text: str


@dataclass(frozen=True)
class DeclaredMonitor:
    """A monitor as its file has it.

    reference: `file`, `dataset`, `window` or `sha256`, None to keep it. file: that has the monitor.
    """

    name: str
    document: Mapping[str, Any]
    reference: Mapping[str, str] | None = None
    file: str = ""


@dataclass(frozen=True)
class Configuration:
    """All that files declare; receivers by name, each as its document."""

    monitors: tuple[DeclaredMonitor, ...] = ()
    receivers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    single: Mapping[str, Any] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """As one file has it."""
        return {
            "apiVersion": API_VERSION,
            "monitors": [
                {
                    "name": monitor.name,
                    **monitor.document,
                    **({} if monitor.reference is None else {"reference": dict(monitor.reference)}),
                }
                for monitor in self.monitors
            ],
            "receivers": [{"name": name, **each} for name, each in self.receivers.items()],
            **self.single,
        }

    @property
    def digest(self) -> str:
        """The SHA-256 of the document, the order of its keys aside."""
        text = json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Checked:
    """What became of files.

    configuration: of use when there are no faults. faults: all, in the order of the files.
    """

    configuration: Configuration
    faults: tuple[Fault, ...]
    nodes: tuple[Node, ...] = ()

    def good(self) -> Configuration:
        """The configuration. Raises: ConfigurationError with every fault."""
        if self.faults:
            raise refused(self.faults)
        return self.configuration

    def fault_of(self, kind: str, name: str, path: Path, message: str) -> Fault:
        """A fault that was found later, in a thing of this kind and name, with its place."""
        for node in self.nodes:
            for i, each in enumerate(_listed(node, kind)):
                if each.value.get("name") == name:
                    full = (kind, i, *path)
                    return Fault(node.place_of(full), _label(node, full), message, full)
        return self.fault_at((kind,), message)

    def fault_at(self, path: Path, message: str) -> Fault:
        """A fault in what a file has once, with its place in the file that has it."""
        having = [node for node in self.nodes if path and node.child(path[0]) is not None]
        for node in having or self.nodes[:1]:
            return _fault(node, path, message)
        return Fault(Place(""), ".".join(map(str, path)), message, path)


def refused(faults: Sequence[Fault]) -> ConfigurationError:
    """The error that tells faults."""
    lines = "\n".join(str(fault) for fault in faults)
    return ConfigurationError(f"{counted(faults)}:\n{lines}", [fault.to_dict() for fault in faults])


def check(sources: Sequence[Source], *, new: bool = False) -> Checked:
    """What files declare, and every fault in them.

    new: functions that monitors name have to be registered here, as where it is applied.
    """
    faults: list[Fault] = []
    read_nodes: list[Node] = []
    for source in sources:
        node, found = read(source.text, source.file)
        if node is None:
            faults += found
        else:
            read_nodes.append(node)
            faults += labelled(node, found)
            faults += _of_file(node, [fault.path for fault in found], new=new)
    faults += _across(read_nodes)
    if not any(fault.path[:1] and fault.path[0] in SINGLE for fault in faults):
        faults += _of_routing(read_nodes, _names(read_nodes, "receivers"))
    return Checked(_configuration(read_nodes), in_order(faults), tuple(read_nodes))


def _of_file(node: Node, known: Sequence[Path], *, new: bool) -> Iterator[Fault]:
    """The faults of one file but those that are known, of which nothing more is told."""
    if not isinstance(node.value, dict):
        what = "a file of monitors is a mapping; begin with `apiVersion: tocsin/v1`"
        yield Fault(node.place, "", what)
        return
    leaked = list(secrets(node))
    told = [*known, *(path for path, _ in leaked)]
    for path, message in leaked:
        yield _fault(node, path, message)
    formal: list[Path] = []
    try:
        parsed_strictly(node.value)
    except ValidationError as error:
        for path, message in wording.faults(error, node):
            formal.append(path)
            if not any(_within(path, other) for other in told):
                yield _fault(node, path, message)
    for path, message in _meaning(node, [*formal, *told], new=new):
        yield _fault(node, path, message)


def _meaning(node: Node, formal: Sequence[Path], *, new: bool) -> Iterator[tuple[Path, str]]:
    """What is wrong with monitors and receivers that have the right form."""
    for i, each in enumerate(_listed(node, "monitors")):
        path: Path = ("monitors", i)
        kept = _without(_of_monitor(each.value), [f[2:] for f in formal if f[:2] == path])
        if kept is None:
            continue
        document, numbers = kept
        monitor = DeclaredMonitor(str(each.value.get("name")), document)
        for below, message in meant_wrongly(monitor, new=new):
            yield (*path, *_numbered(below, numbers)), message
    for i, each in enumerate(_listed(node, "receivers")):
        path = ("receivers", i)
        if any(f[:2] == path for f in formal):
            continue
        rest = {key: part for key, part in each.value.items() if key != "name"}
        try:
            parse_receiver(str(each.value["name"]), rest)
        except InvalidInputError as error:
            yield path, str(error)


def meant_wrongly(monitor: DeclaredMonitor, *, new: bool = True) -> list[tuple[Path, str]]:
    """The faults of a monitor of the right form whose schema is whole, by path.

    new: as of `check`.
    """

    def parse(tried: Mapping[str, Any]) -> object:
        return parse_monitor(monitor.name, dict(tried), new=True, elsewhere=not new)

    return meaning.meant_wrongly(monitor.document, parse)


def _without(
    document: Mapping[str, Any], formal: Sequence[Path]
) -> tuple[dict[str, Any], dict[str, list[int]]] | None:
    """A monitor without the parts that lack the right form, and the numbers of items that stay.

    None where all else depends on such a part.
    """
    kept = dict(document)
    numbers: dict[str, list[int]] = {}
    for path in formal:
        if not path or path[0] in ("schema", "windows", "granularity"):
            return None
        part = path[0]
        if part in ("name", "reference") or part not in kept:
            continue
        if part in meaning.LISTS and len(path) > 1 and isinstance(document[part], list):
            bad = {p[1] for p in formal if len(p) > 1 and p[0] == part}
            numbers[str(part)] = [i for i in range(len(document[part])) if i not in bad]
            kept[str(part)] = [document[part][i] for i in numbers[str(part)]]
        else:
            del kept[str(part)]
    return (kept, numbers) if is_whole(kept) else None


def is_whole(document: Mapping[str, Any]) -> bool:
    """Whether a monitor says its schema, and leaves nothing of it to the registry."""
    schema = document.get("schema")
    return isinstance(schema, Mapping) and bool(schema.get("features"))


def _numbered(path: Path, numbers: Mapping[str, list[int]]) -> Path:
    """A path with the numbers that items have in the file."""
    if len(path) < 2 or path[0] not in numbers or not isinstance(path[1], int):
        return path
    return (path[0], numbers[str(path[0])][path[1]], *path[2:])


def _across(nodes: Sequence[Node]) -> Iterator[Fault]:
    """What no file can know alone: names that come twice, and receivers that nobody declares."""
    for kind in NAMED:
        first: dict[str, Place] = {}
        for node in nodes:
            for i, each in enumerate(_listed(node, kind)):
                name, path = each.value.get("name"), (kind, i, "name")
                if not isinstance(name, str):
                    continue
                if name in first:
                    what = f"{name!r} is at {first[name]} already; give each a name of its own"
                    yield _fault(node, path, what)
                first.setdefault(name, node.place_of(path))
    for key in SINGLE:
        having = [node for node in nodes if key in node.entries]
        for node in having[1:]:
            place = having[0].place_of((key,))
            yield _fault(node, (key,), f"it is at {place} already; only one file may have it")
    receivers = _names(nodes, "receivers")
    for node in nodes:
        for i, each in enumerate(_listed(node, "receivers")):
            yield from _of_fallback(node, i, each, receivers)


def _of_routing(nodes: Sequence[Node], receivers: set[str]) -> Iterator[Fault]:
    """What is wrong with who is told: receivers and mute times that are not there, and the like."""
    whole = _single(nodes)
    try:
        if whole:
            parse_routing(whole, receivers)
    except SchemaError as error:
        told: set[str] = set()
        for text in _NEXT_FIELD.split(str(error)):
            field, _, message = text.removeprefix("`").partition("`: ")
            path = tuple(int(part) if part.isdecimal() else part for part in field.split("."))
            node = next(node for node in nodes if path[0] in node.entries)
            # What a route has from its parent is told of the parent.
            if message not in told or node.at(path) is not None:
                value = getattr(node.at(path), "text", "")
                yield _fault(node, path, meaning.with_what_was_meant(value, message))
            told.add(message)
    for path, message in misspelt(whole, _labels_of_rules(nodes)):
        node = next(node for node in nodes if path[0] in node.entries)
        yield _fault(node, path, message)


def _labels_of_rules(nodes: Sequence[Node]) -> set[str]:
    """The labels that rules have, by all files."""
    rules = [
        rule.value
        for node in nodes
        for monitor in _listed(node, "monitors")
        for rule in _listed(monitor, "rules")
    ]
    return {str(name) for rule in rules for name in rule.get("labels") or ()}


def _single(nodes: Sequence[Node]) -> dict[str, Any]:
    """What files have once; it is one thing, wherever its parts stand."""
    return {
        key: node.value[key]
        for node in nodes
        if isinstance(node.value, dict)
        for key in SINGLE
        if node.value.get(key) is not None
    }


def _of_fallback(node: Node, i: int, each: Node, receivers: set[str]) -> Iterator[Fault]:
    fallback = each.value.get("fallback")
    if isinstance(fallback, str) and fallback not in receivers - {each.value.get("name")}:
        others = sorted(receivers - {each.value.get("name")})
        what = f"there is no other receiver {fallback!r}; {wording.nearest(fallback, others)}"
        yield _fault(node, ("receivers", i, "fallback"), what)


def _names(nodes: Sequence[Node], kind: str) -> set[str]:
    found = {LOG} if kind == "receivers" else set()
    return found | {str(each.value.get("name")) for node in nodes for each in _listed(node, kind)}


def _configuration(nodes: Sequence[Node]) -> Configuration:
    """What files declare; only of use when they have no fault."""
    monitors, receivers = [], {}
    for node in nodes:
        for each in _listed(node, "monitors"):
            reference = each.value.get("reference")
            if isinstance(reference, str):
                reference = {"file": reference}
            name, file = str(each.value.get("name")), each.place.file
            monitors.append(DeclaredMonitor(name, _of_monitor(each.value), reference, file))
        for each in _listed(node, "receivers"):
            rest = {key: part for key, part in each.value.items() if key != "name"}
            receivers[str(each.value.get("name"))] = rest
    return Configuration(tuple(monitors), receivers, _single(nodes))


def _of_monitor(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a monitor in a file, with the task where a server has it."""
    document = {key: part for key, part in entry.items() if key not in _OF_FILES}
    schema, task = document.get("schema", {}), entry.get("task")
    if task is None or not isinstance(schema, dict):
        return document
    return {**document, "schema": {**schema, "task": task}}


def _listed(node: Node, kind: str) -> Sequence[Node]:
    """The mappings in a list of the file."""
    found = node.entries.get(kind)
    return [] if found is None else [n for n in found.items if isinstance(n.value, dict)]


def _within(path: Path, other: Path) -> bool:
    return path[: len(other)] == other


def _fault(node: Node, path: Path, message: str) -> Fault:
    return Fault(node.place_of(path), _label(node, path), message, path)


def labelled(node: Node, found: Iterable[Fault]) -> list[Fault]:
    """Faults of reading, by the names of things."""
    return [replace(fault, field=_label(node, fault.path)) for fault in found]


def faults_in(node: Node, found: Iterable[tuple[Path, str]]) -> tuple[Fault, ...]:
    """Faults of paths, with the places of these."""
    return in_order(_fault(node, path, message) for path, message in found)


def _label(node: Node, path: Path) -> str:
    """A path as people read it: by the names of things where they have one."""
    words: list[str] = []
    here: Node | None = node
    for part in path:
        here = None if here is None else here.child(part)
        words.append(_name(here) or str(part) if isinstance(part, int) else part)
    return ".".join(words)


def _name(node: Node | None) -> str:
    if node is None or not isinstance(node.value, dict):
        return ""
    return str(node.value.get("alert") or node.value.get("name") or "")
