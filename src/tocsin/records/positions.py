"""How far named sources of a model were read: moved with the rows, in their transaction."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.errors import SourceMovedError
from tocsin.records.tables import source_positions


@dataclass(frozen=True)
class Move:
    """A step of a source: where it was, empty at first, and where it is with these rows."""

    source: str
    after: str
    position: str


@dataclass(frozen=True)
class SourcePosition:
    """How far a source was read, and when (wall time)."""

    source: str
    position: str
    moved_at: int


def move(connection: Connection, model_id: int, step: Move, *, now: int) -> None:
    """Move a source.

    Raises: SourceMovedError when it is not where the step begins.
    """
    mine = (source_positions.c.model_id == model_id, source_positions.c.source == step.source)
    stored = connection.execute(sa.select(source_positions.c.position).where(*mine)).scalar()
    if (stored or "") != step.after:
        raise SourceMovedError(step.source, stored or "")
    values = {"position": step.position, "moved_at": now}
    if stored is None:
        row = {"model_id": model_id, "source": step.source, **values}
        connection.execute(source_positions.insert().values(row))
    else:
        connection.execute(source_positions.update().where(*mine).values(values))


def positions(connection: Connection, model_id: int) -> list[SourcePosition]:
    """The sources of a model by name."""
    query = (
        sa.select(
            source_positions.c.source, source_positions.c.position, source_positions.c.moved_at
        )
        .where(source_positions.c.model_id == model_id)
        .order_by(source_positions.c.source)
    )
    return [SourcePosition(*row) for row in connection.execute(query)]
