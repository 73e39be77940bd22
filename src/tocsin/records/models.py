"""Monitored models: their monitor, plan, reference and how far they were folded."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.errors import UnknownModelError
from tocsin.estimation import Maturity
from tocsin.profiles import Plan, Profile, is_readable
from tocsin.records.tables import changed_buckets, counters, deletions, models

_OF_ROWS = ("predictions", "outcomes", "quarantined", "repeated", "joined")
# Of every request that brings rows: made once, as making them takes longer than executing them.
_MONITOR = sa.select(models.c.id, models.c.monitor).where(models.c.name == sa.bindparam("name"))
_IS_THERE = sa.select(models.c.id).where(models.c.id == sa.bindparam("id"))
_ADD_TO_COUNTER = (
    counters.update()
    .where(
        counters.c.model_id == sa.bindparam("of_model"), counters.c.name == sa.bindparam("of_name")
    )
    .values(value=counters.c.value + sa.bindparam("amount"))
)
_BEGIN_COUNTER = counters.insert().values(
    model_id=sa.bindparam("of_model"), name=sa.bindparam("of_name"), value=sa.bindparam("amount")
)


@dataclass(frozen=True)
class ModelRecord:
    """A row of `models`; `monitor` is the document that `declared` parses."""

    id: int
    name: str
    monitor: dict[str, Any]
    plan: Plan
    reference: Profile
    notes: tuple[str, ...]
    created_at: int
    folded_offset: int
    newest_event: int | None
    evaluated_until: int | None
    maturity: Maturity | None
    retained_from: int | None
    reference_digest: str | None = None


@dataclass(frozen=True)
class Rebuilding:
    """A rebuild of a model's profiles: days of the lake that are read, None before it begins."""

    model: str
    done: int | None
    days: int | None


def add_model(
    connection: Connection,
    *,
    name: str,
    monitor: dict[str, Any],
    reference: Profile,
    notes: tuple[str, ...],
    reference_digest: str | None = None,
    now: int,
) -> int:
    """Store a new model; its id."""
    plan = reference.plan
    result = connection.execute(
        models.insert().values(
            id=_next_id(connection),
            name=name,
            monitor=monitor,
            plan=plan.to_dict(),
            plan_digest=plan.digest,
            reference=reference.to_bytes(),
            notes=list(notes),
            profiled_digest=plan.digest,
            reference_digest=reference_digest,
            created_at=now,
            folded_offset=0,
        )
    )
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def _next_id(connection: Connection) -> int:
    """An id that no model has or had: files of a deleted one may still be there."""
    newest = (sa.func.max(models.c.id), sa.func.max(deletions.c.model_id))
    return 1 + max(connection.execute(sa.select(found)).scalar() or 0 for found in newest)


def set_monitor(connection: Connection, model_id: int, monitor: dict[str, Any]) -> None:
    """Replace a model's monitor; plan and reference stay."""
    connection.execute(models.update().where(models.c.id == model_id).values(monitor=monitor))


def set_reference(
    connection: Connection, model_id: int, reference: Profile, notes: tuple[str, ...]
) -> None:
    """Replace a model's reference and plan; its profiles wait to be rebuilt."""
    plan = reference.plan
    connection.execute(
        models.update()
        .where(models.c.id == model_id)
        .values(
            plan=plan.to_dict(),
            plan_digest=plan.digest,
            reference=reference.to_bytes(),
            notes=list(notes),
            profiled_digest="",
        )
    )


def set_reference_digest(connection: Connection, model_id: int, digest: str) -> None:
    """Note which rows were given as a model's reference."""
    mine = models.update().where(models.c.id == model_id)
    connection.execute(mine.values(reference_digest=digest))


def names_to_rebuild(connection: Connection) -> list[str]:
    """Names of the models whose profiles are of another plan."""
    query = sa.select(models.c.name).where(models.c.profiled_digest != models.c.plan_digest)
    return list(connection.execute(query.order_by(models.c.name)).scalars())


def awaits_rebuild(connection: Connection, model_id: int) -> bool:
    """Whether a model's profiles are of another plan than its own."""
    other = models.c.profiled_digest != models.c.plan_digest
    return (
        connection.execute(sa.select(models.c.id).where(models.c.id == model_id, other)).first()
        is not None
    )


