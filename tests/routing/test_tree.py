"""The tree against a plain reading of its rules."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from tocsin.routing import (
    Match,
    Matcher,
    Route,
    all_match,
    branches,
    default_route,
    nodes,
    told_by,
    unreachable,
)

NAMES, VALUES = ("a", "b"), ("x", "y", "z")
MATCHERS = st.builds(
    Matcher,
    st.sampled_from(NAMES),
    st.sampled_from(list(Match)),
    st.sampled_from([*VALUES, "x|y", ""]),
)
LABELS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES))
EVERY = [
    {name: value for name, value in (("a", a), ("b", b)) if value}
    for a in ("", *VALUES)
    for b in ("", *VALUES)
]


def _routes(children: st.SearchStrategy[list[Route]]) -> st.SearchStrategy[Route]:
    return st.builds(
        Route,
        st.sampled_from(["r1", "r2", "r3"]),
        st.lists(MATCHERS, max_size=2).map(tuple),
        continues=st.booleans(),
        routes=children.map(tuple),
    )


NODES = st.recursive(
    _routes(st.just([])), lambda inner: _routes(st.lists(inner, max_size=3)), max_leaves=8
)
ROOTS = st.builds(Route, st.just("root"), routes=st.lists(NODES, max_size=4).map(tuple))


def reference(root: Route, labels: dict[str, str]) -> list[tuple[int, ...]]:
    """The nodes that are come to and whose children are not."""

    def at(path: tuple[int, ...]) -> Route:
        route = root
        for i in path:
            route = route.routes[i]
        return route

    def come_to(path: tuple[int, ...]) -> bool:
        if not path:
            return True
        siblings = at(path[:-1]).routes
        taken = any(
            all_match(before.matchers, labels) and not before.continues
            for before in siblings[: path[-1]]
        )
        return come_to(path[:-1]) and all_match(at(path).matchers, labels) and not taken

    def all_paths(route: Route, path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        yield path
        for i, child in enumerate(route.routes):
            yield from all_paths(child, (*path, i))

    paths = [path for path in all_paths(root, ()) if come_to(path)]
    inner = {path[:-1] for path in paths if path}
    return [path for path in paths if path not in inner]


@given(ROOTS, LABELS)
def test_an_alert_comes_where_the_rules_say(root: Route, labels: dict[str, str]) -> None:
    assert [branch.path for branch in branches(root, labels)] == reference(root, labels)


@given(ROOTS, LABELS)
def test_every_alert_comes_somewhere_and_a_receiver_is_told_once(
    root: Route, labels: dict[str, str]
) -> None:
    found = branches(root, labels)
    told = told_by(root, labels)
    assert found
    assert set(told) == {branch.route.receiver for branch in found}
    for receiver, branch in told.items():
        assert branch == next(b for b in found if b.route.receiver == receiver)


@given(ROOTS)
def test_no_alert_comes_to_what_is_called_unreachable(root: Route) -> None:
    dead = [path for path, _ in unreachable(root)]
    for labels in EVERY:
        for branch in branches(root, labels):
            assert not any(branch.path[: len(path)] == path for path in dead)


def test_plain_faults_are_called_unreachable() -> None:
    critical = Matcher("severity", Match.EQUAL, "critical")
    low = Matcher("severity", Match.LIKE, "info|warning")
    parent = Route("a", (critical,), routes=(Route("b", (low,)), Route("c", (critical,))))
    root = Route("r", routes=(parent, Route("d", (critical, low)), Route("e"), Route("f")))
    assert [(path, why.split()[0]) for path, why in unreachable(root)] == [
        ((0, 0), 'severity="critical"'),
        ((1,), 'severity="critical"'),
        ((3,), "route"),
    ]
    assert [branch.path for branch in nodes(root)][:4] == [(), (0,), (0, 0), (0, 1)]


def test_without_a_route_every_receiver_is_told_at_once_by_model() -> None:
    labels = {"model": "m", "alert": "Low"}
    told = told_by(default_route(("log", "mail")), labels)
    assert list(told) == ["log", "mail"]
    for branch in told.values():
        assert branch.route.group_wait == 0
        assert branch.route.group(labels) == {"model": "m"}
    assert told_by(default_route(()), labels) == {}


def test_a_group_may_be_of_every_label() -> None:
    labels = {"model": "m", "alert": "Low", "team": ""}
    assert Route("r", group_by=("...",)).group(labels) == {"alert": "Low", "model": "m"}
    assert Route("r").group(labels) == {}
