"""Monitors as code: plan, apply and export a configuration; each that was applied has a number."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sqlalchemy.engine import Connection

from tocsin.declared import parse_monitor, parse_receiver
from tocsin.declared.configuration import (
    Checked,
    Configuration,
    DeclaredMonitor,
    meant_wrongly,
    refused,
)
from tocsin.declared.configuration_documents import API_VERSION
from tocsin.declared.exported import (
    meaning_of_monitor,
    receiver_document,
    strict_monitor,
    strict_routing,
)
from tocsin.declared.fault import Fault, Path
from tocsin.declared.label_names import unknown
from tocsin.engines import reference_digest
from tocsin.errors import ConfigurationError, InvalidInputError, NotAllowedError
from tocsin.lake import Lake
from tocsin.records import Records, applied, audit, changes, routing
from tocsin.records.applied import Applied
from tocsin.records.models import ModelRecord
from tocsin.registry import registered_model
from tocsin.service.clock import Clock
from tocsin.service.completing import completed, roles_of
from tocsin.service.delete import Delete
from tocsin.service.own_reference import check_own_past, own_past
from tocsin.service.plan import Action, Plan, Planned
from tocsin.service.planning import (
    ROUTING,
    Now,
    labels_of_rules,
    now_of,
    plan_of,
    reference_changes,
    reference_of,
)
from tocsin.service.receivers import put_receiver, remove_receiver
from tocsin.service.register import Addition, Change, Register

_LISTED = 100


@dataclass(frozen=True)
class Outcome:
    """What was done; number: under which the configuration is kept, None where it is the same."""

    plan: Plan
    number: int | None


class Configure:
    """Plans and applies configurations."""

    def __init__(
        self,
        records: Records,
        register: Register,
        delete: Delete,
        lake: Lake,
        clock: Clock,
        tracking_uri: str | None,
    ) -> None:
        self._records = records
        self._register = register
        self._delete = delete
        self._lake = lake
        self._clock = clock
        self._tracking_uri = tracking_uri

    def plan(self, checked: Checked) -> Plan:
        """What applying this would do. Raises: ConfigurationError with every fault."""
        with self._records.read() as connection:
            now = now_of(connection)
        configuration, _ = self._completed(checked, now)
        with self._telling(checked) as faults:
            for monitor in configuration.monitors:
                with faults.of("monitors", monitor.name):
                    self._prepared(monitor, now, None)
        return plan_of(configuration, now, self._register.digest_of_reference)

    def apply(
        self,
        checked: Checked,
        tables: Sequence[pa.Table] = (),
        *,
        actor: str,
        basis: str | None = None,
        delete: bool = False,
    ) -> Outcome:
        """Do it, all or nothing.

        tables: the rows of references. basis: of the plan that somebody agreed to. delete: whether
        models with predictions may go. Raises: ConfigurationError with every fault; SchemaError
        when the server has changed meanwhile; NotAllowedError when a model would go.
        """
        rows = {reference_digest(table): table for table in tables}
        with self._records.read() as connection:
            now = now_of(connection)
        configuration, told = self._completed(checked, now)
        if basis not in (None, now.basis):
            raise ConfigurationError("the server has changed since this plan was made; plan anew")
        plan = plan_of(configuration, now, self._register.digest_of_reference)
        if plan.deletes and not delete:
            names = ", ".join(each.name for each in plan.deletes)
            raise NotAllowedError(
                f"the files have no {names} any more, and its predictions would be deleted for "
                "good; put it back, or allow that with --delete-models"
            )
        prepared: list[Addition | Change] = []
        with self._telling(checked) as faults:
            for monitor in configuration.monitors:
                with faults.of("monitors", monitor.name):
                    found = self._prepared(monitor, now, rows, told.get(monitor.name))
                    prepared += [] if found is None else [found]
        return Outcome(plan, self._written(checked.configuration, plan, prepared, now, actor))

    def export(self) -> dict[str, Any]:
        """What the server has, as one file that `check` takes and `plan` finds unchanged."""
        with self._records.read() as connection:
            now = now_of(connection)
        monitors = []
        for record in now.models.values():
            digest = self._register.digest_of_reference(record)
            monitor = strict_monitor(record.name, record.monitor)
            reference = reference_of(record, now, digest)
            monitors.append({"name": record.name, **monitor, "reference": reference})
        receivers = [
            {"name": name, **document}
            for name, found in now.receivers.items()
            if (document := receiver_document(found)) is not None
        ]
        return {
            "apiVersion": API_VERSION,
            "monitors": monitors,
            "receivers": receivers,
            **strict_routing(now.routing or {}),
        }

    def history(self) -> list[Applied]:
        """The configurations that were applied, the newest first."""
        with self._records.read() as connection:
            return applied.listed(connection, limit=_LISTED)

    def applied(self, number: int) -> Applied | None:
        """One of them."""
        with self._records.read() as connection:
            return applied.numbered(connection, number)

    def _written(
        self,
        configuration: Configuration,
        plan: Plan,
        prepared: Sequence[Addition | Change],
        now: Now,
        actor: str,
    ) -> int | None:
        same = now.applied is not None and now.applied.digest == configuration.digest
        if same and not plan.changes:
            return None
        at = self._clock()
        with self._records.write() as connection:
            if now_of(connection).basis != now.basis:
                raise ConfigurationError("somebody else changed the server meanwhile; plan anew")
            for each in prepared:
                if isinstance(each, Addition):
                    self._register.write_added(connection, each, actor=actor, now=at)
                else:
                    self._register.write_changed(connection, each, actor=actor, now=at)
            for thing in plan.changes:
                self._write(connection, configuration, thing, actor=actor, now=at)
            number = applied.add(
                connection,
                actor=actor,
                document=configuration.to_document(),
                digest=configuration.digest,
                now=at,
            )
            _record(connection, plan, number, configuration.digest, actor=actor, now=at)
            changes.announce(connection, "configuration", now=at)
        return number

    def _write(
        self,
        connection: Connection,
        configuration: Configuration,
        thing: Planned,
        *,
        actor: str,
        now: int,
    ) -> None:
        """Store what becomes of a thing, unless that was prepared."""
        removed = thing.action is Action.REMOVED
        if thing.kind == "monitors" and removed:
            self._delete.write_deleted(connection, thing.name, actor=actor, now=now)
        elif thing.kind == "receivers" and removed:
            remove_receiver(connection, thing.name, by=actor, now=now)
        elif thing.kind == "receivers":
            wanted = parse_receiver(thing.name, configuration.receivers[thing.name])
            put_receiver(connection, thing.name, wanted, by=actor, now=now)
        elif thing.kind == ROUTING:
            document = None if removed else dict(configuration.single)
            routing.set_document(connection, document, now=now)
            changes.announce(connection, "routing", now=now)

    def _completed(self, checked: Checked, now: Now) -> tuple[Configuration, dict[str, pa.Table]]:
        """The configuration with every schema whole, and the rows that came with these by name.

        Raises: ConfigurationError with every fault.
        """
        monitors: list[DeclaredMonitor] = []
        rows: dict[str, pa.Table] = {}
        configuration = checked.good()
        with self._telling(checked) as faults:
            for monitor in configuration.monitors:
                with faults.of("monitors", monitor.name):
                    found = completed(monitor, now, self._tracking_uri)
                    monitors.append(found.monitor)
                    if found.rows is not None:
                        rows[monitor.name] = found.rows
                        # What could not be understood without a schema.
                        faults.add("monitors", monitor.name, meant_wrongly(found.monitor))
            faults.add_single(unknown(configuration.single, labels_of_rules(configuration, now)))
        return replace(configuration, monitors=tuple(monitors)), rows

    def _prepared(
        self,
        monitor: DeclaredMonitor,
        now: Now,
        rows: Mapping[str, pa.Table] | None,
        told: pa.Table | None = None,
    ) -> Addition | Change | None:
        """All that takes long of adding or changing a monitor, None where it stays.

        rows: those that were sent, by their digest; None to look only as far as is possible
        without. told: those that came with the schema. Raises: InvalidInputError, RegistryError.
        """
        record = now.models.get(monitor.name)
        document = dict(monitor.document)
        changed = reference_changes(monitor, now, self._register.digest_of_reference)
        if record is None and monitor.reference is None:
            raise ConfigurationError(
                "a new monitor needs a `reference`: rows with features, label and output, as "
                "`reference: training.parquet`"
            )
        if record is not None and changed is None:
            if meaning_of_monitor(record.monitor) == meaning_of_monitor(document):
                return None
            return self._register.prepared_change(monitor.name, document)
        _check_can_come(monitor)
        window = (monitor.reference or {}).get("window")
        if window is not None:
            check_own_past(monitor.name, record, self._lake, window)
        if rows is None:
            parse_monitor(monitor.name, document, new=True)
            return None
        table = self._rows(monitor, record, rows) if told is None else told
        if record is None:
            return self._register.prepared(monitor.name, document, table)
        return self._register.prepared_change(monitor.name, document, table)

    def _rows(
        self, monitor: DeclaredMonitor, record: ModelRecord | None, rows: Mapping[str, pa.Table]
    ) -> pa.Table:
        said = monitor.reference or {}
        if "window" in said:
            assert record is not None
            return own_past(record, self._lake, said["window"])
        if "dataset" not in said:
            digest = said["sha256"]
            if digest not in rows:
                raise ConfigurationError(
                    f"the rows with sha256 {digest[:12]} are not on the server; name the `file` "
                    "that has them"
                )
            return rows[digest]
        roles = roles_of(monitor.document["schema"])
        uri = monitor.document["model"]
        return registered_model(uri, tracking_uri=self._tracking_uri, roles=roles).reference

    @contextmanager
    def _telling(self, checked: Checked) -> Iterator["_Faults"]:
        """Collects what is wrong with things, and raises it all at the end."""
        faults = _Faults(checked)
        yield faults
        if faults.found:
            raise refused(faults.found)


class _Faults:
    """Faults that only the server can find."""

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self.found: list[Fault] = []

    def add(self, kind: str, name: str, faults: Iterable[tuple[Path, str]]) -> None:
        """Collect faults of a thing by their paths in it."""
        self.found += [
            self._checked.fault_of(kind, name, path, message) for path, message in faults
        ]

    def add_single(self, faults: Iterable[tuple[Path, str]]) -> None:
        """Collect faults of what files have once."""
        self.found += [self._checked.fault_at(path, message) for path, message in faults]

    @contextmanager
    def of(self, kind: str, name: str) -> Iterator[None]:
        """Collect what is raised about a thing."""
        try:
            yield
        except InvalidInputError as error:
            self.found.append(self._checked.fault_of(kind, name, ("name",), str(error)))


def _check_can_come(monitor: DeclaredMonitor) -> None:
    """Raises: ConfigurationError for a reference that nobody can have sent."""
    said = monitor.reference or {}
    if "dataset" in said and not monitor.document.get("model"):
        raise ConfigurationError(
            "`reference: {dataset: training}` is that of a registered model; add `model`, such as "
            "models:/name@champion"
        )
    if said.keys().isdisjoint(("dataset", "window", "sha256")):
        raise ConfigurationError(
            "the server reads no files; send the rows with PUT /api/v1/apply and their `sha256` "
            "beside `file`, as `tocsin apply` does"
        )


def _record(
    connection: Connection, plan: Plan, number: int, digest: str, *, actor: str, now: int
) -> None:
    done = {
        str(action): [f"{t.kind}/{t.name}" for t in plan.things if t.action is action]
        for action in Action
        if action is not Action.UNCHANGED
    }
    deed = audit.Deed(
        actor=actor,
        auth="none",
        event="configuration.applied",
        object="configuration",
        after={"number": number, "digest": digest, **done},
    )
    audit.append(connection, deed, now=now)
