"""Alert states, their episodes, and the incidents that group them."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.records.given_ids import next_id
from tocsin.records.tables import alert_states, episodes, incidents, models, timeline
from tocsin.rules import History, Phase, State


@dataclass(frozen=True)
class Episode:
    """One run of an alert from firing to resolved; times are window ends.

    labels: what routes, silences and inhibition go by. summary, runbook_url: as the rule has them.
    late: it fired on labels or rows that came after the window was judged. retracted: revised
    windows show no breach any more. flapping: since when it went to and fro. title: what the
    incident would be called if it were of this one alone. causes: what was found of why, the most
    likely first, each with the `window_size` and `window_end` of the window that it is from.
    """

    id: str
    incident_id: int
    rule: str
    instance: str
    severity: str
    category: str
    started: int
    fired: int
    resolved: int | None
    text: str
    labels: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    runbook_url: str = ""
    late: bool = False
    retracted: bool = False
    flapping: int | None = None
    title: str = ""
    causes: list[dict[str, Any]] = field(default_factory=list)


class Verdict(StrEnum):
    """Whether an incident was a problem, as people say."""

    REAL = "real"
    FALSE = "false"


SEVERITIES = ("info", "warning", "critical")


def more_severe(a: str, b: str) -> str:
    """The one of two severities that is more urgent."""
    return max(a, b, key=SEVERITIES.index)


@dataclass(frozen=True)
class Incident:
    """Alerts of one model that belong together.

    opened, resolved: ends of the windows that did it; opened_at, resolved_at: wall time.
    causes: those of its alerts, which each says. window_size, window_end: the window that the
    first of them is from; of the newest alert where there is none. acknowledged_at,
    snoozed_until: wall time. verdict: what people say of it. merged_into: the number of the
    incident that has its alerts.
    """

    id: int
    model: str
    severity: str
    title: str
    opened: int
    resolved: int | None
    opened_at: int
    resolved_at: int | None
    window_size: int
    window_end: int
    causes: list[dict[str, Any]]
    acknowledged_by: str | None = None
    acknowledged_at: int | None = None
    snoozed_until: int | None = None
    assignee: str | None = None
    verdict: Verdict | None = None
    merged_into: int | None = None


@dataclass(frozen=True)
class TimelineEntry:
    """Something that happened to an incident."""

    event_time: int
    recorded_at: int
    kind: str
    text: str
    actor: str = ""


def tracked(connection: Connection, model_id: int) -> dict[tuple[str, str], History]:
    """What was seen of all alerts of a model, by (rule, instance)."""
    query = sa.select(alert_states).where(alert_states.c.model_id == model_id)
    return {
        (row.rule, row.instance): History(
            State(**{**row.base, "phase": Phase(row.base["phase"])}),
            row.first_window,
            row.every,
            row.letters,
        )
        for row in connection.execute(query)
    }


def save_tracked(
    connection: Connection,
    model_id: int,
    rule: str,
    instance: str,
    history: History,
    state: State,
) -> None:
    """Store what was seen of one alert, and where that leaves it."""
    values = {
        "phase": str(state.phase),
        "since": state.since,
        "last_window": history.last,
        "base": asdict(history.base),
        "first_window": history.first,
        "every": history.every,
        "letters": history.letters,
    }
    mine = _of_instance(model_id, rule, instance)
    if connection.execute(alert_states.update().where(mine).values(values)).rowcount == 0:
        connection.execute(
            alert_states.insert().values(model_id=model_id, rule=rule, instance=instance, **values)
        )


def forget_tracked(connection: Connection, model_id: int, rule: str, instance: str) -> None:
    """Drop what was seen of an alert whose rule is gone."""
    connection.execute(alert_states.delete().where(_of_instance(model_id, rule, instance)))


def _of_instance(model_id: int, rule: str, instance: str) -> sa.ColumnElement[bool]:
    return (
        (alert_states.c.model_id == model_id)
        & (alert_states.c.rule == rule)
        & (alert_states.c.instance == instance)
    )


def incident_over(
    connection: Connection, model_id: int, start: int, end: int | None
) -> Incident | None:
    """The newest incident that was open at some time from `start` to `end`, or to now if None."""
    i = incidents.c
    mine = (i.model_id == model_id) & (i.resolved.is_(None) | (i.resolved > start))
    mine &= i.merged_into.is_(None)
    if end is not None:
        mine &= i.opened <= end
    return next(iter(_incidents(connection, mine)), None)


def incident(connection: Connection, incident_id: int) -> Incident | None:
    """An incident by its number."""
    return next(iter(_incidents(connection, incidents.c.id == incident_id)), None)


def list_incidents(
    connection: Connection, *, model_id: int | None = None, open_only: bool = False
) -> list[Incident]:
    """Incidents, the newest first."""
    wanted: list[sa.ColumnElement[bool]] = [sa.true()]
    if model_id is not None:
        wanted.append(incidents.c.model_id == model_id)
    if open_only:
        wanted.append(incidents.c.resolved.is_(None))
    return _incidents(connection, sa.and_(*wanted))


def add_incident(connection: Connection, model_id: int, **values: Any) -> int:
    """Open an incident; its number."""
    number = next_id(connection, incidents)
    connection.execute(incidents.insert().values(id=number, model_id=model_id, **values))
    return number


def update_incident(connection: Connection, incident_id: int, **values: Any) -> None:
    """Change an incident."""
    connection.execute(incidents.update().where(incidents.c.id == incident_id).values(values))


def add_episode(connection: Connection, model_id: int, episode: Episode) -> None:
    """Store an episode."""
    connection.execute(episodes.insert().values(model_id=model_id, **episode.__dict__))


def update_episode(connection: Connection, episode_id: str, **values: Any) -> None:
    """Change an episode."""
    connection.execute(episodes.update().where(episodes.c.id == episode_id).values(values))


def move_episodes(connection: Connection, of: int, to: int) -> None:
    """Let the episodes of an incident be of another."""
    connection.execute(episodes.update().where(episodes.c.incident_id == of).values(incident_id=to))


def episode(connection: Connection, episode_id: str) -> Episode:
    """An episode by its id."""
    return _episodes(connection, episodes.c.id == episode_id)[0]


def episode_at(
    connection: Connection, model_id: int, rule: str, instance: str, end: int
) -> Episode | None:
    """The newest episode of an alert that was going on in the window that ends then."""
    e = episodes.c
    mine = (e.model_id == model_id) & (e.rule == rule) & (e.instance == instance)
    then = (e.fired <= end) & (e.resolved.is_(None) | (e.resolved >= end))
    return next(reversed(_episodes(connection, mine & then)), None)


def episodes_of(connection: Connection, incident_id: int) -> list[Episode]:
    """The episodes of an incident, the oldest first."""
    return _episodes(connection, episodes.c.incident_id == incident_id)


def episodes_since(connection: Connection, model_id: int, since: int) -> list[Episode]:
    """A model's episodes that are open, or were at a time or later; the oldest first."""
    open_then = episodes.c.resolved.is_(None) | (episodes.c.resolved >= since)
    return _episodes(connection, (episodes.c.model_id == model_id) & open_then)


