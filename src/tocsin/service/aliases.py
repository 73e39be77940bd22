"""Aliases of the monitored models: looking where they are, and moving them on somebody's word."""

import hashlib
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.errors import AliasMovedError, InvalidInputError, RegistryError
from tocsin.model_uri import parse_address
from tocsin.records import Records, alerts, aliases, audit, changes, models
from tocsin.records.aliases import AliasMove, OpenMove, VersionRecord
from tocsin.registry import READY, Registry, RegistryState
from tocsin.service.clock import Clock
from tocsin.service.sightings import absorb, deed_of, record_completed
from tocsin.values import isoformat

PREVIOUS = "previous"
MOST_WORDS = 1_000
_log = logging.getLogger(__name__)
# Longer than a look takes, unless MLflow hangs.
_TURN_S = 30.0


@dataclass(frozen=True)
class Wish:
    """A move that somebody wants.

    to: a version, or `previous`. expected: where they believe the alias to be; None when they do
    not say. incident: the one that it is done for.
    """

    model: str
    alias: str
    to: str
    reason: str
    actor: str
    auth: str = "none"
    expected: str | None = None
    incident: int | None = None


@dataclass(frozen=True)
class Moved:
    """What became of a wish. changed: False when the alias was there already."""

    registered: str
    alias: str
    before: str | None
    after: str
    changed: bool


@dataclass(frozen=True)
class History:
    """What is known of a registered model. looked_at: when the registry was read last."""

    registered: str
    watched: str | None
    moves: tuple[AliasMove, ...]
    versions: tuple[VersionRecord, ...]
    looked_at: int | None

    def at(self, alias: str) -> str | None:
        """The version that an alias is at, as far as is known."""
        found = [move.to_version for move in self.moves if move.alias == alias]
        return found[-1] if found else None

    def before(self, alias: str) -> str | None:
        """The version to go back to."""
        return previous([move for move in self.moves if move.alias == alias])

    @property
    def aliases(self) -> dict[str, str]:
        """All aliases that there are, with their versions."""
        newest = {move.alias: move.to_version for move in self.moves}
        return {alias: at for alias, at in sorted(newest.items()) if at is not None}


def previous(moves: list[AliasMove]) -> str | None:
    """The version that was there before the one of now, going back only.

    A return to an earlier version undoes what came between: after 1, 2, 3 and back to 2 it is 1,
    as another step back should not lead to 3 again.
    """
    path: list[str] = []
    for move in moves:
        for version in (move.from_version, move.to_version):
            if version is None:
                continue
            if version in path:
                del path[path.index(version) + 1 :]
            else:
                path.append(version)
    return path[-2] if len(path) > 1 else None


