"""The routing that holds: read from the records, changed with an audit record, tried out."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import parse_routing, path_words, routing_document
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.records import Records, audit, changes, channels, notices, routing, silences
from tocsin.records.canonical import canonical
from tocsin.records.notices import Standing
from tocsin.records.outbox import Receiver
from tocsin.routing import (
    Alert,
    Hold,
    Inhibited,
    Reason,
    Route,
    Routing,
    Silence,
    all_match,
    inhibited_by,
    muted_by,
    silenced_by,
    told_by,
)
from tocsin.service.clock import Clock
from tocsin.values import SECOND, isoformat

_log = logging.getLogger(__name__)
MOST_LABELS = 100


@dataclass(frozen=True)
class InForce:
    """What holds now.

    digest: another one when anything of it, or the receivers, changed. channels: by their names.
    """

    routing: Routing
    tree: Route
    digest: str
    receivers: tuple[str, ...]
    channels: Mapping[str, Receiver]

    def channels_of(self, receiver: str) -> list[str]:
        """The names of the channels of a receiver."""
        return [name for name, channel in self.channels.items() if channel.of == receiver]

    def receiver_of(self, channel: str) -> str:
        """Whose a channel is."""
        return self.channels[channel].of if channel in self.channels else channel


@dataclass(frozen=True)
class WouldBeTold:
    """A receiver of an alert.

    where: the node, as its document has it; empty where nobody wrote one. matchers: of the nodes on
    the way to it. hold: why it would not be told now.
    """

    receiver: str
    where: str
    matchers: tuple[str, ...]
    group: dict[str, str]
    route: Route
    hold: Hold | None


class Routings:
    """Reads and changes who is told."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def document(self) -> dict[str, Any]:
        """What holds, in full; `written` is what somebody wrote, null where nobody did."""
        with self._records.read() as connection:
            now = in_force(connection)
            written = routing.stored(connection).document
        mute_times = [] if written is None else written.get("mute_times", [])
        holds = routing_document(now.routing, now.receivers)
        return {"written": written, "holds": {**holds, "mute_times": mute_times}}

    def put(self, document: dict[str, Any], *, actor: str, reason: str = "") -> None:
        """Replace the routing; open alerts are routed anew at the next step.

        Raises: InvalidInputError with all faults.
        """
        now = self._clock()
        with self._records.write() as connection:
            parse_routing(document, _receivers(connection))
            before = routing.stored(connection).document
            if before == document:
                return
            routing.set_document(connection, document, now=now)
            deed = audit.Deed(
                actor,
                "none",
                "routing.changed",
                "routing",
                before=None if before is None else _digest(before),
                after=_digest(document),
                reason=reason,
                evidence=document,
            )
            audit.append(connection, deed, now=now)
            changes.announce(connection, "routing", now=now)

    def test(self, labels: Mapping[str, str]) -> list[WouldBeTold]:
        """Who would be told of an alert with these labels, by which branch, and whether now."""
        if len(labels) > MOST_LABELS:
            raise InvalidInputError(f"an alert has at most {MOST_LABELS} labels")
        now = self._clock()
        alert = Alert("", dict(labels), fired_at=now)
        with self._records.read() as connection:
            force = in_force(connection)
            active = silences.active(connection, now)
            sources = sources_of(force.routing, notices.firing(connection))
        return [
            WouldBeTold(
                receiver,
                path_words(branch.path) if force.routing.root is not None else "",
                _matchers_on(force.tree, branch.path),
                branch.route.group(labels),
                branch.route,
                hold_of(force.routing, branch.route, active, sources, alert, now),
            )
            for receiver, branch in told_by(force.tree, labels).items()
        ]


def in_force(connection: Connection) -> InForce:
    """The routing that holds now."""
    stored = routing.stored(connection).document or {}
    found = channels.by_receiver(connection)
    receivers = tuple(found)
    by_name = {channel.name: channel for each in found.values() for channel in each}
    text = canonical([stored, list(receivers), sorted(by_name)])
    parsed = _parsed(canonical(stored))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return InForce(parsed, parsed.tree(receivers), digest, receivers, by_name)


def disabled_hold(channel: Receiver | None) -> Hold | None:
    """Why a channel is told nothing at all, if that is so."""
    if channel is None or channel.disabled is None:
        return None
    return Hold(Reason.DISABLED, f"kept while {channel.name} was disabled: {channel.disabled}")


def hold_of(
    in_force: Routing,
    route: Route,
    active: Sequence[Silence],
    sources: Sequence[Alert],
    alert: Alert,
    now: int,
) -> Hold | None:
    """Why nobody is told of an alert by this route now, if that is so."""
    silence = silenced_by(active, alert.labels, now)
    if silence is not None:
        until = isoformat(silence.end // SECOND * SECOND)
        words = f"silenced by {silence.author} until {until}: {silence.comment}"
        return Hold(Reason.SILENCED, words)
    found = inhibited_by(in_force.inhibit_rules, sources, alert, now)
    if found is not None:
        return Hold(Reason.INHIBITED, _inhibited_words(found))
    name = muted_by(in_force.mute_times, route.mute_times, now)
    return None if name is None else Hold(Reason.MUTED, f"in the mute time {name}")


def may_be_inhibited(in_force: Routing, alert: Alert) -> bool:
    """Whether any rule is about alerts like this: else there is no need to look for sources."""
    return any(all_match(rule.target, alert.labels) for rule in in_force.inhibit_rules)


def sources_of(in_force: Routing, standings: Sequence[Standing]) -> list[Alert]:
    """Those of some alerts that may keep others quiet."""
    found = (standing.alert for standing in standings)
    rules = in_force.inhibit_rules
    return [alert for alert in found if any(all_match(r.source, alert.labels) for r in rules)]


def _inhibited_words(found: Inhibited) -> str:
    labels = found.source.labels
    name = labels.get("alert", "another alert")
    about = f" for `{labels['instance']}`" if labels.get("instance") else ""
    of = f" of {labels['model']}" if labels.get("model") else ""
    over = " (over, one more look is due)" if found.source.resolved is not None else ""
    return f"inhibited by {name}{about}{of}{over}"


def _matchers_on(root: Route, path: tuple[int, ...]) -> tuple[str, ...]:
    found: list[str] = []
    route = root
    for i in path:
        route = route.routes[i]
        found += map(str, route.matchers)
    return tuple(found)


def _receivers(connection: Connection) -> tuple[str, ...]:
    return tuple(channels.by_receiver(connection))


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(document).encode()).hexdigest()


@lru_cache(maxsize=8)
def _parsed(text: str) -> Routing:
    try:
        return parse_routing(json.loads(text), None)
    except SchemaError as error:
        # Better that all are told than nobody: a time zone may be gone with the system's tzdata.
        _log.error("the routing cannot be read, so all receivers are told: %s", error)
        return Routing()
