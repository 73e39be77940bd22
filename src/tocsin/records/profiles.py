"""Stored profiles, one row per version, bucket and segment."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.profiles import EVERYTHING, Plan, Profile, ProfileKey
from tocsin.records.tables import profiles

# What is left of a sum, as a share of it, when half of its digits are gone.
_LOST = 1e-8
# Late truth may touch hundreds of profiles in one transaction: made once, not for each of them.
_PLACE: dict[str, sa.BindParameter[Any]] = {
    "model_id": sa.bindparam("of_model"),
    "plan_digest": sa.bindparam("of_plan"),
    "segment": sa.bindparam("of_segment"),
    "bucket": sa.bindparam("of_bucket"),
    "version": sa.bindparam("of_version"),
}
_HERE = sa.and_(*(profiles.c[name] == value for name, value in _PLACE.items()))
_VECTOR = sa.select(profiles.c.vector).where(_HERE)
_INSERT = profiles.insert().values(**_PLACE, vector=sa.bindparam("sums"))
_UPDATE = profiles.update().where(_HERE).values(vector=sa.bindparam("sums"))


def add(
    connection: Connection, model_id: int, plan: Plan, deltas: Mapping[ProfileKey, Profile]
) -> bool:
    """Add deltas to what is stored.

    Returns: whether sums lost their digits, as what was taken back was far larger than the rest.
    """
    lost = False
    fresh: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    for key, delta in deltas.items():
        place = {
            "of_model": model_id,
            "of_plan": plan.digest,
            "of_segment": key.segment,
            "of_bucket": key.bucket,
            "of_version": key.version,
        }
        stored = connection.execute(_VECTOR, place).scalar()
        if stored is None:
            fresh.append(place | {"sums": delta.to_bytes()})
        else:
            before = Profile.from_bytes(plan, stored)
            total = before + delta
            left = np.abs(total.vector)
            lost |= bool(((left > 0) & (left < _LOST * np.abs(before.vector))).any())
            known.append(place | {"sums": total.to_bytes()})
    for statement, rows in ((_INSERT, fresh), (_UPDATE, known)):
        if rows:
            connection.execute(statement, rows)
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