class Aliases:
    """Looks and moves; what concerns one registered model is done one after the other."""

    def __init__(self, records: Records, registry: Registry, clock: Clock) -> None:
        self._records = records
        self._registry = registry
        self._clock = clock
        self._turns: dict[str, threading.Lock] = {}
        self._taking = threading.Lock()
        self._looked: dict[str, int] = {}

    def watched(self) -> list[str]:
        """The registered models that are monitored, if it is known where the registry is."""
        if not self._registry.is_named:
            return []
        with self._records.read() as connection:
            return sorted(_registered(connection))

    def look_at_all(self) -> None:
        """Read all that is monitored; one that cannot be read keeps none of the others.

        Raises: RegistryError that tells of all that could not be read.
        """
        failures = []
        for registered in self.watched():
            try:
                self.look(registered)
            except RegistryError as error:
                failures.append(f"{registered}: {error}")
        if failures:
            raise RegistryError("; ".join(failures))

    def look(self, registered: str) -> bool:
        """Read the registry and record what changed; whether something did.

        Raises: RegistryError.
        """
        with self._turn(registered):
            return self._look(registered)[1]

    def history(self, model: str) -> History:
        """What is known of a monitored model's aliases. Raises: UnknownModelError."""
        with self._records.read() as connection:
            _, document = models.monitor_named(connection, model)
            uri = document.get("model")
            if uri is None:
                return History("", None, (), (), None)
            address = parse_address(uri)
            return History(
                registered=address.name,
                watched=address.alias,
                moves=tuple(aliases.moves(connection, address.name)),
                versions=tuple(aliases.versions(connection, address.name)),
                looked_at=self._looked.get(address.name)
                or aliases.looked_at(connection, address.name),
            )

    def move(self, wish: Wish) -> Moved:
        """Move an alias: read, set, read again, each of which is recorded.

        MLflow cannot compare and set in one: between our reading and setting lie milliseconds in
        which somebody else's move would be overwritten unseen.
        Raises: UnknownModelError; InvalidInputError for a wish that cannot be; AliasMovedError when
        somebody else moved it; RegistryError when MLflow does not answer, in which case the next
        look tells what became of it.
        """
        _check_words(wish)
        registered, digest = self._known(wish)
        with self._turn(registered):
            state, _ = self._look(registered)
            current = state.aliases.get(wish.alias)
            if wish.expected is not None and wish.expected != (current or ""):
                raise AliasMovedError(
                    f"{wish.alias} of {registered} is at version {current or 'none'} by now, not "
                    f"at {wish.expected or 'none'}; nothing was done: look again"
                )
            to = self._target(wish, state)
            if to == current:
                return Moved(registered, wish.alias, current, to, changed=False)
            move = OpenMove(
                registered=registered,
                alias=wish.alias,
                from_version=current,
                to_version=to,
                begun_at=self._clock(),
                actor=wish.actor,
                auth=wish.auth,
                reason=wish.reason,
                incident=wish.incident,
                config_hash=digest,
            )
            self._do(move)
        self._mirror(move)
        return Moved(registered, wish.alias, current, to, changed=True)

    def _do(self, move: OpenMove) -> None:
        with self._records.write() as connection:
            read = deed_of(move, "alias.read", after=move.from_version, outcome="before")
            audit.append(connection, read, now=move.begun_at)
            aliases.begin_move(connection, move)
        self._read_again(move)
        failure: RegistryError | None = None
        try:
            self._registry.set_alias(move.registered, move.alias, move.to_version)
        except RegistryError as error:
            failure = error
        try:
            at = self._registry.alias(move.registered, move.alias)
        except RegistryError as error:
            raise RegistryError(
                f"whether {move.alias} of {move.registered} was moved to {move.to_version} is "
                f"unknown: {error}. It is not tried again; once MLflow answers, `tocsin history` "
                "tells what became of it"
            ) from error
        self._end(move, at, failure)

    def _read_again(self, move: OpenMove) -> None:
        """Read once more, as what is set next should be what was read last.

        Raises: AliasMovedError, RegistryError; then nothing was set, and the move is over: if the
        alias is seen there later, somebody else put it there.
        """
        try:
            at = self._registry.alias(move.registered, move.alias)
        except RegistryError as error:
            self._give_up(move, move.from_version, f"not set: {error}")
            raise RegistryError(
                f"{move.alias} of {move.registered} could not be read again, so nothing was set: "
                f"{error}; try again"
            ) from error
        if at != move.from_version:
            self._give_up(move, at, "not set: somebody else moved it meanwhile")
            self._look(move.registered)
            raise _overtaken(move, at, "nothing was done")

    def _give_up(self, move: OpenMove, at: str | None, outcome: str) -> None:
        with self._records.write() as connection:
            deed = deed_of(move, "alias.resolved", after=at, outcome=outcome)
            audit.append(connection, deed, now=self._clock())
            aliases.end_move(connection, move)

    def _end(self, move: OpenMove, at: str | None, failure: RegistryError | None) -> None:
        """Record what was read after setting. Raises: what went wrong, for people."""
        now = self._clock()
        with self._records.write() as connection:
            said = "done" if failure is None else f"failed: {failure}"
            deed = deed_of(move, "alias.set", after=move.to_version, outcome=said)
            audit.append(connection, deed, now=now)
            audit.append(
                connection, deed_of(move, "alias.read", after=at, outcome="after"), now=now
            )
            if failure is None or at == move.to_version:
                record_completed(connection, move, now=now)
            else:
                aliases.end_move(connection, move)
            _announce(connection, move.registered, now)
            if move.incident is not None:
                changes.announce(connection, f"incident/{move.incident}", now=now)
        if at == move.to_version:
            return
        if failure is not None and at == move.from_version:
            raise failure
        self._look(move.registered)
        raise _overtaken(move, at, "it was set, and somebody else set it again right after")

    def _look(self, registered: str) -> tuple[RegistryState, bool]:
        state = self._registry.state(registered)
        now = self._looked[registered] = self._clock()
        with self._records.write() as connection:
            changed = absorb(connection, state, now=now)
            if changed:
                _announce(connection, registered, now)
        return state, changed

    def _known(self, wish: Wish) -> tuple[str, str]:
        """The registered model, and the hash of the monitor. Raises: InvalidInputError."""
        with self._records.read() as connection:
            _, document = models.monitor_named(connection, wish.model)
            if wish.incident is not None:
                incident = alerts.incident(connection, wish.incident)
                if incident is None or incident.model != wish.model:
                    raise InvalidInputError(f"{wish.model} has no incident {wish.incident}")
        uri = document.get("model")
        if uri is None:
            raise InvalidInputError(
                f"model {wish.model!r} is not kept in a registry: its monitor has no `model`, such "
                "as models:/name@champion"
            )
        return parse_address(uri).name, config_hash(document)

    def _target(self, wish: Wish, state: RegistryState) -> str:
        """The version that is meant. Raises: InvalidInputError unless it can serve."""
        to = wish.to
        if to == PREVIOUS:
            with self._records.read() as connection:
                found = previous(aliases.moves(connection, state.registered, alias=wish.alias))
            if found is None:
                there = "" if wish.alias in state.aliases else f" has no alias {wish.alias}, and"
                raise InvalidInputError(
                    f"{state.registered}{there} has no earlier version of {wish.alias} that is "
                    "known; name the version with --to"
                )
            to = found
        version = next((v for v in state.versions if v.version == to), None)
        if version is None:
            there = ", ".join(v.version for v in state.versions) or "none"
            raise InvalidInputError(f"{state.registered} has no version {to}; it has {there}")
        if version.status != READY:
            raise InvalidInputError(
                f"version {to} of {state.registered} is {version.status}, not {READY}; wait until "
                "it is, or choose another"
            )
        return to

    def _mirror(self, move: OpenMove) -> None:
        """Leave a note at the versions, for those who look into MLflow only."""
        at = isoformat(move.begun_at)
        try:
            self._registry.set_tags(
                move.registered,
                move.to_version,
                {
                    f"tocsin.alias.{move.alias}.since": at,
                    f"tocsin.alias.{move.alias}.by": f"{move.actor}: {move.reason}"[:MOST_WORDS],
                },
            )
            if move.from_version is not None:
                until = {f"tocsin.alias.{move.alias}.until": at}
                self._registry.set_tags(move.registered, move.from_version, until)
        except RegistryError as error:
            _log.warning("the tags of %s could not be set: %s", move.registered, error)

    @contextmanager
    def _turn(self, registered: str) -> Iterator[None]:
        with self._taking:
            turn = self._turns.setdefault(registered, threading.Lock())
        if not turn.acquire(timeout=_TURN_S):
            raise RegistryError(
                f"MLflow has not answered about {registered} for {_TURN_S:g} s; try again"
            )
        try:
            yield
        finally:
            turn.release()