def await_rebuild(connection: Connection, model_id: int) -> None:
    """Let the profiles be computed anew from the lake."""
    mine = models.update().where(models.c.id == model_id)
    connection.execute(mine.values(profiled_digest=""))


def rebuilt(connection: Connection, model_id: int, plan: Plan) -> None:
    """Record that the profiles are of this plan."""
    mine = models.update().where(models.c.id == model_id)
    connection.execute(
        mine.values(profiled_digest=plan.digest, rebuild_days=None, rebuild_days_done=None)
    )


def rebuild_went_on(connection: Connection, model_id: int, *, done: int, days: int) -> None:
    """Record how many days of the lake a rebuild has read, of how many."""
    mine = models.update().where(models.c.id == model_id)
    connection.execute(mine.values(rebuild_days=days, rebuild_days_done=done))


def rebuild_ended(connection: Connection, model_id: int | None = None) -> None:
    """Record that nobody rebuilds a model, or any; it may wait for it still."""
    ended = models.update().values(rebuild_days=None, rebuild_days_done=None)
    connection.execute(ended if model_id is None else ended.where(models.c.id == model_id))


def rebuilds(connection: Connection) -> list[Rebuilding]:
    """The models whose profiles are of another plan, or are just made anew, by name."""
    query = sa.select(models.c.name, models.c.rebuild_days_done, models.c.rebuild_days).where(
        sa.or_(models.c.profiled_digest != models.c.plan_digest, models.c.rebuild_days.is_not(None))
    )
    return [Rebuilding(*row) for row in connection.execute(query.order_by(models.c.name))]


def model_named(connection: Connection, name: str) -> ModelRecord:
    """The model of this name.

    Raises: UnknownModelError.
    """
    row = connection.execute(sa.select(models).where(models.c.name == name)).first()
    if row is None:
        raise UnknownModelError(name)
    return _record(row)


def changed_since(now: ModelRecord, then: ModelRecord) -> bool:
    """Whether a model has another monitor or plan by now, or is another one of its name."""
    return (now.id, now.monitor, now.plan.digest) != (then.id, then.monitor, then.plan.digest)


def monitor_named(connection: Connection, name: str) -> tuple[int, dict[str, Any]]:
    """The id and the monitor of the model of this name, without what is costly to decode.

    Raises: UnknownModelError.
    """
    row = connection.execute(_MONITOR, {"name": name}).first()
    if row is None:
        raise UnknownModelError(name)
    return row.id, row.monitor


def is_there(connection: Connection, model_id: int) -> bool:
    """Whether a model of this id is there still; a new one of its name is another."""
    return connection.execute(_IS_THERE, {"id": model_id}).first() is not None


def check_there(connection: Connection, record: ModelRecord) -> None:
    """Raises: UnknownModelError when a model was deleted since it was read."""
    if not is_there(connection, record.id):
        raise UnknownModelError(record.name)


def exists(connection: Connection, name: str) -> bool:
    """Whether there is a model of this name."""
    return (
        connection.execute(sa.select(models.c.id).where(models.c.name == name)).first() is not None
    )


def names_of_other_formats(connection: Connection) -> list[str]:
    """Names of the models whose plan was written by a version that this one cannot read."""
    query = sa.select(models.c.name, models.c.plan).order_by(models.c.name)
    return [name for name, plan in connection.execute(query) if not is_readable(plan)]


def names(connection: Connection) -> list[str]:
    """The names of all models."""
    return list(connection.execute(sa.select(models.c.name).order_by(models.c.name)).scalars())


def names_by_id(connection: Connection) -> dict[int, str]:
    """The names of all models, in their order."""
    query = sa.select(models.c.id, models.c.name).order_by(models.c.name)
    return {int(model_id): name for model_id, name in connection.execute(query)}


def number(connection: Connection) -> int:
    """How many models there are."""
    return connection.execute(sa.select(sa.func.count()).select_from(models)).scalar_one()


def all_models(connection: Connection) -> list[ModelRecord]:
    """All models by name."""
    return [_record(row) for row in connection.execute(sa.select(models).order_by(models.c.name))]


