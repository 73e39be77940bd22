"""Let rules see evaluations: step alert states, open and resolve incidents, write notifications."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.ids import uuid7
from tocsin.records import alerts, changes, models
from tocsin.records.alerts import AlertState, Episode
from tocsin.records.evaluations import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.rules import (
    QUALITY,
    Event,
    Phase,
    Rule,
    Signal,
    State,
    Transition,
    transition,
)
from tocsin.service.diagnose import Cause, diagnose
from tocsin.service.message import describe
from tocsin.service.notify import Notify
from tocsin.service.quality import column_of
from tocsin.service.signals import REST, readings, title
from tocsin.values import Window, WindowSpec

_SEVERITIES = ("info", "warning", "critical")
_STILL_BREACHED = (Signal.BREACH, Phase.FIRING)


@dataclass(frozen=True)
class _Step:
    """One alert instance that has something to tell."""

    rule: Rule
    instance: str
    evaluation: Evaluation
    before: AlertState
    moved: Transition


class Alerting:
    """The rules of all models; state lives in the records only."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify

    def step(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        found: Mapping[WindowSpec, Sequence[Evaluation]],
        *,
        now: int,
    ) -> None:
        """Step every rule over new and revised windows, in the order of their ends."""
        states = alerts.states(connection, record.id)
        self._drop_removed(connection, record, monitor, states, now)
        by_size = {spec.size: part for spec, part in found.items()}
        due = [
            (evaluation.window.end, rule.window, i, rule, evaluation)
            for i, rule in enumerate(monitor.rules)
            for evaluation in by_size.get(rule.window, ())
        ]
        moved_states: dict[tuple[str, str], AlertState] = {}
        still_breached: Evaluation | None = None
        for _, _, _, rule, evaluation in sorted(due, key=lambda item: item[:3]):
            known = _not_at_rest(rule, states, moved_states)
            for instance, reading in readings(rule, evaluation, monitor, known=known):
                key = (rule.name, instance)
                before = moved_states.get(key) or states.get(key)
                if before is None or (instance and rule.metric == QUALITY):
                    before = _caught_up(before, (rule.name, REST), states, moved_states)
                moved = transition(rule, before.state, reading, evaluation.window.end)
                after = AlertState(moved.state, before.episode_id)
                if moved.event in (Event.FIRED, Event.RESOLVED):
                    step = _Step(rule, instance, evaluation, before, moved)
                    if moved.event is Event.FIRED:
                        episode_id = self._fired(connection, record, monitor, step, now)
                        after = AlertState(moved.state, episode_id)
                    else:
                        self._resolved(connection, record, step, now)
                        after = AlertState(moved.state, None)
                elif moved.judged and (reading.signal, moved.state.phase) == _STILL_BREACHED:
                    still_breached = evaluation
                if after != before:
                    moved_states[key] = after
        for (name, instance), state in moved_states.items():
            alerts.save_state(connection, record.id, name, instance, state)
        if still_breached is not None:
            self._look_again(connection, record, monitor, still_breached, now)

    def _drop_removed(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        states: dict[tuple[str, str], AlertState],
        now: int,
    ) -> None:
        """End the alerts of rules that the monitor does not have any more."""
        names = {rule.name for rule in monitor.rules}
        for rule, instance in [key for key in states if key[0] not in names]:
            dropped = states.pop((rule, instance))
            if dropped.episode_id is not None:
                newest = record.newest_event or now
                self._end(connection, record, dropped.episode_id, newest, now)
            alerts.forget_state(connection, record.id, rule, instance)

    def _look_again(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        evaluation: Evaluation,
        now: int,
    ) -> None:
        """Rank the causes on a later window; the surer ranking is kept."""
        incident = alerts.open_incident(connection, record.id)
        about = _about(connection, record)
        causes = diagnose(connection, record, monitor, evaluation, about=about)
        if incident is None or not causes:
            return
        before = incident.causes[0] if incident.causes else None
        if before is not None and before["score"] >= causes[0].score:
            return
        alerts.update_incident(connection, incident.id, **_ranked(causes, evaluation.window))
        if before is None or before["sentence"] != causes[0].sentence:
            alerts.note(
                connection,
                incident.id,
                event_time=evaluation.window.end,
                now=now,
                kind="cause",
                text=f"More is known of the cause: {causes[0].sentence}",
            )
        changes.announce(connection, f"incident/{incident.id}", now=now)

    def _fired(
        self, connection: Connection, record: ModelRecord, monitor: Monitor, step: _Step, now: int
    ) -> str:
        window = step.evaluation.window
        about = _about(connection, record, step.instance)
        causes = diagnose(connection, record, monitor, step.evaluation, about=about)
        incident_id = self._incident(connection, record, monitor, step, causes, now)
        episode = Episode(
            id=uuid7(),
            incident_id=incident_id,
            rule=step.rule.name,
            instance=step.instance,
            severity=step.rule.severity,
            category=step.rule.category,
            started=step.moved.state.since or window.end,
            fired=window.end,
            resolved=None,
            text=step.moved.reason,
            labels=labels_of(step.rule, step.instance, record.name),
            summary=step.rule.summary,
            runbook_url=step.rule.runbook_url,
        )
        alerts.add_episode(connection, record.id, episode)
        self._tell(connection, record, episode, "fired", window.end, now)
        return episode.id

    def _incident(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        step: _Step,
        causes: Sequence[Cause],
        now: int,
    ) -> int:
        window = step.evaluation.window
        found = alerts.open_incident(connection, record.id)
        ranked = _ranked(causes, window)
        if found is None:
            return alerts.add_incident(
                connection,
                record.id,
                severity=step.rule.severity,
                title=title(step.rule, step.instance, monitor),
                opened=window.end,
                opened_at=now,
                **ranked,
            )
        severity = max(found.severity, step.rule.severity, key=_SEVERITIES.index)
        # An incident keeps the causes it has when a later alert finds none.
        alerts.update_incident(
            connection, found.id, severity=severity, **(ranked if causes else {})
        )
        return found.id

    def _resolved(self, connection: Connection, record: ModelRecord, step: _Step, now: int) -> None:
        assert step.before.episode_id is not None
        end = step.evaluation.window.end
        self._end(connection, record, step.before.episode_id, end, now)

    def _end(
        self, connection: Connection, record: ModelRecord, episode_id: str, end: int, now: int
    ) -> None:
        """End an episode, and its incident when it was the last one."""
        alerts.resolve_episode(connection, episode_id, end)
        episode = alerts.episode(connection, episode_id)
        self._tell(connection, record, episode, "resolved", end, now)
        rest = alerts.episodes_of(connection, episode.incident_id)
        if all(other.resolved is not None for other in rest):
            alerts.update_incident(connection, episode.incident_id, resolved=end, resolved_at=now)
            alerts.note(
                connection,
                episode.incident_id,
                event_time=end,
                now=now,
                kind="resolved",
                text="All alerts of this incident are over.",
            )

    def _tell(
        self,
        connection: Connection,
        record: ModelRecord,
        episode: Episode,
        event: str,
        window_end: int,
        now: int,
    ) -> None:
        """Timeline, outbox and pages, all in the transaction that made the news."""
        incident = alerts.incident(connection, episode.incident_id)
        assert incident is not None
        alerts.note(
            connection,
            incident.id,
            event_time=window_end,
            now=now,
            kind=event,
            text=describe(episode, event),
        )
        self._notify.tell(connection, incident, episode, event, window_end=window_end, now=now)
        models.count(connection, record.id, **{f"alerts_{event}": 1})
        changes.announce(connection, f"incident/{incident.id}", now=now)


