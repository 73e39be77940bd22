"""Who is told what: an alert's news becomes messages in the outbox, in groups and at their time.

News is stored in the transaction that made it, with a notice for each receiver of its route and a
time at which its group is looked at. Looking compares what holds with what each receiver was told,
so nothing depends on whether, or how often, it was looked before.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.engine import Connection

from tocsin.errors import UnavailableError
from tocsin.records import Records, alerts, changes, notices, routing, silences
from tocsin.records.alerts import Episode, Incident
from tocsin.records.notices import FIRED, Group, Told
from tocsin.records.outbox import Receiver
from tocsin.routing import (
    GROUP_INTERVAL,
    Alert,
    Branch,
    Decision,
    Hold,
    Reason,
    Route,
    Silence,
    Tell,
    decide,
    escalated_to,
    next_flush,
    told_by,
)
from tocsin.service.clock import Clock
from tocsin.service.messages import Letter, Messages
from tocsin.service.routing import (
    InForce,
    disabled_hold,
    hold_of,
    in_force,
    may_be_inhibited,
    sources_of,
)
from tocsin.service.trouble import Trouble
from tocsin.values import MINUTE, SECOND, format_duration

# Groups of one step: what the sending of others waits for at most.
_MOST_GROUPS = 10
_LOOK_EVERY = SECOND
# How long a group is left alone that cannot be told.
_AFTER_A_FAULT = MINUTE

_log = logging.getLogger(__name__)


class Notify:
    """Remembers news, and writes messages when their groups are due."""

    def __init__(
        self, records: Records, clock: Clock, base_url: str, trouble: Trouble | None = None
    ) -> None:
        self._records = records
        self._clock = clock
        self._trouble = trouble or Trouble()
        self._messages = Messages(base_url)
        # There is news, or more than one step could tell; else it is looked every second.
        self._more = threading.Event()
        self._looked_at: int | None = None

    def tell(
        self,
        connection: Connection,
        episode: Episode,
        event: str,
        *,
        window_end: int,
        now: int,
    ) -> None:
        """Remember that an episode fired, resolved or changed, for whomever that concerns.

        event: `fired`, `resolved`, or any other for what those who know of it are told too.
        """
        self._more.set()
        notices.add_news(connection, episode.id, event, window_end=window_end, now=now)
        force = in_force(connection)
        if event == FIRED:
            _open(connection, force, episode)
        _wake(connection, force, episode, now)

    def flush(self) -> bool:
        """Write the messages that are due; False when no group was.

        Each group is one transaction: after a crash the same is due again, and told once. One that
        cannot be told holds up no other; it is tried again in a minute.
        """
        now = self._clock()
        looked = self._looked_at is not None and abs(now - self._looked_at) < _LOOK_EVERY
        if looked and not self._more.is_set():
            return False
        self._more.clear()
        self._looked_at = now
        with self._records.read() as connection:
            routed = routing.stored(connection).routed_by == in_force(connection).digest
        if not routed:
            with self._records.write() as connection:
                _reroute(connection, in_force(connection), now)
        with self._records.read() as connection:
            due = notices.due_groups(connection, now=now, limit=_MOST_GROUPS)
        for group in due:
            self._look_at(group.id, now)
        if len(due) == _MOST_GROUPS:
            self._more.set()
        return bool(due)

    def _look_at(self, group_id: str, now: int) -> None:
        """Tell one group; a fault in it, such as data that nobody foresaw, is its own."""
        work = f"tell group {group_id}"
        try:
            with self._records.write() as connection:
                # It may have gone with its model.
                for group in notices.groups(connection, {group_id}):
                    self._flush(_Look(connection, in_force(connection), now), group)
        except UnavailableError:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever is odd about one group: others are told
            _log.exception("group %s cannot be told", group_id)
            self._trouble.failed(work, None, fault, pause_s=_AFTER_A_FAULT / SECOND)
            with self._records.write() as connection:
                notices.set_flush(connection, group_id, now + _AFTER_A_FAULT, now=now)
        else:
            self._trouble.passed(work, None)

    def _flush(self, look: "_Look", group: Group) -> None:
        """Tell one group what there is to tell."""
        letters: list[Letter] = []
        intervals: list[int] = []
        firing: list[str] = []
        for told in notices.open_of_group(look.connection, group.id):
            branch, escalated = look.branch(told)
            route = None if branch is None else branch.route
            made = look.decided(told, route)
            _remember(look, told, made)
            if route is not None and made.hold is not None and made.hold.reason is Reason.DISABLED:
                _tell_instead(look, told, route)
            if made.tell is not None:
                reason = _reason(told, made.tell, route, escalated=escalated)
                letters.append(Letter(told, made.tell, reason))
            if not made.closed:
                intervals.append(GROUP_INTERVAL if route is None else route.group_interval)
            if not (told.notice.told or made.tell is not None):
                continue
            if told.standing.episode.resolved is None:
                firing.append(told.standing.episode.id)
            if route is not None and not escalated:
                intervals += _escalate(look, told, route)
        to = look.force.channels.get(group.receiver) or Receiver(group.receiver, "", {})
        count = self._messages.put(look.connection, to, group, letters, firing, now=look.now)
        again = look.now + min(intervals) if intervals else None
        messages = group.messages + count
        notices.flushed(look.connection, group, messages=messages, again=again, now=look.now)


@dataclass(frozen=True)
class _Look:
    """What is the same for all groups of one step."""

    connection: Connection
    force: InForce
    now: int

    @cached_property
    def silences(self) -> Sequence[Silence]:
        return silences.active(self.connection, self.now)

    def decided(self, told: Told, route: Route | None) -> Decision:
        """What a receiver is to be told of an alert now."""
        alert = told.standing.alert
        hold = disabled_hold(self.force.channels.get(told.receiver))
        if route is not None and hold is None:
            hold = self.hold(alert, route)
        incident = self._incident(told.standing.episode.incident_id)
        return decide(
            told.notice,
            route,
            hold,
            firing=alert.resolved is None,
            critical=told.standing.episode.severity == "critical",
            acknowledged=incident.acknowledged_by is not None,
            snoozed_until=incident.snoozed_until,
            now=self.now,
        )

    def hold(self, alert: Alert, route: Route) -> Hold | None:
        """Why nobody is told of an alert by a route now, if that is so."""
        sources = self._sources(alert)
        return hold_of(self.force.routing, route, self.silences, sources, alert, self.now)

    def branch(self, told: Told) -> tuple[Branch | None, bool]:
        """What leads to a receiver, and whether only because nobody took the alert."""
        labels = told.standing.episode.labels
        receiver = self.force.receiver_of(told.receiver)
        branch = told_by(self.force.tree, labels).get(receiver)
        if branch is not None:
            return branch, False
        branch = escalated_to(self.force.tree, labels).get(receiver)
        if branch is None and told.escalated is not None:
            branch = Branch(self.force.tree, ())
        return branch, branch is not None

    def is_left_alone(self, told: Told) -> bool:
        """Whether an alert fires and nobody took it or put it off."""
        incident = self._incident(told.standing.episode.incident_id)
        snoozed = incident.snoozed_until is not None and incident.snoozed_until > self.now
        firing = told.standing.episode.resolved is None
        return firing and incident.acknowledged_by is None and not snoozed

    def _incident(self, number: int) -> Incident:
        if number not in self._incidents:
            found = alerts.incident(self.connection, number)
            assert found is not None
            self._incidents[number] = found
        return self._incidents[number]

    @cached_property
    def _incidents(self) -> dict[int, Incident]:
        """By number: alerts of a group are often of one."""
        return {}

    def _sources(self, alert: Alert) -> list[Alert]:
        """What could keep an alert quiet: what fires, or was over in the window it saw last."""
        if not may_be_inhibited(self.force.routing, alert):
            return []
        if alert.judged is None:
            return self._firing
        if alert.judged not in self._over:
            over = notices.over_since(self.connection, alert.judged)
            self._over[alert.judged] = sources_of(self.force.routing, over)
        return self._firing + self._over[alert.judged]

    @cached_property
    def _firing(self) -> list[Alert]:
        return sources_of(self.force.routing, notices.firing(self.connection))

    @cached_property
    def _over(self) -> dict[int, list[Alert]]:
        """By the window that targets saw last: many have seen the same."""
        return {}


def _escalate(look: _Look, told: Told, route: Route) -> list[int]:
    """Tell others of an alert that nobody took; until when it is looked for the next of them."""
    if not look.is_left_alone(told):
        return []
    standing = told.standing
    waiting = []
    known = {
        each.receiver for each in notices.open_of_episode(look.connection, standing.episode.id)
    }
    for step in route.escalate:
        rest = standing.fired_at + step.unacked_for - look.now
        if rest > 0:
            waiting.append(rest)
        elif new := set(look.force.channels_of(step.receiver)) - known:
            for channel in new:
                tell_now(look.connection, standing.episode, channel, route, now=look.now)
            alerts.note(
                look.connection,
                standing.episode.incident_id,
                event_time=look.now,
                now=look.now,
                kind="escalated",
                text=f"{standing.episode.rule} was escalated to {step.receiver}: nobody "
                f"acknowledged it for {format_duration(step.unacked_for)}",
            )
            number = standing.episode.incident_id
            changes.announce(look.connection, f"incident/{number}", now=look.now)
    return waiting


def _tell_instead(look: _Look, told: Told, route: Route) -> None:
    """Tell the receiver to fall back to of what is critical, while a channel is disabled."""
    standing = told.standing
    channel = look.force.channels[told.receiver]
    urgent = standing.episode.severity == "critical" and standing.episode.resolved is None
    if channel.fallback is None or not urgent or look.hold(standing.alert, route) is not None:
        return
    known = {one.receiver for one in notices.open_of_episode(look.connection, standing.episode.id)}
    for other in set(look.force.channels_of(channel.fallback)) - known:
        tell_now(look.connection, standing.episode, other, route, now=look.now)
        words = f"Told here because {told.receiver} is disabled"
        notices.escalate(look.connection, standing.episode.id, other, words)


def tell_now(
    connection: Connection, episode: Episode, channel: str, route: Route, *, now: int
) -> None:
    """Let a channel be told of an episode with the next step."""
    group = notices.group_of(connection, channel, route.group(episode.labels))
    notices.open_notice(connection, episode.id, channel, group.id)
    # One that is told again stays in the group that it was in.
    for opened in notices.open_of_episode(connection, episode.id):
        if opened.receiver == channel:
            notices.set_flush(connection, opened.group_id, now, now=now)


def _open(connection: Connection, force: InForce, episode: Episode) -> None:
    """Let all receivers of an episode's route be told, in their groups."""
    for receiver, branch in told_by(force.tree, episode.labels).items():
        for channel in force.channels_of(receiver):
            group = notices.group_of(connection, channel, branch.route.group(episode.labels))
            notices.open_notice(connection, episode.id, channel, group.id)


