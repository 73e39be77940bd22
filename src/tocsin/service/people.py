"""What people do about incidents: take them, talk about them, judge them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from tocsin.errors import InvalidInputError, UnknownIncidentError
from tocsin.records import Records, alerts, changes, models, notices
from tocsin.records.alerts import Incident, Verdict
from tocsin.records.audit import UNKNOWN
from tocsin.service.clock import Clock
from tocsin.service.grouped import UNTAKEN, freed_by, regroup
from tocsin.service.notify import tell_now
from tocsin.service.routing import in_force
from tocsin.values import DAY, Window, format_duration, isoformat

MOST_WORDS = 4_000
_LONGEST_NAME = 200
_LONGEST_SNOOZE = 30 * DAY


@dataclass(frozen=True)
class Person:
    """Who does something; nobody checks the name, as there are no logins yet."""

    name: str = UNKNOWN

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > _LONGEST_NAME:
            raise InvalidInputError(f"a name has 1 to {_LONGEST_NAME} characters")


class People:
    """Everything goes on the incident's timeline, with who did it."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def acknowledge(self, number: int, by: Person, note: str = "") -> None:
        """Say that somebody works on it: nobody is reminded of it any more.

        It ends when the incident gets more severe. Raises: UnknownIncidentError, InvalidInputError.
        """
        with self._acting(number, by) as act:
            act.only_open("acknowledge")
            act.change(acknowledged_by=by.name, acknowledged_at=act.now, snoozed_until=None)
            act.note("acknowledged", "Acknowledged", note)

    def withdraw(self, number: int, by: Person, note: str = "") -> None:
        """Say that nobody works on it any more. Raises: UnknownIncidentError, InvalidInputError."""
        with self._acting(number, by) as act:
            act.change(**UNTAKEN)
            act.note("unacknowledged", "Nobody works on it any more", note)

    def assign(self, number: int, by: Person, to: str) -> None:
        """Say whose it is, a person or a team; nobody's when empty.

        Raises: UnknownIncidentError, InvalidInputError.
        """
        name = to.strip()
        if len(name) > _LONGEST_NAME:
            raise InvalidInputError(f"a name has at most {_LONGEST_NAME} characters")
        with self._acting(number, by) as act:
            act.change(assignee=name or None)
            act.note("assigned", f"Assigned to {name}" if name else "Assigned to nobody")

    def comment(self, number: int, by: Person, text: str) -> None:
        """Say something. Raises: UnknownIncidentError, InvalidInputError."""
        if not text.strip():
            raise InvalidInputError("a comment needs words")
        with self._acting(number, by) as act:
            act.note("comment", "", text)

    def snooze(self, number: int, by: Person, duration: int, note: str = "") -> None:
        """Be reminded of it later: nobody is until then.

        duration: microseconds. Raises: UnknownIncidentError, InvalidInputError.
        """
        if not 0 < duration <= _LONGEST_SNOOZE:
            raise InvalidInputError(
                f"an incident can be snoozed for up to {format_duration(_LONGEST_SNOOZE)}, not "
                f"{format_duration(duration)}"
            )
        with self._acting(number, by) as act:
            act.only_open("snooze")
            until = act.now + duration
            act.change(snoozed_until=until)
            act.note("snoozed", f"Snoozed until {isoformat(until)}", note)

    def mark(self, number: int, by: Person, verdict: Verdict | None, note: str = "") -> None:
        """Say whether it was a real problem, which backtests of rules go by; None takes it back.

        Raises: UnknownIncidentError, InvalidInputError.
        """
        with self._acting(number, by) as act:
            act.change(verdict=None if verdict is None else str(verdict))
            words = {Verdict.REAL: "a real problem", Verdict.FALSE: "a false alarm"}
            said = f"Marked as {words[verdict]}" if verdict else "Not marked any more"
            act.note("marked", said, note)

    def merge(self, number: int, by: Person, into: int, note: str = "") -> None:
        """Let the alerts of an incident belong to another one of the same model.

        Raises: UnknownIncidentError, InvalidInputError.
        """
        with self._acting(number, by) as act:
            other = _found(act.connection, into)
            if other.id == act.incident.id or other.model != act.incident.model:
                raise InvalidInputError(
                    f"incident {number} of {act.incident.model} cannot be merged into {into} of "
                    f"{other.model}: choose another incident of the same model"
                )
            if other.merged_into is not None:
                raise InvalidInputError(
                    f"incident {into} was merged into {other.merged_into}; choose that one"
                )
            if act.incident.merged_into is not None:
                raise InvalidInputError(
                    f"incident {number} was merged into {act.incident.merged_into} already"
                )
            alerts.move_episodes(act.connection, number, into)
            end = act.incident.resolved or act.incident.window_end
            act.change(merged_into=into, resolved=end, resolved_at=act.now)
            act.take_in(other)
            act.note("merged", f"Merged into incident {into}", note)
            act.note("merged", f"Incident {number} was merged into this one", note, of=other)
            changes.announce(act.connection, f"incident/{into}", now=act.now)

    def escalate(self, number: int, by: Person, to: str, reason: str) -> None:
        """Tell a receiver now of what fires, whatever the routes say; of its end it hears too.

        Raises: UnknownIncidentError, InvalidInputError.
        """
        if not reason.strip():
            raise InvalidInputError("`reason` is missing: whoever is called wants to know why")
        with self._acting(number, by) as act:
            act.only_open("escalate")
            force = in_force(act.connection)
            to_channels = force.channels_of(to)
            if not to_channels:
                known = ", ".join(force.receivers)
                raise InvalidInputError(f"there is no receiver {to!r}; there are {known}")
            reasons = [force.channels[name].disabled for name in to_channels]
            if all(reasons):
                raise InvalidInputError(
                    f"{to} is told nothing: {reasons[0]}; choose another receiver, or let "
                    f"`tocsin test receiver {to}` find that it takes messages"
                )
            words = f"{by.name} escalated it: {reason.strip()}"
            for episode in alerts.episodes_of(act.connection, number):
                for channel in to_channels if episode.resolved is None else ():
                    tell_now(act.connection, episode, channel, force.tree, now=act.now)
                    notices.escalate(act.connection, episode.id, channel, words)
            act.note("escalated", f"Escalated to {to}", reason)

    @contextmanager
    def _acting(self, number: int, by: Person) -> Iterator["_Act"]:
        now = self._clock()
        with self._records.write() as connection:
            found = _found(connection, number)
            yield _Act(connection, found, by, now)
            changes.announce(connection, f"incident/{number}", now=now)
            changes.announce(connection, f"model/{found.model}", now=now)