_States = Mapping[tuple[str, str], AlertState]


def _not_at_rest(rule: Rule, states: _States, moved: _States) -> frozenset[str]:
    """The instances of a rule on the checks of the data that are not inactive."""
    if rule.metric != QUALITY:
        return frozenset()
    now = {**states, **moved}
    return frozenset(
        instance
        for (name, instance), state in now.items()
        if name == rule.name and state.state.phase is not Phase.INACTIVE
    )


def _caught_up(
    before: AlertState | None, rest: tuple[str, str], states: _States, moved: _States
) -> AlertState:
    """A state at rest, judged up to where the other checks of the data were judged."""
    before = before or AlertState(State(), None)
    others = moved.get(rest) or states.get(rest)
    if others is None or before.state.phase is not Phase.INACTIVE:
        return before
    ends = (before.state.last_window, others.state.last_window)
    last = max((end for end in ends if end is not None), default=None)
    return replace(before, state=replace(before.state, last_window=last))


def labels_of(rule: Rule, instance: str, model: str) -> dict[str, str]:
    """What routes, silences and inhibition go by; those of the rule's own come first."""
    found = {
        **dict(rule.labels),
        "alert": rule.name,
        "model": model,
        "severity": rule.severity,
        "category": rule.category,
    }
    if instance:
        found["instance"] = instance
    feature = column_of(instance)
    return {**found, "feature": feature} if feature else found


def _about(connection: Connection, record: ModelRecord, *more: str) -> frozenset[str]:
    """The columns that the model's open alerts, and `more`, are about; none if one is about all."""
    columns = [column_of(instance) for instance in more]
    incident = alerts.open_incident(connection, record.id)
    if incident is not None:
        episodes = alerts.episodes_of(connection, incident.id)
        columns += [column_of(e.instance) for e in episodes if e.resolved is None]
    return frozenset(columns) if all(columns) else frozenset()


def _ranked(causes: Sequence[Cause], window: Window) -> dict[str, Any]:
    """What an incident stores of its causes, and the window they were ranked on."""
    return {
        "causes": [cause.to_dict() for cause in causes],
        "window_size": window.end - window.start,
        "window_end": window.end,
    }
