"""Stored profiles, one row per version, bucket and segment."""

from collections.abc import Iterator, Mapping

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.profiles import EVERYTHING, Plan, Profile, ProfileKey
from tocsin.records.tables import profiles

# What is left of a sum, as a share of it, when half of its digits are gone.
_LOST = 1e-8


def add(
    connection: Connection, model_id: int, plan: Plan, deltas: Mapping[ProfileKey, Profile]
) -> bool:
    """Add deltas to what is stored.

    Returns: whether sums lost their digits, as what was taken back was far larger than the rest.
    """
    lost = False
    for key, delta in deltas.items():
        mine = (
            (profiles.c.model_id == model_id)
            & (profiles.c.plan_digest == plan.digest)
            & (profiles.c.segment == key.segment)
            & (profiles.c.bucket == key.bucket)
            & (profiles.c.version == key.version)
        )
        stored = connection.execute(sa.select(profiles.c.vector).where(mine)).scalar()
        if stored is None:
            connection.execute(
                profiles.insert().values(
                    model_id=model_id,
                    plan_digest=plan.digest,
                    version=key.version,
                    segment=key.segment,
                    bucket=key.bucket,
                    vector=delta.to_bytes(),
                )
            )
        else:
            before = Profile.from_bytes(plan, stored)
            total = before + delta
            left = np.abs(total.vector)
            lost |= bool(((left > 0) & (left < _LOST * np.abs(before.vector))).any())
            connection.execute(profiles.update().where(mine).values(vector=total.to_bytes()))
    return lost


def stored(
    connection: Connection,
    model_id: int,
    plan: Plan,
    first: int,
    end: int,
    *,
    segment: str = EVERYTHING,
    version: str | None = None,
) -> Iterator[tuple[ProfileKey, Profile]]:
    """The profiles of the buckets in [first, end) of a segment with their keys, oldest first.

    version: only those of one version of the model.
    """
    query = (
        sa.select(profiles.c.version, profiles.c.bucket, profiles.c.vector)
        .where(
            profiles.c.model_id == model_id,
            profiles.c.plan_digest == plan.digest,
            profiles.c.segment == segment,
            profiles.c.bucket >= first,
            profiles.c.bucket < end,
        )
        .order_by(profiles.c.bucket, profiles.c.version)
    )
    if version is not None:
        query = query.where(profiles.c.version == version)
    for row in connection.execute(query):
        key = ProfileKey(row.version, row.bucket, segment)
        yield key, Profile.from_bytes(plan, row.vector)


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


def clear(
    connection: Connection, model_id: int, *, first: int | None = None, end: int | None = None
) -> set[int]:
    """Drop the profiles of a model, or of its buckets in [first, end), to store them anew.

    Returns: the starts of the buckets that had profiles.
    """
    mine = profiles.c.model_id == model_id
    if first is not None:
        mine &= profiles.c.bucket >= first
    if end is not None:
        mine &= profiles.c.bucket < end
    gone = set(connection.execute(sa.select(profiles.c.bucket).where(mine).distinct()).scalars())
    connection.execute(profiles.delete().where(mine))
    return gone
