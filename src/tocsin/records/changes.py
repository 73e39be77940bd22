"""The stream of changes that pages watch."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import changes

_KEPT = 10_000


def announce(connection: Connection, topic: str, *, now: int) -> None:
    """Say that something changed, such as `model/flight-delay` or `incident/3`."""
    result = connection.execute(changes.insert().values(topic=topic, recorded_at=now))
    assert result.inserted_primary_key is not None
    newest = int(result.inserted_primary_key[0])
    connection.execute(changes.delete().where(changes.c.id <= newest - _KEPT))


def since(connection: Connection, after: int, limit: int = 1_000) -> list[tuple[int, str]]:
    """(id, topic) of the changes after an id, the oldest first."""
    query = sa.select(changes.c.id, changes.c.topic).where(changes.c.id > after)
    return [
        (id_, topic) for id_, topic in connection.execute(query.order_by(changes.c.id).limit(limit))
    ]


def newest(connection: Connection) -> int:
    """The id of the newest change, 0 when there is none."""
    return connection.execute(sa.select(sa.func.max(changes.c.id))).scalar() or 0
