"""Looking at aliases and moving them, with a registry whose every answer can be chosen."""

import pytest
from tests.registries import NOON, Clock, FakeRegistry
from tests.world import Feed, monitor_document, reference

from tocsin.app import App
from tocsin.errors import AliasMovedError, InvalidInputError, RegistryError
from tocsin.records import aliases
from tocsin.records.aliases import AliasMove, Delivery
from tocsin.service.aliases import Aliases, Wish, previous
from tocsin.service.sightings import UNKNOWN
from tocsin.values import HOUR, MINUTE, SECOND


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(app: App, registry: FakeRegistry, clock: Clock) -> Aliases:
    document = monitor_document(model="models:/flights@champion")
    app.register.add("late", document, reference(500))
    return Aliases(app.records, registry, clock)


def wish(to: str, **more: object) -> Wish:
    return Wish("late", "champion", to, reason="it is better", actor="anna", **more)  # type: ignore[arg-type]


def moves(app: App) -> list[AliasMove]:
    with app.records.read() as connection:
        return aliases.moves(connection, "flights")


def events(app: App) -> list[str]:
    return [record.deed.event for record in app.audit.listed(event="alias", after=0)]


def test_the_first_sight_is_known_since_then_and_looking_again_changes_nothing(
    app: App, keeper: Aliases, clock: Clock
) -> None:
    assert keeper.look("flights")
    clock.now += 10 * SECOND
    assert not keeper.look("flights")

    (seen,) = moves(app)
    assert (seen.from_version, seen.to_version, seen.moved_at) == (None, "1", NOON)
    assert seen.first_seen
    assert events(app) == ["alias.seen"]


def test_a_move_by_somebody_else_is_recorded_with_when_it_was_last_elsewhere(
    app: App, keeper: Aliases, registry: FakeRegistry, clock: Clock
) -> None:
    keeper.look("flights")
    registry.aliases["champion"] = "2"
    clock.now += HOUR
    keeper.look("flights")

    move = moves(app)[-1]
    assert (move.from_version, move.to_version) == ("1", "2")
    assert (move.after_at, move.moved_at, move.source) == (NOON, NOON + HOUR, "poll")
    assert not move.first_seen


def test_an_alias_that_is_deleted_or_added_is_a_move_too(
    app: App, keeper: Aliases, registry: FakeRegistry
) -> None:
    keeper.look("flights")
    registry.aliases = {"challenger": "3"}
    keeper.look("flights")
    assert {(m.alias, m.from_version, m.to_version, m.first_seen) for m in moves(app)[1:]} == {
        ("champion", "1", None, False),
        ("challenger", None, "3", False),
    }
    assert keeper.history("late").aliases == {"challenger": "3"}


def told(app: App, at: int, version: str) -> None:
    with app.records.write() as connection:
        said = Delivery(f"d{at}", at, at, "flights", "champion", version)
        aliases.add_delivery(connection, said)


def test_a_webhook_says_when_it_moved(
    app: App, keeper: Aliases, registry: FakeRegistry, clock: Clock
) -> None:
    keeper.look("flights")
    registry.aliases["champion"] = "2"
    told(app, NOON + 3 * SECOND, "2")
    clock.now += 8 * SECOND
    keeper.look("flights")
    move = moves(app)[-1]
    assert (move.moved_at, move.source) == (NOON + 3 * SECOND, "webhook")


def test_a_webhook_that_comes_after_the_look_still_says_when(
    app: App, keeper: Aliases, registry: FakeRegistry, clock: Clock
) -> None:
    keeper.look("flights")
    registry.aliases["champion"] = "2"
    clock.now += 8 * SECOND
    keeper.look("flights")
    told(app, NOON + 3 * SECOND, "2")
    assert keeper.look("flights")
    assert not keeper.look("flights")
    move = moves(app)[-1]
    assert (move.moved_at, move.source) == (NOON + 3 * SECOND, "webhook")


def test_what_a_webhook_says_is_not_believed_without_the_registry(
    app: App, keeper: Aliases, clock: Clock
) -> None:
    keeper.look("flights")
    told(app, NOON + SECOND, "3")
    clock.now += 8 * SECOND
    assert not keeper.look("flights")
    assert len(moves(app)) == 1


def test_a_move_is_read_set_and_read_again_and_all_three_are_audited(
    app: App, keeper: Aliases, registry: FakeRegistry
) -> None:
    moved = keeper.move(wish("2"))

    assert (moved.before, moved.after, moved.changed) == ("1", "2", True)
    assert registry.aliases["champion"] == "2"
    assert events(app) == ["alias.seen", "alias.read", "alias.set", "alias.read"]
    done = app.audit.listed(event="alias.set")[0].deed
    assert (done.actor, done.reason, done.object) == (
        "anna",
        "it is better",
        "models:/flights@champion",
    )
    assert (done.before, done.after) == ({"version": "1"}, {"version": "2"})
    assert len(done.config_hash) == 64
    move = moves(app)[-1]
    assert (move.actor, move.reason, move.source) == ("anna", "it is better", "tocsin")
    assert registry.tags["2", "tocsin.alias.champion.by"] == "anna: it is better"
    assert ("1", "tocsin.alias.champion.until") in registry.tags
    # The next look finds what is known.
    assert not keeper.look("flights")


