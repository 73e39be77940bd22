"""Stored profiles, one row per version and bucket."""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.profiles import Plan, Profile
from tocsin.records.tables import profiles

# Segment name of all rows together.
EVERYTHING = ""
Key = tuple[str, int]


def add(connection: Connection, model_id: int, plan: Plan, deltas: Mapping[Key, Profile]) -> None:
    """Add deltas, by (version, bucket), to what is stored."""
    for (version, bucket), delta in deltas.items():
        mine = (
            (profiles.c.model_id == model_id)
            & (profiles.c.plan_digest == plan.digest)
            & (profiles.c.segment == EVERYTHING)
            & (profiles.c.bucket == bucket)
            & (profiles.c.version == version)
        )
        stored = connection.execute(sa.select(profiles.c.vector).where(mine)).scalar()
        if stored is None:
            connection.execute(
                profiles.insert().values(
                    model_id=model_id,
                    plan_digest=plan.digest,
                    version=version,
                    segment=EVERYTHING,
                    bucket=bucket,
                    vector=delta.to_bytes(),
                )
            )
        else:
            total = Profile.from_bytes(plan, stored) + delta
            connection.execute(profiles.update().where(mine).values(vector=total.to_bytes()))


def stored(
    connection: Connection, model_id: int, plan: Plan, first: int, end: int
) -> Iterator[tuple[Key, Profile]]:
    """The profiles of the buckets in [first, end) with their (version, bucket), oldest first."""
    query = (
        sa.select(profiles.c.version, profiles.c.bucket, profiles.c.vector)
        .where(
            profiles.c.model_id == model_id,
            profiles.c.plan_digest == plan.digest,
            profiles.c.segment == EVERYTHING,
            profiles.c.bucket >= first,
            profiles.c.bucket < end,
        )
        .order_by(profiles.c.bucket, profiles.c.version)
    )
    for row in connection.execute(query):
        yield (row.version, row.bucket), Profile.from_bytes(plan, row.vector)


def bucket_starts(
    connection: Connection, model_id: int, plan: Plan, *, after: int | None
) -> list[int]:
    """The starts of all buckets that have a profile, or only of those after a time, ascending."""
    query = (
        sa.select(profiles.c.bucket)
        .where(
            profiles.c.model_id == model_id,
            profiles.c.plan_digest == plan.digest,
            profiles.c.segment == EVERYTHING,
        )
        .distinct()
        .order_by(profiles.c.bucket)
    )
    if after is not None:
        query = query.where(profiles.c.bucket > after)
    return list(connection.execute(query).scalars())


def clear(connection: Connection, model_id: int) -> None:
    """Drop all profiles of a model, to store them anew."""
    connection.execute(profiles.delete().where(profiles.c.model_id == model_id))
