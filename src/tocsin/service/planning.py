"""What applying a configuration would do, from what the server has and what files say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import parse_monitor, parse_receiver
from tocsin.declared.configuration import Configuration, DeclaredMonitor
from tocsin.declared.configuration_documents import SINGLE
from tocsin.declared.differences import Difference, differences
from tocsin.declared.exported import (
    meaning_of_monitor,
    meaning_of_routing,
    receiver_document,
    strict_monitor,
    strict_routing,
)
from tocsin.records import alerts, applied, channels, models, outbox, routing
from tocsin.records.applied import Applied
from tocsin.records.canonical import canonical
from tocsin.records.models import ModelRecord
from tocsin.records.outbox import Receiver
from tocsin.service.own_reference import past_of
from tocsin.service.plan import Action, Plan, Planned, basis_of
from tocsin.service.register import is_made_anew
from tocsin.values import isoformat

# The SHA-256 of the rows of a model's reference.
DigestOf = Callable[[ModelRecord], str]
# The thing that all of who is told is.
ROUTING = "routing"


@dataclass(frozen=True)
class Now:
    """What the server has."""

    models: Mapping[str, ModelRecord]
    counts: Mapping[str, int]
    open_alerts: Mapping[str, Mapping[str, int]]
    receivers: Mapping[str, Sequence[Receiver]]
    waiting: Mapping[str, int]
    routing: dict[str, Any] | None
    applied: Applied | None

    @property
    def basis(self) -> str:
        """Of what a plan is made."""
        return basis_of(
            [
                [[m.id, m.name, m.monitor, m.plan.digest] for m in self.models.values()],
                [
                    [c.name, c.kind, c.options, c.fallback]
                    for found in self.receivers.values()
                    for c in found
                ],
                self.routing,
                None if self.applied is None else self.applied.number,
            ]
        )

    def declared(self, kind: str) -> dict[str, Any]:
        """What the files that were applied last declare of a kind, by name."""
        document = {} if self.applied is None else self.applied.document
        return {each["name"]: each for each in document.get(kind, [])}


def now_of(connection: Connection) -> Now:
    """What the server has at this moment."""
    found = {record.name: record for record in models.all_models(connection)}
    return Now(
        models=found,
        counts={
            name: models.counts(connection, record.id).get("predictions", 0)
            for name, record in found.items()
        },
        open_alerts={
            name: alerts.open_by_rule(connection, record.id) for name, record in found.items()
        },
        receivers=channels.by_receiver(connection),
        waiting=outbox.open_by_receiver(connection),
        routing=routing.stored(connection).document,
        applied=applied.newest(connection),
    )


def _planned_monitor(monitor: DeclaredMonitor, now: Now, reference: Difference | None) -> Planned:
    name, record = monitor.name, now.models.get(monitor.name)
    if record is None:
        return Planned("monitors", name, Action.ADDED, () if reference is None else (reference,))
    same = meaning_of_monitor(record.monitor) == meaning_of_monitor(monitor.document)
    if same and reference is None:
        return Planned("monitors", name, Action.UNCHANGED)
    told = [] if reference is None else [reference]
    if not same:
        was = strict_monitor(name, record.monitor)
        told += differences(was, strict_monitor(name, monitor.document))
    costs = [*_costs(monitor, record, now, anew=reference is not None)]
    if reference is not None:
        costs += _of_own_past(monitor, record)
    return Planned("monitors", name, Action.CHANGED, tuple(told), tuple(costs))


def _costs(monitor: DeclaredMonitor, record: ModelRecord, now: Now, *, anew: bool) -> Iterator[str]:
    before = parse_monitor(record.name, record.monitor)
    after = parse_monitor(record.name, dict(monitor.document))
    rows = now.counts[record.name]
    if anew or is_made_anew(before, after):
        yield f"profiles are made anew from the {rows:,} predictions of the lake"
    kept = {rule.name for rule in after.rules}
    for rule, count in now.open_alerts[record.name].items():
        if rule not in kept:
            alerts_of = "alert of it ends" if count == 1 else "alerts of it end"
            yield f"rule {rule} goes, and {count} open {alerts_of}"


def _of_own_past(monitor: DeclaredMonitor, record: ModelRecord) -> Iterator[str]:
    window = (monitor.reference or {}).get("window")
    if window is not None and record.newest_event is not None:
        start, end = past_of(record, window)
        yield (
            f"the predictions from {isoformat(start)} to {isoformat(end)} become the reference, "
            "and drift is measured against them from then on"
        )


def _removed_monitor(name: str, now: Now) -> Planned:
    rows = now.counts[name]
    cost = f"the model goes with its {rows:,} predictions, numbers and incidents, for good"
    costs = [cost]
    if now.open_alerts[name]:
        costs.append("whoever was told of its alerts is told that they are over")
    return Planned("monitors", name, Action.REMOVED, costs=tuple(costs), deletes=rows)


def _planned_receiver(name: str, document: Mapping[str, Any], now: Now) -> Planned:
    before = now.receivers.get(name)
    if before is None:
        return Planned("receivers", name, Action.ADDED)
    # One to which nothing is sent any more stays so until somebody changes it.
    if _meant(before) == _meant(parse_receiver(name, document)):
        return Planned("receivers", name, Action.UNCHANGED)
    was = receiver_document(before) or {before[0].kind: before[0].options}
    told = differences(was, document)
    return Planned("receivers", name, Action.CHANGED, tuple(told))


def _meant(found: Sequence[Receiver]) -> list[tuple[str, str, str | None]]:
    """What channels do, however they are called."""
    return sorted((c.kind, canonical(_given(c.options)), c.fallback) for c in found)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _planned_routing(configuration: Configuration, now: Now) -> Iterator[Planned]:
    """What becomes of who is told; nothing where neither these files nor earlier ones say it."""
    after, before = configuration.single, now.routing
    if not after:
        said = {} if now.applied is None else now.applied.document
        if before is not None and any(key in said for key in SINGLE):
            cost = "every receiver is told of every alert, as when nobody says otherwise"
            yield Planned(ROUTING, ROUTING, Action.REMOVED, costs=(cost,))
    elif before is None:
        yield Planned(ROUTING, ROUTING, Action.ADDED)
    elif meaning_of_routing(before) == meaning_of_routing(after):
        yield Planned(ROUTING, ROUTING, Action.UNCHANGED)
    else:
        told = tuple(differences(strict_routing(before), dict(after)))
        cost = "open alerts are routed anew"
        yield Planned(ROUTING, ROUTING, Action.CHANGED, told, (cost,))


def _removed_receiver(name: str, now: Now) -> Planned:
    waiting = sum(now.waiting.get(channel.name, 0) for channel in now.receivers[name])
    costs = ["what it was told to fire is told to be over there, and then nothing any more"]
    costs += [f"{waiting:,} messages wait for it and will not be sent"] if waiting else []
    return Planned("receivers", name, Action.REMOVED, costs=tuple(costs))


def _spoken(reference: Mapping[str, str]) -> dict[str, str]:
    return dict(reference)


def plan_of(configuration: Configuration, now: Now, digest_of: DigestOf) -> Plan:
    """What applying a configuration would do to a server."""
    things: list[Planned] = []
    missing: list[str] = []
    for monitor in configuration.monitors:
        reference = reference_changes(monitor, now, digest_of)
        things.append(_planned_monitor(monitor, now, reference))
        if reference is not None and (digest := (monitor.reference or {}).get("sha256")):
            missing.append(digest)
    kept = {monitor.name for monitor in configuration.monitors}
    things += [
        _removed_monitor(name, now)
        for name in now.declared("monitors")
        if name not in kept and name in now.models
    ]
    things += [_planned_receiver(n, d, now) for n, d in configuration.receivers.items()]
    things += [
        _removed_receiver(name, now)
        for name in now.declared("receivers")
        if name not in configuration.receivers and name in now.receivers
    ]
    things += _planned_routing(configuration, now)
    return Plan(tuple(things), now.basis, tuple(missing))


def reference_changes(monitor: DeclaredMonitor, now: Now, digest_of: DigestOf) -> Difference | None:
    """How the reference of a monitor changes, None where it stays."""
    record, said = now.models.get(monitor.name), monitor.reference
    if record is None:
        return None if said is None else Difference("reference", None, _spoken(said))
    if said is None:
        return None
    if "dataset" in said or "window" in said:
        same = _asked(now.declared("monitors").get(monitor.name, {})) == _asked(
            {**monitor.document, "reference": dict(said)}
        )
        return None if same else Difference("reference", "as it is", _spoken(said))
    before = digest_of(record)
    if said.get("sha256") == before:
        return None
    return Difference("reference", {"sha256": before}, _spoken(said))


def labels_of_rules(configuration: Configuration, now: Now) -> set[str]:
    """The labels that rules will have: those of files, and of models that these leave alone."""
    declared = {monitor.name: monitor.document for monitor in configuration.monitors}
    stay = now.models.keys() - now.declared("monitors").keys() - declared.keys()
    documents = [*declared.values(), *(now.models[name].monitor for name in stay)]
    rules = [rule for document in documents for rule in document.get("rules") or ()]
    return {str(label) for rule in rules for label in rule.get("labels") or ()}


def _asked(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """What decides which rows a reference is that names none."""
    said = document.get("reference") or {}
    return (said, document.get("model")) if "dataset" in said else (said,)


def reference_of(record: ModelRecord, now: Now, digest: str) -> dict[str, Any]:
    """A model's reference as a file names it: as the last one did where that still holds."""
    last = now.declared("monitors").get(record.name, {})
    said = last.get("reference") or {}
    held = "window" in said or (
        "dataset" in said and last.get("model") == record.monitor.get("model")
    )
    return dict(said) if held else {"sha256": digest}
