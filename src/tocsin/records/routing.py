"""The one document of who is told, and by what open alerts were routed last."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import routing

_ONLY = 1


@dataclass(frozen=True)
class StoredRouting:
    """document: None where nobody wrote one. routed_by: a digest."""

    document: dict[str, Any] | None
    changed_at: int
    routed_by: str


def stored(connection: Connection) -> StoredRouting:
    """What is stored; nothing at first."""
    query = sa.select(routing.c.document, routing.c.changed_at, routing.c.routed_by)
    row = connection.execute(query).first()
    return StoredRouting(None, 0, "") if row is None else StoredRouting(*row)


def set_document(connection: Connection, document: dict[str, Any] | None, *, now: int) -> None:
    """Replace the document; None lets hold what holds without one."""
    # Not JSON's null, which is another value than none.
    _set(connection, document=sa.null() if document is None else document, changed_at=now)


def set_routed(connection: Connection, digest: str) -> None:
    """Record by what all open alerts are routed."""
    _set(connection, routed_by=digest)


def _set(connection: Connection, **values: Any) -> None:
    if connection.execute(routing.update().values(values)).rowcount == 0:
        first = {"id": _ONLY, "document": sa.null(), "changed_at": 0, "routed_by": ""}
        connection.execute(routing.insert().values({**first, **values}))