@dataclass(frozen=True)
class _Act:
    """Something that one person does about one incident, in one transaction."""

    connection: Connection
    incident: Incident
    by: Person
    now: int

    def only_open(self, what: str) -> None:
        """Raises: InvalidInputError for an incident that is over."""
        if self.incident.resolved is not None:
            raise InvalidInputError(
                f"incident {self.incident.id} is over; there is nothing to {what}"
            )

    def change(self, **values: object) -> None:
        """Change what is stored of the incident."""
        alerts.update_incident(self.connection, self.incident.id, **values)

    def take_in(self, other: Incident) -> None:
        """Let the other say what its alerts do, now that it has those of the incident too."""
        ends = [e.resolved for e in alerts.episodes_of(self.connection, other.id)]
        ended = [end for end in ends if end is not None]
        over = bool(ended) and len(ended) == len(ends)
        severity = alerts.more_severe(other.severity, self.incident.severity)
        values: dict[str, object] = {
            "opened": min(other.opened, self.incident.opened),
            "severity": severity,
            "resolved": max(ended) if over else None,
            "resolved_at": (other.resolved_at or self.now) if over else None,
        }
        freed = freed_by(severity, other, self.now)
        if freed:
            values |= UNTAKEN
            self.note("unacknowledged", freed, of=other)
        alerts.update_incident(self.connection, other.id, **values)
        record = models.model_named(self.connection, other.model)
        features = [bins.name for bins in record.plan.features]
        window = Window(other.window_end - other.window_size, other.window_end)
        regroup(self.connection, other.id, features, window)

    def note(self, kind: str, said: str, text: str = "", *, of: Incident | None = None) -> None:
        """Write on a timeline, that of the incident unless another is given."""
        text = text.strip()
        if len(text) > MOST_WORDS:
            raise InvalidInputError(f"at most {MOST_WORDS:,} characters, not {len(text):,}")
        incident = of or self.incident
        alerts.note(
            self.connection,
            incident.id,
            event_time=self.now,
            now=self.now,
            kind=kind,
            text=": ".join(part for part in (said, text) if part),
            actor=self.by.name,
        )


def _found(connection: Connection, number: int) -> Incident:
    found = alerts.incident(connection, number)
    if found is None:
        raise UnknownIncidentError(f"there is no incident {number}")
    return found
