"""The tree of routes: who is told of an alert, and in whose company."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tocsin.routing.matchers import Labels, Match, Matcher, all_match
from tocsin.values import HOUR, MINUTE, SECOND

GROUP_WAIT, GROUP_INTERVAL, REPEAT_INTERVAL = 30 * SECOND, 5 * MINUTE, 12 * HOUR
# In `group_by`: alerts are alike only when all of their labels are.
EVERY_LABEL = "..."


@dataclass(frozen=True)
class Escalation:
    """Whom else to tell of what nobody took. unacked_for: microseconds since it fired."""

    unacked_for: int
    receiver: str


@dataclass(frozen=True)
class Route:
    """One node: what it matches, who is told, and when; what it did not say it has inherited.

    receiver: None tells nobody. continues: the next sibling is tried too. group_wait: how long the
    first alert of a group waits for others; group_interval: between two messages of a group;
    repeat_interval: until what still fires is told again; all in microseconds. mute_times: names.
    escalate: whom to tell when nobody acknowledges it.
    """

    receiver: str | None
    matchers: tuple[Matcher, ...] = ()
    continues: bool = False
    group_by: tuple[str, ...] = ()
    group_wait: int = GROUP_WAIT
    group_interval: int = GROUP_INTERVAL
    repeat_interval: int = REPEAT_INTERVAL
    mute_times: tuple[str, ...] = ()
    escalate: tuple[Escalation, ...] = ()
    routes: tuple["Route", ...] = ()

    def group(self, labels: Labels) -> dict[str, str]:
        """The labels that alerts of one message share, by name; those that are not there left out.

        >>> Route("mail", group_by=("model", "team")).group({"model": "m", "alert": "Low"})
        {'model': 'm'}
        """
        names = labels if EVERY_LABEL in self.group_by else self.group_by
        return {name: labels[name] for name in sorted(names) if labels.get(name)}


@dataclass(frozen=True)
class Branch:
    """A node that an alert came to. path: the position among its siblings, from the root down."""

    route: Route
    path: tuple[int, ...]


def branches(root: Route, labels: Labels) -> list[Branch]:
    """Where an alert comes to, in the order of the tree.

    The deepest node that matches counts; siblings after it are tried only where it `continues`.
    The root takes all that no child takes.
    """
    return list(_branches(root, labels, ()))


def _branches(route: Route, labels: Labels, path: tuple[int, ...]) -> Iterator[Branch]:
    taken = False
    for i, child in enumerate(route.routes):
        if not all_match(child.matchers, labels):
            continue
        taken = True
        yield from _branches(child, labels, (*path, i))
        if not child.continues:
            break
    if not taken:
        yield Branch(route, path)


def told_by(root: Route, labels: Labels) -> dict[str, Branch]:
    """Each receiver that is told of an alert, with the first branch that leads to it."""
    found: dict[str, Branch] = {}
    for branch in branches(root, labels):
        if branch.route.receiver is not None:
            found.setdefault(branch.route.receiver, branch)
    return found


def escalated_to(root: Route, labels: Labels) -> dict[str, Branch]:
    """Each receiver that an alert is escalated to, with the first branch that says so."""
    found: dict[str, Branch] = {}
    for branch in branches(root, labels):
        for step in branch.route.escalate:
            found.setdefault(step.receiver, branch)
    return found


def default_route(receivers: tuple[str, ...]) -> Route:
    """What holds while nobody configured a route: all receivers are told, at once, by model."""
    usual = Route(None, group_by=("model",), group_wait=0)
    every = (replace(usual, receiver=name, continues=True) for name in receivers)
    return replace(usual, routes=tuple(every))


def nodes(root: Route, path: tuple[int, ...] = ()) -> Iterator[Branch]:
    """Every node with its path, parents first."""
    yield Branch(root, path)
    for i, child in enumerate(root.routes):
        yield from nodes(child, (*path, i))


def unreachable(root: Route) -> list[tuple[tuple[int, ...], str]]:
    """The nodes that no alert can come to, by path, and why. Those below one are not named too."""
    return list(_unreachable(root, (), root.matchers))


def _unreachable(
    route: Route, path: tuple[int, ...], known: tuple[Matcher, ...]
) -> Iterator[tuple[tuple[int, ...], str]]:
    for i, child in enumerate(route.routes):
        wanted = (*known, *child.matchers)
        here = (*path, i)
        against = _contradiction(wanted)
        taker = next(
            (
                j
                for j, earlier in enumerate(route.routes[:i])
                if not earlier.continues and all(_implied(m, wanted) for m in earlier.matchers)
            ),
            None,
        )
        if against is not None:
            yield here, f"{against[0]} and {against[1]} never hold together"
        elif taker is not None:
            yield here, f"route {taker + 1} before it takes all that it matches; let that continue"
        else:
            yield from _unreachable(child, here, wanted)


def _contradiction(matchers: tuple[Matcher, ...]) -> tuple[Matcher, Matcher] | None:
    for known in matchers:
        if known.match is Match.EQUAL:
            for other in matchers:
                if other.name == known.name and not other.holds(known.value):
                    return known, other
    return None


def _implied(matcher: Matcher, known: tuple[Matcher, ...]) -> bool:
    """Whether it holds wherever all of the others hold, as far as that is plain."""
    return matcher in known or any(
        other.match is Match.EQUAL and other.name == matcher.name and matcher.holds(other.value)
        for other in known
    )
