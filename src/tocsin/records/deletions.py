"""Models that are deleted: gone from the records at once, from the lake a little later."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import deletions, episodes, incidents, metadata, models, outbox, timeline


@dataclass(frozen=True)
class Deletion:
    """A model whose folder in the lake is still to be removed."""

    model_id: int
    name: str


# Letters of the id of an episode, which is a UUID.
_EPISODE = 36


def delete_model(connection: Connection, model_id: int, name: str, *, now: int) -> None:
    """Drop all that is known of a model, and remember that its folder has to go."""
    # An order key is the receiver, a slash and the episode, whose index is used so.
    of_episode = sa.func.substr(outbox.c.order_key, sa.func.length(outbox.c.receiver) + 2, _EPISODE)
    of_model = sa.exists().where(episodes.c.model_id == model_id, episodes.c.id == of_episode)
    connection.execute(outbox.delete().where(of_model))
    mine = sa.select(incidents.c.id).where(incidents.c.model_id == model_id)
    connection.execute(timeline.delete().where(timeline.c.incident_id.in_(mine)))
    # Those that others refer to come last.
    for table in reversed(metadata.sorted_tables):
        if "model_id" in table.c and table is not deletions:
            connection.execute(table.delete().where(table.c.model_id == model_id))
    connection.execute(models.delete().where(models.c.id == model_id))
    row = {"model_id": model_id, "name": name, "requested_at": now}
    connection.execute(deletions.insert().values(row))


def unfinished(connection: Connection) -> list[Deletion]:
    """Those whose folder may still be there, the first requested first."""
    query = sa.select(deletions.c.model_id, deletions.c.name).where(deletions.c.done_at.is_(None))
    return [Deletion(*row) for row in connection.execute(query.order_by(deletions.c.requested_at))]


def done(connection: Connection, model_id: int, *, now: int) -> None:
    """Record that nothing is left."""
    mine = deletions.update().where(deletions.c.model_id == model_id)
    connection.execute(mine.values(done_at=now))
