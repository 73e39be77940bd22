"""Which days of a source were profiled, and what they were like then."""

from collections.abc import Mapping
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import profiled_days

# Asked with every request: made once, as making it takes longer than executing it.
_ANY = (
    sa.select(profiled_days.c.day)
    .where(profiled_days.c.model_id == sa.bindparam("of_model"))
    .limit(1)
)


def fingerprints(connection: Connection, model_id: int) -> dict[date, str]:
    """The text that each profiled day had."""
    query = sa.select(profiled_days.c.day, profiled_days.c.fingerprint).where(
        profiled_days.c.model_id == model_id
    )
    return {date.fromisoformat(day): text for day, text in connection.execute(query)}


def any_of(connection: Connection, model_id: int) -> bool:
    """Whether a model's profiles are those of a table."""
    return connection.execute(_ANY, {"of_model": model_id}).first() is not None


def remember(connection: Connection, model_id: int, days: Mapping[date, str | None]) -> None:
    """Remember days with their text; those without one are forgotten."""
    mine = profiled_days.c.model_id == model_id
    for day, text in days.items():
        connection.execute(
            profiled_days.delete().where(mine, profiled_days.c.day == day.isoformat())
        )
        if text is not None:
            row = {"model_id": model_id, "day": day.isoformat(), "fingerprint": text}
            connection.execute(profiled_days.insert().values(row))


def forget(connection: Connection, model_id: int) -> None:
    """Forget all days of a model: its profiles are of another plan now."""
    connection.execute(profiled_days.delete().where(profiled_days.c.model_id == model_id))
