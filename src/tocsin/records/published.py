"""How far results went back to MLflow."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import published


def positions(connection: Connection, model_id: int) -> dict[str, str]:
    """The position of every topic of a model."""
    query = sa.select(published.c.topic, published.c.position)
    found = connection.execute(query.where(published.c.model_id == model_id))
    return {row.topic: row.position for row in found}


def set_position(connection: Connection, model_id: int, topic: str, position: str) -> None:
    """Remember how far a topic went."""
    mine = (published.c.model_id == model_id) & (published.c.topic == topic)
    if connection.execute(published.update().where(mine).values(position=position)).rowcount == 0:
        connection.execute(
            published.insert().values(model_id=model_id, topic=topic, position=position)
        )
