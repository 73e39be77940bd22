"""Add a model to be monitored: its monitor, its reference, and the plan that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.drift import STATISTICS, Pair
from tocsin.engines import reference_digest, reference_rows
from tocsin.errors import SchemaError
from tocsin.lake import Lake
from tocsin.profiles import (
    Grouping,
    Profile,
    fold_known_labels,
    fold_predictions,
    plan_from_reference,
)
from tocsin.quality import Declared, expectations, percent
from tocsin.records import Records, audit, changes, models, profiles
from tocsin.records.models import ModelRecord
from tocsin.schema import Schema
from tocsin.service.aliases import config_hash
from tocsin.service.clock import Clock
from tocsin.service.columns import label_pair, pairs
from tocsin.service.decoding import ROW_FIELDS, scrubbed_reference
from tocsin.service.proposed import proposed_rules
from tocsin.values import to_datetime

MAX_NAME_LENGTH = 200


@dataclass(frozen=True, eq=False)
class Addition:
    """A model that is ready to be stored. digest: of its reference as it was given."""

    name: str
    document: dict[str, Any]
    monitor: Monitor
    reference: pa.Table
    profile: Profile
    notes: tuple[str, ...]
    digest: str


@dataclass(frozen=True, eq=False)
class Change:
    """A change that is ready to be stored.

    record: the model as it was. reference, profile: None where the profiles stay. digest: of the
    reference where another one was given.
    """

    document: dict[str, Any]
    monitor: Monitor
    record: ModelRecord
    reference: pa.Table | None = None
    profile: Profile | None = None
    notes: tuple[str, ...] = ()
    digest: str | None = None


class Register:
    """Adds models, and changes their monitors and references."""

    def __init__(self, records: Records, lake: Lake, clock: Clock, hash_key: bytes) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock
        self._hash_key = hash_key

    def add(
        self,
        name: str,
        document: dict[str, Any],
        reference: pa.Table,
        notes: tuple[str, ...] = (),
        *,
        logged: Mapping[str, float] | None = None,
        actor: str = audit.UNKNOWN,
    ) -> Monitor:
        """Monitor a model from now on.

        reference: rows with the features by name, the label, and the scores or the prediction.
        logged: metrics that the registry has of it, when rules are to be proposed where the
        document has none. actor: who adds it.
        Raises: SchemaError when the document or the reference does not fit, or the name is taken.
        """
        addition = self.prepared(name, document, reference, notes, logged=logged)
        now = self._clock()
        with self._records.write() as connection:
            self.write_added(connection, addition, actor=actor, now=now)
        return addition.monitor

    def prepared(
        self,
        name: str,
        document: dict[str, Any],
        reference: pa.Table,
        notes: tuple[str, ...] = (),
        *,
        logged: Mapping[str, float] | None = None,
    ) -> Addition:
        """All that takes long of adding a model; nothing is stored. Raises: SchemaError."""
        _check_name(name)
        monitor = parse_monitor(name, document, new=True)
        digest = reference_digest(reference)
        reference = scrubbed_reference(reference, monitor.privacy, self._hash_key)
        profile, found = reference_profile(monitor.schema, reference)
        if logged is not None and "rules" not in document:
            rules, said = proposed_rules(monitor, profile, logged)
            document, notes = {**document, "rules": rules}, (*notes, *said)
            monitor = parse_monitor(name, document, new=True)
        _check_methods(monitor, profile)
        return Addition(name, document, monitor, reference, profile, (*notes, *found), digest)

    def write_added(
        self, connection: Connection, addition: Addition, *, actor: str, now: int
    ) -> None:
        """Store a model that was prepared. Raises: SchemaError when its name is taken."""
        name = addition.name
        if models.exists(connection, name):
            raise SchemaError(f"model {name!r} is monitored already")
        model_id = models.add_model(
            connection,
            name=name,
            monitor=addition.document,
            reference=addition.profile,
            notes=addition.notes,
            reference_digest=addition.digest,
            now=now,
        )
        lake = self._lake.model(model_id, name, addition.monitor.schema)
        lake.keep_reference(addition.profile.plan.digest, addition.reference)
        _record(connection, "model.added", name, None, addition.document, actor=actor, now=now)
        changes.announce(connection, f"model/{name}", now=now)

    def change(
        self,
        name: str,
        document: dict[str, Any],
        reference: pa.Table | None = None,
        *,
        actor: str = audit.UNKNOWN,
    ) -> Monitor:
        """Replace a model's monitor, and its reference if one is given.

        Where that changes what profiles are made of, they wait to be rebuilt from the lake.
        Raises: UnknownModelError; SchemaError when it changes what a row of the lake means, or does
        not fit the reference.
        """
        change = self.prepared_change(name, document, reference)
        with self._records.write() as connection:
            self.write_changed(connection, change, actor=actor, now=self._clock())
        return change.monitor

    def prepared_change(
        self, name: str, document: dict[str, Any], reference: pa.Table | None = None
    ) -> Change:
        """All that takes long of a change; nothing is stored.

        Raises: UnknownModelError, SchemaError.
        """
        monitor = parse_monitor(name, document, new=True)
        with self._records.read() as connection:
            record = models.model_named(connection, name)
        before = parse_monitor(name, record.monitor)
        _check_change(name, before.schema, monitor.schema)
        lake = self._lake.model(record.id, name, monitor.schema)
        lake.check_evolution()
        clashes = lake.clashes()
        if clashes:
            raise SchemaError(
                f"the lake of {name!r} has {clashes[0]} already, in another spelling; give the new "
                "feature another name, or say what it `was`"
            )
        if reference is None and not is_made_anew(before, monitor):
            _check_methods(monitor, record.reference)
            return Change(document, monitor, record)
        kept = lake.reference(record.plan.digest) if reference is None else reference
        kept = _renamed(kept, monitor.schema)
        kept = scrubbed_reference(kept, monitor.privacy, self._hash_key)
        profile, notes = reference_profile(monitor.schema, kept)
        _check_methods(monitor, profile)
        digest = None if reference is None else reference_digest(reference)
        return Change(document, monitor, record, kept, profile, notes, digest)

    def write_changed(
        self, connection: Connection, change: Change, *, actor: str, now: int
    ) -> None:
        """Store a change that was prepared.

        Raises: UnknownModelError; SchemaError when somebody else changed the model meanwhile.
        """
        record, name = change.record, change.record.name
        if models.changed_since(models.model_named(connection, name), record):
            raise SchemaError(f"somebody else changed model {name!r} meanwhile; look again")
        models.set_monitor(connection, record.id, change.document)
        if change.profile is not None:
            notes = (*change.notes, *_dropped(connection, record))
            models.set_reference(connection, record.id, change.profile, notes)
            # Here, as the folder of a model that was deleted meanwhile must not come back.
            lake = self._lake.model(record.id, name, change.monitor.schema)
            lake.keep_reference(change.profile.plan.digest, change.reference)
        if change.digest is not None:
            models.set_reference_digest(connection, record.id, change.digest)
        event = "model.changed" if change.digest is None else "model.reference"
        _record(connection, event, name, record.monitor, change.document, actor=actor, now=now)
        changes.announce(connection, f"model/{name}", now=now)

    def digest_of_reference(self, record: ModelRecord) -> str:
        """The digest of a model's reference; of what is kept where nobody noted it."""
        if record.reference_digest is not None:
            return record.reference_digest
        schema = parse_monitor(record.name, record.monitor).schema
        lake = self._lake.model(record.id, record.name, schema)
        return reference_digest(lake.reference(record.plan.digest))

    def replace_reference(
        self, name: str, reference: pa.Table, *, actor: str = audit.UNKNOWN
    ) -> Monitor:
        """Replace a model's reference; its profiles wait to be rebuilt on the plan that follows.

        Raises: UnknownModelError, SchemaError.
        """
        with self._records.read() as connection:
            document = models.model_named(connection, name).monitor
        return self.change(name, document, reference, actor=actor)