def config_hash(document: dict[str, Any]) -> str:
    """The hash of a monitor, which tells whether it is still the same."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _check_words(wish: Wish) -> None:
    for name, text in (("reason", wish.reason), ("actor", wish.actor), ("alias", wish.alias)):
        if not text.strip():
            raise InvalidInputError(f"`{name}` is missing: it goes into the audit")
        # A terminal obeys what a page shows harmlessly.
        if not text.replace("\n", " ").isprintable():
            raise InvalidInputError(f"`{name}` has a character that cannot be printed")
        if len(text) > MOST_WORDS:
            raise InvalidInputError(f"`{name}` has more than {MOST_WORDS:,} characters")


def _overtaken(move: OpenMove, at: str | None, what: str) -> AliasMovedError:
    return AliasMovedError(
        f"somebody else moved {move.alias} of {move.registered} to version {at or 'none'} "
        f"meanwhile; {what}: look again"
    )


def _registered(connection: Connection) -> dict[str, list[str]]:
    """The monitored models by the name that the registry has for them."""
    found: dict[str, list[str]] = {}
    for name in models.names(connection):
        _, document = models.monitor_named(connection, name)
        if document.get("model") is not None:
            try:
                registered = parse_address(document["model"]).name
            except InvalidInputError:
                # `model` may name what is kept elsewhere.
                continue
            found.setdefault(registered, []).append(name)
    return found


def _announce(connection: Connection, registered: str, now: int) -> None:
    for name in _registered(connection).get(registered, []):
        changes.announce(connection, f"model/{name}", now=now)