def move_folded(
    connection: Connection, model_id: int, *, offset: int, newest_event: int | None
) -> None:
    """Record that the inbox is folded up to `offset`, and the newest event time seen."""
    connection.execute(
        models.update()
        .where(models.c.id == model_id)
        .values(folded_offset=offset, newest_event=newest_event)
    )


def move_evaluated(connection: Connection, model_id: int, until: int) -> None:
    """Record that all windows that end up to here were evaluated."""
    connection.execute(models.update().where(models.c.id == model_id).values(evaluated_until=until))


def set_maturity(connection: Connection, model_id: int, maturity: Maturity) -> None:
    """Record how late labels come."""
    mine = models.update().where(models.c.id == model_id)
    connection.execute(mine.values(maturity=asdict(maturity)))


def set_retained_from(connection: Connection, model_id: int, start: int) -> None:
    """Record that rows of before have expired."""
    mine = models.update().where(models.c.id == model_id)
    connection.execute(mine.values(retained_from=start))


def mark_changed(connection: Connection, model_id: int, buckets: set[int]) -> None:
    """Remember that these buckets' windows have to be evaluated again."""
    known = pending_buckets(connection, model_id)
    fresh = [{"model_id": model_id, "bucket": bucket} for bucket in sorted(buckets - known)]
    if fresh:
        connection.execute(changed_buckets.insert(), fresh)


def pending_buckets(connection: Connection, model_id: int) -> set[int]:
    """The buckets that changed since their windows were evaluated."""
    query = sa.select(changed_buckets.c.bucket).where(changed_buckets.c.model_id == model_id)
    return set(connection.execute(query).scalars())


def names_with_changes(connection: Connection) -> dict[str, tuple[int, int, int]]:
    """The models that have such buckets: id, up to where it is folded, and how many they are."""
    columns = (models.c.name, models.c.id, models.c.folded_offset)
    query = sa.select(*columns, sa.func.count()).join(changed_buckets).group_by(*columns)
    return {name: (int(i), int(offset), int(n)) for name, i, offset, n in connection.execute(query)}


def clear_changed(connection: Connection, model_id: int, *, keep: Collection[int] = ()) -> None:
    """Forget the changed buckets but some: the windows of the others were evaluated."""
    connection.execute(changed_buckets.delete().where(changed_buckets.c.model_id == model_id))
    mark_changed(connection, model_id, set(keep))


def count(connection: Connection, model_id: int, **amounts: int) -> None:
    """Add to the model's counters."""
    for name, amount in amounts.items():
        if amount == 0:
            continue
        added = {"of_model": model_id, "of_name": name, "amount": amount}
        if connection.execute(_ADD_TO_COUNTER, added).rowcount == 0:
            connection.execute(_BEGIN_COUNTER, added)


def count_anew(connection: Connection, model_id: int, names: Collection[str]) -> None:
    """Let some of the model's counters begin at nothing."""
    mine = (counters.c.model_id == model_id) & counters.c.name.in_(names)
    connection.execute(counters.delete().where(mine))


def counts(connection: Connection, model_id: int) -> dict[str, int]:
    """The model's counters; those of rows are there before there are any."""
    query = sa.select(counters.c.name, counters.c.value).where(counters.c.model_id == model_id)
    found = {str(name): int(value) for name, value in connection.execute(query)}
    return dict.fromkeys(_OF_ROWS, 0) | found


def _record(row: sa.Row[Any]) -> ModelRecord:
    plan = Plan.from_dict(row.plan)
    return ModelRecord(
        id=row.id,
        name=row.name,
        monitor=row.monitor,
        plan=plan,
        reference=Profile.from_bytes(plan, row.reference),
        notes=tuple(row.notes),
        created_at=row.created_at,
        folded_offset=row.folded_offset,
        newest_event=row.newest_event,
        evaluated_until=row.evaluated_until,
        maturity=None if row.maturity is None else _maturity(row.maturity),
        retained_from=row.retained_from,
        reference_digest=row.reference_digest,
    )


def _maturity(document: dict[str, Any]) -> Maturity:
    return Maturity(**{**document, "arrived": tuple(map(tuple, document["arrived"]))})
