"""What happens to alerts, done: episodes, the incidents that group them, and what is told."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.declared.derived import VERSION
from tocsin.ids import uuid7
from tocsin.records import alerts, changes, evaluations, models
from tocsin.records.alerts import Episode
from tocsin.records.evaluations import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.rules import Rule, Span
from tocsin.service.diagnose import Cause, diagnose
from tocsin.service.happenings import Happening, Kind
from tocsin.service.message import describe
from tocsin.service.notify import Notify
from tocsin.service.quality import column_of
from tocsin.service.signals import readings, title
from tocsin.values import Window, WindowSpec


class Acting:
    """Does what happens to the alerts of one model, in one transaction."""

    def __init__(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        notify: Notify,
        found: Mapping[WindowSpec, Sequence[Evaluation]],
        now: int,
    ) -> None:
        self._connection = connection
        self._record = record
        self._monitor = monitor
        self._notify = notify
        self._now = now
        self._windows = {
            (spec.size, evaluation.window.end): evaluation
            for spec, part in found.items()
            for evaluation in part
        }
        # The episodes that fired in this step, by rule, instance and window.
        self._begun: dict[tuple[str, str, int], str] = {}

    def act(self, happening: Happening) -> None:
        """Do what happens, and tell it."""
        if happening.kind is Kind.FIRED:
            self._fired(happening)
            return
        episode = happening.episode or self._begun_by(happening)
        if happening.kind is Kind.FLAPPING:
            alerts.update_episode(self._connection, episode.id, flapping=happening.at)
            self._tell(episode.id, happening)
        elif happening.kind is Kind.RESOLVED:
            self._resolved(episode, happening)
        else:
            alerts.update_episode(self._connection, episode.id, retracted=happening.retracted)
            self._tell(episode.id, happening)

    def look_again(self, evaluation: Evaluation) -> None:
        """Rank the causes of the open incident on a later window; the surer ranking is kept."""
        connection, record = self._connection, self._record
        incident = alerts.open_incident(connection, record.id)
        if incident is None:
            return
        causes = self._causes(evaluation)
        if not causes:
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
                now=self._now,
                kind="cause",
                text=f"More is known of the cause: {causes[0].sentence}",
            )
        changes.announce(connection, f"incident/{incident.id}", now=self._now)

    def _fired(self, happening: Happening) -> None:
        rule, span = happening.rule, happening.span
        assert rule is not None
        assert span is not None
        evaluation = self._evaluation(rule.window, span.fired)
        about = "" if rule.by else happening.instance
        causes = () if evaluation is None else self._causes(evaluation, about)
        text = happening.text or self._said(rule, happening.instance, evaluation)
        episode = Episode(
            id=uuid7(),
            incident_id=self._incident(happening, rule, span, causes),
            rule=rule.name,
            instance=happening.instance,
            severity=rule.severity,
            category=rule.category,
            started=span.started,
            fired=span.fired,
            resolved=None,
            text=text,
            labels=labels_of(rule, happening.instance, self._record.name),
            summary=rule.summary,
            runbook_url=rule.runbook_url,
            late=happening.late,
        )
        alerts.add_episode(self._connection, self._record.id, episode)
        self._begun[rule.name, happening.instance, span.fired] = episode.id
        self._tell(episode.id, happening)

    def _begun_by(self, happening: Happening) -> Episode:
        """The episode of a span that fired in this step."""
        assert happening.rule is not None
        assert happening.span is not None
        key = (happening.rule.name, happening.instance, happening.span.fired)
        return alerts.episode(self._connection, self._begun[key])

    def _incident(
        self, happening: Happening, rule: Rule, span: Span, causes: Sequence[Cause]
    ) -> int:
        """The incident of the time in which an alert fired; a new one if there is none."""
        connection, record = self._connection, self._record
        window = Window(span.fired - rule.window, span.fired)
        found = alerts.incident_over(connection, record.id, span.fired, span.resolved)
        ranked = _ranked(causes, window)
        if found is None:
            return alerts.add_incident(
                connection,
                record.id,
                severity=rule.severity,
                title=title(rule, happening.instance, self._monitor),
                opened=span.fired,
                opened_at=self._now,
                **ranked,
            )
        severity = alerts.more_severe(found.severity, rule.severity)
        reopened: dict[str, Any] = {"resolved": None, "resolved_at": None}
        if severity != found.severity and found.acknowledged_by is not None:
            # Whoever took it, took something less urgent.
            reopened |= {"acknowledged_by": None, "acknowledged_at": None, "snoozed_until": None}
            self._note(
                found.id,
                span.fired,
                "unacknowledged",
                f"It is {severity} now: the acknowledgement of {found.acknowledged_by} ends",
            )
        # An incident keeps the causes it has when a later alert finds none.
        kept = {} if found.causes and (not causes or found.resolved is not None) else ranked
        alerts.update_incident(connection, found.id, severity=severity, **reopened, **kept)
        return found.id

    def _resolved(self, episode: Episode, happening: Happening) -> None:
        """End an episode, and its incident when it was the last one."""
        connection = self._connection
        alerts.update_episode(
            connection, episode.id, resolved=happening.at, retracted=happening.retracted
        )
        self._tell(episode.id, happening)
        rest = alerts.episodes_of(connection, episode.incident_id)
        ends = [other.resolved for other in rest if other.resolved is not None]
        if len(ends) == len(rest):
            alerts.update_incident(
                connection, episode.incident_id, resolved=max(ends), resolved_at=self._now
            )
            self._note(
                episode.incident_id,
                happening.at,
                "resolved",
                "All alerts of this incident are over.",
            )

    def _tell(self, episode_id: str, happening: Happening) -> None:
        """Timeline, outbox and pages, all in the transaction that made the news."""
        connection = self._connection
        episode = alerts.episode(connection, episode_id)
        incident = alerts.incident(connection, episode.incident_id)
        assert incident is not None
        self._note(
            incident.id,
            happening.at,
            str(happening.kind),
            describe(episode, happening.kind, happening.text),
        )
        if happening.told:
            self._notify.tell(
                connection,
                incident,
                episode,
                str(happening.kind),
                window_end=happening.at,
                now=self._now,
            )
        if happening.kind in (Kind.FIRED, Kind.RESOLVED):
            models.count(connection, self._record.id, **{f"alerts_{happening.kind}": 1})
        changes.announce(connection, f"incident/{incident.id}", now=self._now)

    def _note(self, incident_id: int, event_time: int, kind: str, text: str) -> None:
        alerts.note(
            self._connection,
            incident_id,
            event_time=event_time,
            now=self._now,
            kind=kind,
            text=text,
        )

    def _evaluation(self, size: int, end: int) -> Evaluation | None:
        """A window of this step, or as it is stored."""
        found = self._windows.get((size, end))
        if found is None:
            found = evaluations.at(self._connection, self._record.id, size, [end]).get(end)
        return found

    def _said(self, rule: Rule, instance: str, evaluation: Evaluation | None) -> str:
        """What a rule says of a window that is not of this step."""
        if evaluation is None:
            return ""
        told = readings(rule, evaluation, self._monitor, known={instance})
        return next((reading.text for name, reading in told if name == instance), "")

    def _causes(self, evaluation: Evaluation, *more: str) -> tuple[Cause, ...]:
        if evaluation.rows == 0:
            return ()
        about = self._about(*more)
        return diagnose(self._connection, self._record, self._monitor, evaluation, about=about)

    def _about(self, *more: str) -> frozenset[str]:
        """The columns that open alerts, and `more`, are about; none if one is about all."""
        columns = [column_of(instance) for instance in more]
        incident = alerts.open_incident(self._connection, self._record.id)
        if incident is not None:
            episodes = alerts.episodes_of(self._connection, incident.id)
            columns += [
                e.labels.get("feature", "") if e.labels else column_of(e.instance)
                for e in episodes
                if e.resolved is None
            ]
        return frozenset(columns) if all(columns) else frozenset()


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
    if rule.by:
        of_version = rule.by == VERSION
        part = instance.removeprefix(f"{VERSION}=") if of_version else instance
        return {**found, ("version" if of_version else "segment"): part}
    feature = column_of(instance)
    return {**found, "feature": feature} if feature else found


def _ranked(causes: Sequence[Cause], window: Window) -> dict[str, Any]:
    """What an incident stores of its causes, and the window they were ranked on."""
    return {
        "causes": [cause.to_dict() for cause in causes],
        "window_size": window.end - window.start,
        "window_end": window.end,
    }