def _check_methods(monitor: Monitor, reference: Profile) -> None:
    """Refuse a statistic of drift that no window of a column could ever be judged by.

    Raises: SchemaError.
    """
    of_two = STATISTICS["z_test"]
    chosen = {c: m for c, m in monitor.drift.methods.items() if m.statistic is of_two}
    if not chosen:
        return
    of: dict[str, Pair | None] = {**pairs(reference, reference, monitor.schema)}
    of[monitor.schema.watched_label] = label_pair(reference, reference)
    for column, method in chosen.items():
        pair = of.get(column)
        if pair is not None:
            why = method.statistic.apart(pair).reason
            if why is not None:
                raise SchemaError(
                    f"drift: {method.statistic.name} cannot judge {column!r}: {why}; give "
                    f"{column!r} another method under drift.features, such as jensen_shannon"
                )


def _record(
    connection: Connection,
    event: str,
    name: str,
    before: dict[str, Any] | None,
    after: dict[str, Any],
    *,
    actor: str,
    now: int,
) -> None:
    """Record who changed a monitor; the monitors themselves by their hashes."""
    deed = audit.Deed(
        actor=actor,
        auth="none",
        event=event,
        object=f"model/{name}",
        before=None if before is None else {"monitor": config_hash(before)[:12]},
        after={"monitor": config_hash(after)[:12]},
        config_hash=config_hash(after),
    )
    audit.append(connection, deed, now=now)