def test_a_move_to_where_it_is_does_nothing(app: App, keeper: Aliases) -> None:
    assert not keeper.move(wish("1")).changed
    assert events(app) == ["alias.seen"]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("9", "no version 9; it has 1, 2, 3, 4"),
        ("4", "PENDING_REGISTRATION, not READY"),
        ("previous", "no earlier version"),
    ],
)
def test_a_version_that_cannot_serve_is_refused(
    keeper: Aliases, registry: FakeRegistry, to: str, said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        keeper.move(wish(to))
    assert registry.aliases["champion"] == "1"


def test_an_alias_that_is_not_where_it_was_believed_to_be_is_left_alone(
    app: App, keeper: Aliases, registry: FakeRegistry
) -> None:
    keeper.look("flights")
    registry.aliases["champion"] = "3"
    with pytest.raises(AliasMovedError, match="version 3 by now, not at 1"):
        keeper.move(wish("2", expected="1"))
    assert registry.aliases["champion"] == "3"
    assert moves(app)[-1].to_version == "3"


def test_an_alias_that_moves_between_reading_and_setting_is_left_alone(
    app: App, keeper: Aliases, registry: FakeRegistry
) -> None:
    def move_it(call: str) -> None:
        if call == "alias":
            registry.interrupt = lambda _: None
            registry.aliases["champion"] = "3"

    registry.interrupt = move_it
    with pytest.raises(AliasMovedError, match="nothing was done"):
        keeper.move(wish("2"))
    assert registry.aliases["champion"] == "3"
    assert "alias.set" not in events(app)
    assert moves(app)[-1].to_version == "3"
    with app.records.read() as connection:
        assert aliases.begun_moves(connection, "flights") == []


def begun(app: App) -> list[aliases.OpenMove]:
    with app.records.read() as connection:
        return aliases.begun_moves(connection, "flights")


def test_a_move_by_somebody_else_to_the_same_version_is_not_booked_as_ours(
    app: App, keeper: Aliases, registry: FakeRegistry
) -> None:
    def move_it(call: str) -> None:
        if call == "alias":
            registry.interrupt = lambda _: None
            registry.aliases["champion"] = "2"

    registry.interrupt = move_it
    with pytest.raises(AliasMovedError, match="nothing was done"):
        keeper.move(wish("2"))
    assert (moves(app)[-1].actor, moves(app)[-1].source) == (UNKNOWN, "poll")
    given_up = app.audit.listed(event="alias.resolved")[0].deed
    assert given_up.evidence["outcome"].startswith("not set")
    assert begun(app) == []


def test_a_later_move_by_somebody_else_is_theirs_when_our_second_read_failed(
    app: App, keeper: Aliases, registry: FakeRegistry, clock: Clock
) -> None:
    def refuse(call: str) -> None:
        if call == "alias":
            raise RegistryError("MLflow is away")

    registry.interrupt = refuse
    with pytest.raises(RegistryError, match="nothing was set: MLflow is away"):
        keeper.move(wish("2"))
    assert begun(app) == []

    registry.interrupt = lambda _: None
    registry.aliases["champion"] = "2"
    clock.now += 24 * HOUR
    keeper.look("flights")
    assert (moves(app)[-1].actor, moves(app)[-1].moved_at) == (UNKNOWN, clock.now)
    assert app.audit.listed(event="alias.resolved")[0].deed.evidence["outcome"] == (
        "not set: MLflow is away"
    )


def test_an_alias_that_moves_right_after_setting_is_told(
    app: App, keeper: Aliases, registry: FakeRegistry
) -> None:
    def move_it(call: str) -> None:
        if call == "after set":
            registry.aliases["champion"] = "3"

    registry.interrupt = move_it
    with pytest.raises(AliasMovedError, match="right after"):
        keeper.move(wish("2"))
    assert [m.to_version for m in moves(app)] == ["1", "2", "3"]


class CrashError(Exception):
    """The process ends here."""


@pytest.mark.parametrize(
    ("where", "ends_at", "outcome"),
    [("set", "1", "not moved"), ("after set", "2", "moved")],
)
def test_after_a_crash_the_registry_tells_what_became_of_a_move(
    app: App, keeper: Aliases, registry: FakeRegistry, where: str, ends_at: str, outcome: str
) -> None:
    def crash(call: str) -> None:
        if call == where:
            raise CrashError

    registry.interrupt = crash
    with pytest.raises(CrashError):
        keeper.move(wish("2"))
    registry.interrupt = lambda _: None
    assert keeper.look("flights")
    assert not keeper.look("flights")

    resolved = app.audit.listed(event="alias.resolved")
    assert [record.deed.evidence["outcome"] for record in resolved] == [outcome]
    # Nothing was tried again, and a move that was made is ours.
    assert registry.aliases["champion"] == ends_at
    last = moves(app)[-1]
    assert (last.to_version, last.actor == "anna") == (ends_at, ends_at == "2")


def test_an_answer_that_is_lost_leaves_it_unknown_until_the_next_look(
    app: App, keeper: Aliases, registry: FakeRegistry
) -> None:
    def away(call: str) -> None:
        if call == "after set":
            registry.interrupt = _raise_always
            raise RegistryError("connection reset")

    registry.interrupt = away
    with pytest.raises(RegistryError, match="is unknown"):
        keeper.move(wish("2"))
    registry.interrupt = lambda _: None
    keeper.look("flights")
    assert moves(app)[-1].actor == "anna"


def _raise_always(_: str) -> None:
    raise RegistryError("nobody answers")


def test_a_set_that_is_refused_is_told_and_moves_nothing(
    app: App, keeper: Aliases, registry: FakeRegistry
) -> None:
    def refuse(call: str) -> None:
        if call == "set":
            raise RegistryError("permission denied")

    registry.interrupt = refuse
    with pytest.raises(RegistryError, match="permission denied"):
        keeper.move(wish("2"))
    assert [m.to_version for m in moves(app)] == ["1"]
    assert "failed" in app.audit.listed(event="alias.set")[0].deed.evidence["outcome"]


def test_tags_that_cannot_be_set_undo_nothing(
    app: App, keeper: Aliases, registry: FakeRegistry
) -> None:
    def refuse(call: str) -> None:
        if call == "tags":
            raise RegistryError("permission denied")

    registry.interrupt = refuse
    assert keeper.move(wish("2")).changed
    assert moves(app)[-1].to_version == "2"


def test_rolling_back_goes_back_only(keeper: Aliases) -> None:
    for version in ("2", "3"):
        keeper.move(wish(version))
    assert keeper.move(wish("previous")).after == "2"
    assert keeper.move(wish("previous")).after == "1"
    with pytest.raises(InvalidInputError, match="no earlier version"):
        keeper.move(wish("previous"))


def test_a_move_for_an_incident_is_on_its_timeline(app: App, keeper: Aliases) -> None:
    rule = {
        "alert": "High",
        "expr": {"metric": "label_rate", "window": "1h", "op": ">", "value": 0.01},
    }
    document = monitor_document(model="models:/flights@champion", rules=[rule])
    app.register.change("late", document)
    feed = Feed(app, "late")
    feed.hours(0, 6)
    feed.work()
    keeper.move(wish("2", incident=1))
    found = app.read.incident(1)
    assert found is not None
    assert found.timeline[-1].text == (
        "anna moved champion of flights from version 1 to 2: it is better"
    )
    with pytest.raises(InvalidInputError, match="no incident 77"):
        keeper.move(wish("3", incident=77))


def test_a_model_without_a_registry_cannot_be_moved(app: App, keeper: Aliases) -> None:
    app.register.add("plain", monitor_document(), reference(500))
    with pytest.raises(InvalidInputError, match="its monitor has no `model`"):
        keeper.move(Wish("plain", "champion", "2", reason="x", actor="anna"))


@pytest.mark.parametrize("empty", ["reason", "actor"])
def test_nobody_moves_it_without_saying_who_and_why(keeper: Aliases, empty: str) -> None:
    words = {"reason": "x", "actor": "anna", empty: "  "}
    with pytest.raises(InvalidInputError, match=f"`{empty}` is missing"):
        keeper.move(Wish("late", "champion", "2", **words))


def test_looks_are_not_written_down_more_than_once_a_minute(
    app: App, keeper: Aliases, clock: Clock
) -> None:
    keeper.look("flights")
    for _ in range(3):
        clock.now += 15 * SECOND
        keeper.look("flights")
    assert keeper.history("late").looked_at == clock.now
    assert written(app) == NOON
    clock.now += MINUTE
    keeper.look("flights")
    assert written(app) == clock.now


def written(app: App) -> int | None:
    with app.records.read() as connection:
        return aliases.looked_at(connection, "flights")


def path(*versions: str) -> list[AliasMove]:
    pairs = zip([None, *versions], versions, strict=False)
    return [AliasMove("m", "a", b, v, i, None, "", "", "poll") for i, (b, v) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("versions", "before"),
    [
        ((), None),
        (("1",), None),
        (("1", "2"), "1"),
        (("1", "2", "3"), "2"),
        (("1", "2", "3", "2"), "1"),
        (("1", "2", "3", "1"), None),
        (("1", "2", "1", "2"), "1"),
        (("1", "3", "4", "3", "5"), "3"),
    ],
)
def test_previous_is_the_version_that_a_return_would_lead_to(
    versions: tuple[str, ...], before: str | None
) -> None:
    assert previous(path(*versions)) == before
