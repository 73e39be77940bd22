"""Where aliases of registered models were, as far as it was seen or done."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import (
    alias_moves,
    open_moves,
    registered_versions,
    registry_looks,
    webhook_deliveries,
)


@dataclass(frozen=True)
class AliasMove:
    """An alias at another version than before.

    from_version: None when there was no such alias, or none that was known; to_version: None when
    it was deleted. moved_at: wall time; after_at: when it was last seen elsewhere, None at first
    sight: it may have been there for long. source: `poll`, `webhook` or `tocsin`.
    """

    registered: str
    alias: str
    from_version: str | None
    to_version: str | None
    moved_at: int
    after_at: int | None
    actor: str
    reason: str
    source: str

    @property
    def first_seen(self) -> bool:
        """Whether nobody knows since when it is there."""
        return self.after_at is None and self.source != "tocsin"


@dataclass(frozen=True)
class VersionRecord:
    """A version of a registered model as it was seen last."""

    version: str
    status: str
    created_at: int
    run_id: str


@dataclass(frozen=True)
class OpenMove:
    """A move that was begun: whether it was done is not known until the registry is read."""

    registered: str
    alias: str
    from_version: str | None
    to_version: str
    begun_at: int
    actor: str
    auth: str
    reason: str
    incident: int | None
    config_hash: str


@dataclass(frozen=True)
class Delivery:
    """What a webhook said. alias: None where it is about something else; version: None when the
    alias was deleted."""

    id: str
    received_at: int
    sent_at: int
    registered: str
    alias: str | None
    version: str | None


def add_move(connection: Connection, move: AliasMove) -> None:
    """Record a move."""
    connection.execute(alias_moves.insert().values(asdict(move)))


def moves(connection: Connection, registered: str, *, alias: str | None = None) -> list[AliasMove]:
    """The moves of a model's aliases, the oldest first."""
    query = sa.select(alias_moves).where(alias_moves.c.registered == registered)
    if alias is not None:
        query = query.where(alias_moves.c.alias == alias)
    found = connection.execute(query.order_by(alias_moves.c.id)).mappings()
    return [AliasMove(**{k: v for k, v in row.items() if k != "id"}) for row in found]


def standing(connection: Connection, registered: str) -> dict[str, AliasMove]:
    """The newest move of each alias."""
    return {move.alias: move for move in moves(connection, registered)}


def say_when(connection: Connection, registered: str, alias: str, *, moved_at: int) -> None:
    """Give the newest move of an alias the time that a webhook told."""
    mine = (alias_moves.c.registered == registered) & (alias_moves.c.alias == alias)
    newest = sa.select(sa.func.max(alias_moves.c.id)).where(mine).scalar_subquery()
    connection.execute(
        alias_moves.update()
        .where(alias_moves.c.id == newest)
        .values(moved_at=moved_at, source="webhook")
    )


def versions(connection: Connection, registered: str) -> list[VersionRecord]:
    """The versions as they were seen last, the oldest first."""
    v = registered_versions.c
    query = sa.select(v.version, v.status, v.created_at, v.run_id).where(v.registered == registered)
    found = [VersionRecord(*row) for row in connection.execute(query)]
    return sorted(found, key=lambda version: int(version.version))


def set_versions(connection: Connection, registered: str, found: Sequence[VersionRecord]) -> None:
    """Replace what is known of the versions."""
    mine = registered_versions.c.registered == registered
    connection.execute(registered_versions.delete().where(mine))
    rows = [{"registered": registered, **asdict(version)} for version in found]
    if rows:
        connection.execute(registered_versions.insert(), rows)


def looked_at(connection: Connection, registered: str) -> int | None:
    """When the registry was last read for a model, None if never."""
    query = sa.select(registry_looks.c.looked_at).where(registry_looks.c.registered == registered)
    return connection.execute(query).scalar()


def set_looked_at(connection: Connection, registered: str, now: int) -> None:
    """Record that the registry was read."""
    mine = registry_looks.c.registered == registered
    if connection.execute(registry_looks.update().where(mine).values(looked_at=now)).rowcount == 0:
        connection.execute(registry_looks.insert().values(registered=registered, looked_at=now))


def begin_move(connection: Connection, move: OpenMove) -> None:
    """Remember a move before it is made."""
    key = {"registered": move.registered, "alias": move.alias, "begun_at": move.begun_at}
    document = {name: part for name, part in asdict(move).items() if name not in key}
    connection.execute(open_moves.insert().values(**key, document=document))


def end_move(connection: Connection, move: OpenMove) -> None:
    """Forget a move whose end is known."""
    mine = (open_moves.c.registered == move.registered) & (open_moves.c.alias == move.alias)
    connection.execute(open_moves.delete().where(mine))


def begun_moves(connection: Connection, registered: str) -> list[OpenMove]:
    """The moves whose end is not known."""
    query = sa.select(open_moves).where(open_moves.c.registered == registered)
    return [
        OpenMove(row.registered, row.alias, begun_at=row.begun_at, **row.document)
        for row in connection.execute(query)
    ]


def add_delivery(connection: Connection, delivery: Delivery) -> bool:
    """Keep what a webhook said; False when it was delivered before."""
    known = webhook_deliveries.c.id == delivery.id
    if connection.execute(sa.select(webhook_deliveries.c.id).where(known)).first() is not None:
        return False
    connection.execute(webhook_deliveries.insert().values(asdict(delivery)))
    return True


def deliveries(connection: Connection, registered: str, *, since: int) -> list[Delivery]:
    """What webhooks said of a model's aliases since a time, the newest first."""
    d = webhook_deliveries.c
    query = sa.select(webhook_deliveries).where(
        d.registered == registered, d.alias.is_not(None), d.sent_at >= since
    )
    found = connection.execute(query.order_by(d.sent_at.desc())).mappings()
    return [Delivery(**row) for row in found]


def forget_deliveries(connection: Connection, *, before: int) -> None:
    """Drop what was received before a time."""
    connection.execute(webhook_deliveries.delete().where(webhook_deliveries.c.received_at < before))
