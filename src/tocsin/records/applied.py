"""Configurations that were applied from files: each with a number, and never changed."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.given_ids import next_id
from tocsin.records.tables import applied


@dataclass(frozen=True)
class Applied:
    """A configuration that somebody applied; the document is that of all files together."""

    number: int
    actor: str
    applied_at: int
    document: dict[str, Any]
    digest: str


def add(
    connection: Connection, *, actor: str, document: dict[str, Any], digest: str, now: int
) -> int:
    """Store a configuration; its number."""
    number = next_id(connection, applied)
    connection.execute(
        applied.insert().values(
            number=number, actor=actor, applied_at=now, document=document, digest=digest
        )
    )
    return number


def newest(connection: Connection) -> Applied | None:
    """The configuration that was applied last."""
    return next(iter(listed(connection, limit=1)), None)


def numbered(connection: Connection, number: int) -> Applied | None:
    """The configuration of a number."""
    query = sa.select(applied).where(applied.c.number == number)
    row = connection.execute(query).mappings().first()
    return None if row is None else Applied(**row)


def listed(connection: Connection, *, limit: int) -> list[Applied]:
    """Configurations, the newest first."""
    query = sa.select(applied).order_by(applied.c.number.desc()).limit(limit)
    return [Applied(**row) for row in connection.execute(query).mappings()]
