"""Routing as documents: parsed once into frozen values, with all faults at once."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from tocsin.declared.routing_documents import (
    InhibitRuleDocument,
    MuteTimeDocument,
    RouteDocument,
    RoutingDocument,
    SilenceDocument,
    interval,
)
from tocsin.errors import SchemaError, did_you_mean
from tocsin.records.alerts import SEVERITIES
from tocsin.routing import (
    GROUP_INTERVAL,
    GROUP_WAIT,
    REPEAT_INTERVAL,
    Branch,
    Escalation,
    InhibitRule,
    Matcher,
    MuteTime,
    Route,
    Routing,
    Silence,
    nodes,
    parse_matcher,
    unreachable,
)
from tocsin.values import DAY, format_duration, from_datetime, isoformat

__all__ = [
    "InhibitRuleDocument",
    "MuteTimeDocument",
    "RouteDocument",
    "RoutingDocument",
    "SilenceDocument",
    "parse_routing",
    "parse_silence",
    "path_words",
    "routing_document",
]

_LONGEST_SILENCE = 366 * DAY
# What a root has that says nothing of it.
_USUAL = Route(None, (), False, ("model",), GROUP_WAIT, GROUP_INTERVAL, REPEAT_INTERVAL)  # noqa: FBT003


def parse_routing(document: object, receivers: Collection[str] | None) -> Routing:
    """The routing of a document.

    receivers: the names that routes may use, None for any. Raises: SchemaError with all faults.
    """
    try:
        parsed = RoutingDocument.model_validate(document)
    except ValidationError as error:
        raise SchemaError(_faults(error)) from error
    mute_times = tuple(_mute_time(each) for each in parsed.mute_times)
    root = None if parsed.route is None else _route(parsed.route, _USUAL)
    found = [*_of_mute_times(parsed), *(() if root is None else _of_tree(root, receivers, parsed))]
    for i, each in enumerate(parsed.inhibit_rules or ()):
        for side in ("source_matchers", "target_matchers"):
            found += _of_matchers(f"inhibit_rules.{i}.{side}", _matchers(getattr(each, side)))
    if found:
        raise SchemaError("; ".join(found))
    if parsed.inhibit_rules is None:
        return Routing(root, mute_times=mute_times)
    return Routing(root, tuple(_inhibit_rule(each) for each in parsed.inhibit_rules), mute_times)


def parse_silence(document: object, *, author: str, now: int) -> Silence:
    """The silence of a document; its id is 0 until it is stored.

    author: who asked, where the document does not say. Raises: SchemaError.
    """
    try:
        parsed = SilenceDocument.model_validate(document)
    except ValidationError as error:
        raise SchemaError(_faults(error)) from error
    try:
        start = now if parsed.starts_at is None else from_datetime(parsed.starts_at)
        given = None if parsed.ends_at is None else from_datetime(parsed.ends_at)
    except OverflowError as error:
        raise SchemaError("a silence of times that no clock can show") from error
    if (given is None) == (parsed.duration is None):
        raise SchemaError("a silence needs either `ends_at` or `duration`, such as 2h")
    end = start + (parsed.duration or 0) if given is None else given
    matchers = _matchers(parsed.matchers)
    if all(matcher.holds("") for matcher in matchers):
        raise SchemaError(
            "these matchers also cover alerts without any of the labels; name at least one label "
            'that has to be there, such as model="flights"'
        )
    if end <= max(start, now):
        raise SchemaError(f"the silence would be over at {isoformat(end)}; let it end later")
    if end - start > _LONGEST_SILENCE:
        raise SchemaError("a silence lasts at most 366 days; remove the rule, or mute a route")
    return Silence(0, matchers, start, end, parsed.author or author, parsed.comment.strip())


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"`{'.'.join(str(part) for part in fault['loc']) or 'document'}`: "
        + fault["msg"].removeprefix("Value error, ")
        for fault in error.errors()
    )


def _matchers(texts: Collection[str]) -> tuple[Matcher, ...]:
    return tuple(parse_matcher(text) for text in texts)


def _route(document: RouteDocument, parent: Route) -> Route:
    """A node with what it inherits."""

    def own(name: str) -> Any:
        given = getattr(document, name)
        return getattr(parent, name) if given is None else given

    here = Route(
        receiver=own("receiver"),
        matchers=_matchers(document.matchers),
        continues=document.goes_on,
        group_by=tuple(own("group_by")),
        group_wait=own("group_wait"),
        group_interval=own("group_interval"),
        repeat_interval=own("repeat_interval"),
        mute_times=tuple(own("mute_times")),
        escalate=parent.escalate
        if document.escalate is None
        else tuple(Escalation(each.unacked_for, each.receiver) for each in document.escalate),
    )
    below = tuple(_route(child, here) for child in document.routes)
    return Route(**{**here.__dict__, "routes": below})


def path_words(path: tuple[int, ...]) -> str:
    """Where a node is, as its document has it.

    >>> path_words((0, 2)), path_words(())
    ('route.routes.0.routes.2', 'route')
    """
    return "".join(["route", *(f".routes.{i}" for i in path)])


def _of_tree(
    root: Route, receivers: Collection[str] | None, document: RoutingDocument
) -> Iterator[str]:
    if root.receiver is None:
        yield "`route.receiver`: the root needs one, which is told what no other route takes"
    if root.matchers or root.continues:
        yield "`route`: the root takes every alert; put `matchers` and `continue` into `routes`"
    named = {each.name for each in document.mute_times}
    for branch in nodes(root):
        yield from _of_node(branch, receivers, named)
    for path, why in unreachable(root):
        yield f"`{path_words(path)}`: no alert can come here: {why}"


def _of_node(
    branch: Branch, receivers: Collection[str] | None, mute_times: set[str]
) -> Iterator[str]:
    route, here = branch.route, path_words(branch.path)
    wanted = {f"{here}.receiver": route.receiver}
    wanted |= {f"{here}.escalate.{i}.receiver": e.receiver for i, e in enumerate(route.escalate)}
    for place, name in wanted.items():
        if None not in (receivers, name) and name not in (receivers or ()):
            known = ", ".join(sorted(receivers or ())) or "none yet"
            yield f"`{place}`: there is no receiver {name!r}; there are {known}"
    yield from _of_matchers(f"{here}.matchers", route.matchers)
    if route.repeat_interval < route.group_interval:
        yield (
            f"`{here}.repeat_interval`: {format_duration(route.repeat_interval)} is shorter than "
            f"group_interval {format_duration(route.group_interval)}, before which nothing of a "
            "group is told again; write at least that"
        )
    for name in route.mute_times:
        if name not in mute_times:
            known = ", ".join(sorted(mute_times)) or "none"
            yield f"`{here}.mute_times`: there is no mute time {name!r}; there are {known}"


def _of_matchers(place: str, matchers: Sequence[Matcher]) -> Iterator[str]:
    for i, matcher in enumerate(matchers):
        if matcher.name == "severity" and not any(map(matcher.holds, SEVERITIES)):
            meant = did_you_mean(matcher.value, SEVERITIES)
            known = f"there are {', '.join(SEVERITIES)}"
            yield f"`{place}.{i}`: no alert has a severity like {matcher}; {meant}{known}"


def _of_mute_times(document: RoutingDocument) -> Iterator[str]:
    names = [each.name for each in document.mute_times]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"`mute_times`: two are called {name!r}; give each a name of its own"


def _inhibit_rule(document: InhibitRuleDocument) -> InhibitRule:
    return InhibitRule(
        _matchers(document.source_matchers),
        _matchers(document.target_matchers),
        tuple(document.equal),
        document.max_duration,
    )


def _mute_time(document: MuteTimeDocument) -> MuteTime:
    return MuteTime(document.name, tuple(interval(each) for each in document.intervals))


def routing_document(routing: Routing, receivers: tuple[str, ...]) -> dict[str, Any]:
    """What holds, as a document, also where nobody wrote it: each node with all it inherits."""
    return {
        "route": _route_document(routing.tree(receivers)),
        "inhibit_rules": [
            {
                "source_matchers": [str(m) for m in rule.source],
                "target_matchers": [str(m) for m in rule.target],
                "equal": list(rule.equal),
                "max_duration": format_duration(rule.max_duration),
            }
            for rule in routing.inhibit_rules
        ],
    }


def _route_document(route: Route) -> dict[str, Any]:
    return {
        "receiver": route.receiver,
        "matchers": [str(matcher) for matcher in route.matchers],
        "continue": route.continues,
        "group_by": list(route.group_by),
        "group_wait": format_duration(route.group_wait),
        "group_interval": format_duration(route.group_interval),
        "repeat_interval": format_duration(route.repeat_interval),
        "mute_times": list(route.mute_times),
        "escalate": [
            {"unacked_for": format_duration(each.unacked_for), "receiver": each.receiver}
            for each in route.escalate
        ],
        "routes": [_route_document(child) for child in route.routes],
    }
