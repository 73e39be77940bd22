"""Models that are deleted: gone from the records at once, from the lake a little later."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import (
    alert_groups,
    deletions,
    episodes,
    incidents,
    metadata,
    models,
    notices,
    outbox,
    timeline,
)


@dataclass(frozen=True)
class Deletion:
    """A model whose folder in the lake is still to be removed."""

    model_id: int
    name: str


# Letters of the id of an episode or of a group, which are UUIDs.
_ID = 36


def delete_model(connection: Connection, model_id: int, name: str, *, now: int) -> None:
    """Drop all that is known of a model, and remember that its folder has to go."""
    # An order key is the receiver, a slash and the episode or group, whose index is used so.
    about = sa.func.substr(outbox.c.order_key, sa.func.length(outbox.c.receiver) + 2, _ID)
    of_model = sa.exists().where(episodes.c.model_id == model_id, episodes.c.id == about)
    connection.execute(outbox.delete().where(of_model))
    of_group = sa.exists().where(notices.c.model_id == model_id, notices.c.group_id == about)
    _forget_in_groups(connection, name, of_group)
    mine = sa.select(incidents.c.id).where(incidents.c.model_id == model_id)
    connection.execute(timeline.delete().where(timeline.c.incident_id.in_(mine)))
    # Those that others refer to come last.
    for table in reversed(metadata.sorted_tables):
        if "model_id" in table.c and table is not deletions:
            connection.execute(table.delete().where(table.c.model_id == model_id))
    unused = ~sa.exists().where(notices.c.group_id == alert_groups.c.id)
    connection.execute(alert_groups.delete().where(unused))
    connection.execute(models.delete().where(models.c.id == model_id))
    row = {"model_id": model_id, "name": name, "requested_at": now}
    connection.execute(deletions.insert().values(row))


def _forget_in_groups(connection: Connection, name: str, wanted: sa.ColumnElement[bool]) -> None:
    """Drop the messages about a model, and from those about others too what is about it."""
    found = connection.execute(sa.select(outbox.c.id, outbox.c.payload).where(wanted)).all()
    for number, payload in found:
        rest = [each for each in payload.get("alerts", [payload]) if each["model"] != name]
        if not rest:
            connection.execute(outbox.delete().where(outbox.c.id == number))
        elif len(rest) < len(payload.get("alerts", [payload])):
            # Its title named the model too.
            left = {**rest[0], "group": payload["group"], "alerts": rest}
            connection.execute(outbox.update().where(outbox.c.id == number).values(payload=left))


def unfinished(connection: Connection) -> list[Deletion]:
    """Those whose folder may still be there, the first requested first."""
    query = sa.select(deletions.c.model_id, deletions.c.name).where(deletions.c.done_at.is_(None))
    return [Deletion(*row) for row in connection.execute(query.order_by(deletions.c.requested_at))]


def done(connection: Connection, model_id: int, *, now: int) -> None:
    """Record that nothing is left."""
    mine = deletions.update().where(deletions.c.model_id == model_id)
    connection.execute(mine.values(done_at=now))
