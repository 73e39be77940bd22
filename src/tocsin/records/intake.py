"""What came in that no profile has: repeats, misfits, unknown fields, by bucket of event time."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.tables import intake

_HERE = sa.and_(
    intake.c.model_id == sa.bindparam("of_model"),
    intake.c.bucket == sa.bindparam("of_bucket"),
    intake.c.kind == sa.bindparam("of_kind"),
)
_ADD = intake.update().where(_HERE).values(rows=intake.c.rows + sa.bindparam("amount"))
_BEGIN = intake.insert().values(
    model_id=sa.bindparam("of_model"),
    bucket=sa.bindparam("of_bucket"),
    kind=sa.bindparam("of_kind"),
    rows=sa.bindparam("amount"),
)


def add(connection: Connection, model_id: int, amounts: Mapping[tuple[int, str], int]) -> None:
    """Add to the rows of a kind in a bucket; amounts: by (start of the bucket, kind)."""
    for (bucket, kind), amount in amounts.items():
        added = {"of_model": model_id, "of_bucket": bucket, "of_kind": kind, "amount": amount}
        if connection.execute(_ADD, added).rowcount == 0:
            connection.execute(_BEGIN, added)


def between(
    connection: Connection, model_id: int, first: int, end: int
) -> dict[str, dict[int, int]]:
    """The rows of the buckets that start in [first, end), by kind and bucket."""
    query = sa.select(intake.c.kind, intake.c.bucket, intake.c.rows).where(
        intake.c.model_id == model_id, intake.c.bucket >= first, intake.c.bucket < end
    )
    found: dict[str, dict[int, int]] = {}
    for kind, bucket, rows in connection.execute(query):
        found.setdefault(kind, {})[bucket] = rows
    return found
