"""What the registry was seen to be, against what is known: moves to record, moves that ended."""

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from tocsin.records import alerts, aliases, audit
from tocsin.records.aliases import AliasMove, Delivery, OpenMove, VersionRecord
from tocsin.records.audit import Deed
from tocsin.registry import RegistryState
from tocsin.values import MINUTE, isoformat

# Who moved it: MLflow does not say.
UNKNOWN = "unknown (in MLflow)"
# How far the clocks of MLflow and of us may be apart.
_SKEW = MINUTE


def absorb(connection: Connection, state: RegistryState, *, now: int) -> bool:
    """Record all that differs from what is known; whether something did. Repeating it is a no-op.

    Moves that were begun and not ended are ended: what the registry says is what became of them.
    """
    name = state.registered
    looked = aliases.looked_at(connection, name)
    changed = _end_begun(connection, state, now)
    told = aliases.deliveries(connection, name, since=(looked or now) - 10 * MINUTE)
    known = aliases.standing(connection, name)
    for alias in sorted({*known, *state.aliases}):
        before = known.get(alias)
        at, was = state.aliases.get(alias), None if before is None else before.to_version
        if at == was:
            changed |= _refine(connection, before, told)
            continue
        _record(connection, _seen(name, alias, was, at, looked, told, now), now)
        changed = True
    versions = [VersionRecord(v.version, v.status, v.created_at, v.run_id) for v in state.versions]
    if versions != aliases.versions(connection, name):
        aliases.set_versions(connection, name, versions)
        changed = True
    # Each look is not worth a write to the disk: a lower bound of a minute ago will do.
    if changed or looked is None or now - looked >= MINUTE:
        aliases.set_looked_at(connection, name, now)
    return changed


def completed(move: OpenMove) -> AliasMove:
    """A move of ours that was made."""
    return AliasMove(
        registered=move.registered,
        alias=move.alias,
        from_version=move.from_version,
        to_version=move.to_version,
        moved_at=move.begun_at,
        after_at=move.begun_at,
        actor=move.actor,
        reason=move.reason,
        source="tocsin",
    )


def record_completed(connection: Connection, move: OpenMove, *, now: int) -> None:
    """Record that a move of ours was made, on the timeline of its incident too."""
    aliases.add_move(connection, completed(move))
    aliases.end_move(connection, move)
    if move.incident is not None:
        text = (
            f"{move.actor} moved {move.alias} of {move.registered} from version "
            f"{move.from_version or 'none'} to {move.to_version}: {move.reason}"
        )
        alerts.note(
            connection, move.incident, event_time=move.begun_at, now=now, kind="action", text=text
        )


def deed_of(move: OpenMove, event: str, *, after: str | None, outcome: str) -> Deed:
    """A step of a move of ours, for the audit."""
    return Deed(
        actor=move.actor,
        auth=move.auth,
        event=event,
        object=f"models:/{move.registered}@{move.alias}",
        before={"version": move.from_version},
        after={"version": after},
        reason=move.reason,
        evidence={"incident": move.incident, "outcome": outcome, "wanted": move.to_version},
        config_hash=move.config_hash,
    )


def _end_begun(connection: Connection, state: RegistryState, now: int) -> bool:
    """End the moves whose end nobody saw, by what the registry says."""
    begun = aliases.begun_moves(connection, state.registered)
    for move in begun:
        at = state.aliases.get(move.alias)
        outcome = "moved" if at == move.to_version else "not moved"
        if at not in (move.to_version, move.from_version):
            outcome = "moved elsewhere by somebody else"
        deed = deed_of(move, "alias.resolved", after=at, outcome=outcome)
        audit.append(connection, deed, now=now)
        if at == move.to_version:
            record_completed(connection, move, now=now)
        else:
            aliases.end_move(connection, move)
    return bool(begun)


def _seen(
    name: str,
    alias: str,
    was: str | None,
    at: str | None,
    looked: int | None,
    told: Sequence[Delivery],
    now: int,
) -> AliasMove:
    """A move that somebody else made, when a webhook says it was, or when it was noticed."""
    hint = next((d for d in told if (d.alias, d.version) == (alias, at)), None)
    if looked is None or (hint is not None and hint.sent_at < looked - _SKEW):
        hint = None
    return AliasMove(
        registered=name,
        alias=alias,
        from_version=was,
        to_version=at,
        moved_at=now if hint is None else min(hint.sent_at, now),
        after_at=looked,
        actor=UNKNOWN,
        reason="",
        source="poll" if hint is None else "webhook",
    )


def _record(connection: Connection, move: AliasMove, now: int) -> None:
    aliases.add_move(connection, move)
    seen = {"source": move.source, "at": isoformat(move.moved_at)}
    if move.after_at is not None:
        seen["not before"] = isoformat(move.after_at)
    deed = Deed(
        actor=move.actor,
        auth="none",
        event="alias.seen" if move.first_seen else "alias.moved",
        object=f"models:/{move.registered}@{move.alias}",
        before={"version": move.from_version},
        after={"version": move.to_version},
        evidence=seen,
    )
    audit.append(connection, deed, now=now)


def _refine(connection: Connection, move: AliasMove | None, told: Sequence[Delivery]) -> bool:
    """Take over the time of a webhook that came after the move had been noticed."""
    if move is None or move.source != "poll" or move.after_at is None:
        return False
    for delivery in told:
        if (delivery.alias, delivery.version) == (move.alias, move.to_version) and (
            move.after_at - _SKEW <= delivery.sent_at <= move.moved_at
        ):
            aliases.say_when(connection, move.registered, move.alias, moved_at=delivery.sent_at)
            return True
    return False
