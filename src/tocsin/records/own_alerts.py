"""What is wrong with Tocsin itself, as long as it is."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import own_alerts


@dataclass(frozen=True)
class OwnAlert:
    """An alert about Tocsin. instance: of what, such as a receiver. since: wall time."""

    name: str
    instance: str
    episode: str
    severity: str
    text: str
    since: int


def firing(connection: Connection) -> dict[tuple[str, str], OwnAlert]:
    """Those that fire, by name and instance."""
    found = (OwnAlert(**row) for row in connection.execute(sa.select(own_alerts)).mappings())
    return {(alert.name, alert.instance): alert for alert in found}


def begin(connection: Connection, alert: OwnAlert) -> None:
    """Remember that one fires."""
    connection.execute(own_alerts.insert().values(**alert.__dict__))


def end(connection: Connection, alert: OwnAlert) -> None:
    """Remember that one is over."""
    mine = (own_alerts.c.name == alert.name) & (own_alerts.c.instance == alert.instance)
    connection.execute(own_alerts.delete().where(mine))
