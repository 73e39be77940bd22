"""Ids that are given once, also when the rows that had them are deleted."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import given_ids


def next_id(connection: Connection, table: sa.Table) -> int:
    """An id that no row of a table has or had."""
    mine = given_ids.c.of == table.name
    given = given_ids.update().where(mine).values(newest=given_ids.c.newest + 1)
    newest = connection.execute(given.returning(given_ids.c.newest)).scalar()
    if newest is not None:
        return int(newest)
    connection.execute(given_ids.insert().values(of=table.name, newest=1))
    return 1