def _check_name(name: str) -> None:
    if not name.isprintable() or "/" in name or len(name) > MAX_NAME_LENGTH or not name.strip():
        raise SchemaError(
            f"{name!r} cannot be the name of a model: up to {MAX_NAME_LENGTH} printable characters "
            "without /"
        )


def _check_change(name: str, before: Schema, after: Schema) -> None:
    """Rows in the lake keep their meaning: features may come and go, outputs stay."""
    if _meaning(before) != _meaning(after):
        raise SchemaError(
            f"task, outputs, label and classes of {name!r} are what its rows mean and cannot be "
            "changed; add the model under another name"
        )


def _renamed(reference: pa.Table, schema: Schema) -> pa.Table:
    """A reference with the features under the names of now."""
    new = schema.renamed()
    taken = set(reference.column_names)
    return reference.rename_columns(
        [new[n] if n in new and new[n] not in taken else n for n in reference.column_names]
    )


def _dropped(connection: Connection, record: ModelRecord) -> tuple[str, ...]:
    """Drop the profiles whose rows have expired, which no other plan can be applied to; a note."""
    if record.retained_from is None:
        return ()
    gone = profiles.clear(connection, record.id, end=record.retained_from)
    if not gone:
        return ()
    day = to_datetime(record.retained_from).date()
    return (
        f"The profiles of before {day} were dropped when the plan changed, as their rows had "
        "expired; evaluations of that time stay.",
    )


def _meaning(schema: Schema) -> Schema:
    """A schema without what may change."""
    return replace(
        schema, features=(), segments=(), ratios=(), thresholds=(), threshold=0.5, join_on=()
    )


def is_made_anew(before: Monitor, after: Monitor) -> bool:
    """Whether the profiles of a model are made anew when its monitor changes like that."""
    return _profiled(before) != _profiled(after) or before.privacy.hash != after.privacy.hash


def _profiled(monitor: Monitor) -> tuple[Schema, int, int]:
    """What a model's stored profiles depend on."""
    return monitor.schema, monitor.granularity, monitor.label_horizon


def reference_profile(schema: Schema, table: pa.Table) -> tuple[Profile, tuple[str, ...]]:
    """The profile of a reference, on the plan that it gives, and what surprised in it.

    Raises: SchemaError that names what the reference lacks.
    """
    reference = reference_rows(schema, table)
    rows, labels = reference.rows, reference.labels
    plan = plan_from_reference(schema, rows, labels)
    everything = Grouping(np.zeros(len(rows), np.int64), 1)
    (profile,) = fold_predictions(plan, rows, everything)
    (truth,) = fold_known_labels(plan, rows, labels, np.zeros(len(rows), np.int64), everything)
    notes = (*reference.notes, *_named_like_fields(schema), *_outside(profile[0]))
    return (profile + truth)[0], notes


def _outside(reference: Profile) -> tuple[str, ...]:
    """Notes of declared ranges and values that the reference itself does not keep to."""
    return tuple(
        f"`{e.cell.feature}` {e.cell.check.words} {percent(e.reference)} of the reference, as its "
        "range or values are declared: every window like it will be a violation."
        for e in expectations(reference, Declared())
        if e.within and e.reference is not None and e.reference > e.limit
    )


def _named_like_fields(schema: Schema) -> tuple[str, ...]:
    """Notes of features that a flat row could not tell from a field of its own."""
    return tuple(
        f"Feature {feature.name!r} is called like a field of every row: send it within `inputs`, "
        f"or as a column `inputs.{feature.name}`."
        for feature in schema.features
        if feature.name in ROW_FIELDS
    )