def fired_by_rule(connection: Connection, model_id: int) -> dict[str, int]:
    """How many episodes each rule has had."""
    query = (
        sa.select(episodes.c.rule, sa.func.count())
        .where(episodes.c.model_id == model_id)
        .group_by(episodes.c.rule)
    )
    return {rule: int(count) for rule, count in connection.execute(query)}


def note(
    connection: Connection,
    incident_id: int,
    *,
    event_time: int,
    now: int,
    kind: str,
    text: str,
    actor: str = "",
) -> None:
    """Write on an incident's timeline. actor: who did it; empty where nobody did."""
    connection.execute(
        timeline.insert().values(
            id=next_id(connection, timeline),
            incident_id=incident_id,
            event_time=event_time,
            recorded_at=now,
            kind=kind,
            text=text,
            actor=actor,
        )
    )


def timeline_of(connection: Connection, incident_id: int) -> list[TimelineEntry]:
    """An incident's timeline in the order of what happened, whenever that was noticed."""
    t = timeline.c
    query = (
        sa.select(t.event_time, t.recorded_at, t.kind, t.text, t.actor)
        .where(t.incident_id == incident_id)
        .order_by(t.event_time, t.id)
    )
    return [TimelineEntry(*row) for row in connection.execute(query)]


def _incidents(connection: Connection, wanted: sa.ColumnElement[bool]) -> list[Incident]:
    query = (
        sa.select(models.c.name.label("model"), incidents)
        .join(models, models.c.id == incidents.c.model_id)
        .where(wanted)
        .order_by(incidents.c.id.desc())
    )
    found = connection.execute(query).mappings()
    return [
        Incident(
            **{k: v for k, v in row.items() if k not in ("model_id", "verdict")},
            verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        )
        for row in found
    ]


def _episodes(connection: Connection, wanted: sa.ColumnElement[bool]) -> list[Episode]:
    columns = (column for column in episodes.c if column.name != "model_id")
    query = sa.select(*columns).where(wanted).order_by(episodes.c.fired, episodes.c.id)
    return [Episode(**row) for row in connection.execute(query).mappings()]


def phases(connection: Connection, model_id: int) -> dict[tuple[str, Phase], int]:
    """How many alerts stand in each phase, by rule and phase."""
    query = (
        sa.select(alert_states.c.rule, alert_states.c.phase, sa.func.count())
        .where(alert_states.c.model_id == model_id)
        .group_by(alert_states.c.rule, alert_states.c.phase)
    )
    return {(rule, Phase(phase)): int(n) for rule, phase, n in connection.execute(query)}


def open_by_rule(connection: Connection, model_id: int) -> dict[str, int]:
    """How many episodes of each rule are open."""
    query = (
        sa.select(episodes.c.rule, sa.func.count())
        .where(episodes.c.model_id == model_id, episodes.c.resolved.is_(None))
        .group_by(episodes.c.rule)
    )
    return {rule: int(count) for rule, count in connection.execute(query)}