def _wake(connection: Connection, force: InForce, episode: Episode, now: int) -> None:
    """Let the groups that have to do with an episode be looked at in time."""
    branches = told_by(force.tree, episode.labels)
    known = notices.open_of_episode(connection, episode.id)
    for group in notices.groups(connection, {told.group_id for told in known}):
        branch = branches.get(force.receiver_of(group.receiver))
        route = force.tree if branch is None else branch.route
        at = next_flush(flushed_at=group.flushed_at, waiting=group.flush_at, route=route, now=now)
        notices.set_flush(connection, group.id, at, now=now)


def _reroute(connection: Connection, force: InForce, now: int) -> None:
    """Let all open alerts go where the routing sends them now.

    Who was told that one fires is told that it is over, wherever it is sent by then.
    """
    known = notices.told_pairs(connection)
    for standing in notices.firing(connection):
        episode = standing.episode
        wanted = [
            channel
            for receiver in told_by(force.tree, episode.labels)
            for channel in force.channels_of(receiver)
        ]
        if all((episode.id, channel) in known for channel in wanted):
            continue
        _open(connection, force, episode)
        _wake(connection, force, episode, now)
    # Intervals may be shorter by now than the one that a group was put off by.
    notices.flush_soon(connection, now + GROUP_INTERVAL, now=now)
    routing.set_routed(connection, force.digest)


def _remember(look: _Look, told: Told, made: Decision) -> None:
    """Record what was told and what is held back."""
    before = told.notice
    if made.tell is not None:
        notices.save_notice(
            look.connection,
            told,
            made.hold,
            told=True,
            told_at=look.now,
            tellings=told.tellings + (made.tell is not Tell.RESOLVED),
            news_id=told.standing.news_id,
            closed=made.closed,
        )
    elif made.closed or made.hold != before.held:
        notices.save_notice(look.connection, told, made.hold, closed=made.closed)


def _reason(told: Told, tell: Tell, route: Route | None, *, escalated: bool) -> str:
    """Why it is told now, where that is not plain."""
    if told.notice.asked and told.escalated is not None:
        return told.escalated
    if escalated and tell is Tell.NEW:
        return "nobody has acknowledged it"
    held = told.notice.held
    if tell is Tell.RELEASED and held is not None:
        return f"it was {held.words}"
    if tell is Tell.REPEATED and route is not None:
        return "it still needs somebody"
    return ""
