"""What happens to alerts, done: episodes, the incidents that group them, and what is told."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.declared.derived import VERSION
from tocsin.ids import uuid7
from tocsin.records import alerts, changes, evaluations, models
from tocsin.records.alerts import Episode
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.rules import Rule, Span
from tocsin.service.diagnose import Diagnosis
from tocsin.service.grouped import (
    UNTAKEN,
    StoredCause,
    about,
    freed_by,
    regroup,
    stored,
    with_later,
)
from tocsin.service.happenings import Happening, Kind
from tocsin.service.message import describe, named
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
        self._features = frozenset(bins.name for bins in record.plan.features)
        self._diagnosis = Diagnosis(connection, record, monitor)
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
            changed: dict[str, Any] = {"retracted": happening.retracted}
            if happening.span is not None:
                changed |= {"started": happening.span.started, "fired": happening.span.fired}
            alerts.update_episode(self._connection, episode.id, **changed)
            self._tell(episode.id, happening)

    def look_again(self, rule: Rule, instance: str, evaluation: Evaluation) -> None:
        """Rank the causes of an alert on a window of it in breach."""
        connection, end = self._connection, evaluation.window.end
        episode = alerts.episode_at(connection, self._record.id, rule.name, instance, end)
        if episode is None:
            return
        of = about(instance, self._features)
        before = episode.causes
        found = [
            cause
            for cause in self._causes(evaluation, instance)
            # What began only after it fired is not why it fired.
            if evaluation.window.start <= episode.fired
            or cause["kind"] == "concept"
            or any(_same_suspect(cause, known) for known in before)
        ]
        causes = with_later(before, found, of)
        if causes == before:
            return
        alerts.update_episode(connection, episode.id, causes=causes)
        regroup(connection, episode.incident_id, self._features, evaluation.window)
        if not before or not _same_suspect(before[0], causes[0]):
            self._note(
                episode.incident_id,
                end,
                "cause",
                f"More is known of why {named(rule.name, instance)} fired: {causes[0]['sentence']}",
            )
        changes.announce(connection, f"incident/{episode.incident_id}", now=self._now)

    def _fired(self, happening: Happening) -> None:
        rule, span, instance = happening.rule, happening.span, happening.instance
        assert rule is not None
        assert span is not None
        evaluation = self._evaluation(rule.window, span.fired)
        name = title(rule, instance, self._monitor)
        episode = Episode(
            id=uuid7(),
            incident_id=self._incident(name, rule, span),
            rule=rule.name,
            instance=instance,
            severity=rule.severity,
            category=rule.category,
            started=span.started,
            fired=span.fired,
            resolved=None,
            text=happening.text or self._said(rule, instance, evaluation),
            labels=labels_of(rule, instance, self._record.name),
            summary=rule.summary,
            runbook_url=rule.runbook_url,
            late=happening.late,
            title=name,
            causes=[] if evaluation is None else self._causes(evaluation, instance),
        )
        alerts.add_episode(self._connection, self._record.id, episode)
        window = Window(span.fired - rule.window, span.fired)
        regroup(self._connection, episode.incident_id, self._features, window)
        self._begun[rule.name, instance, span.fired] = episode.id
        self._tell(episode.id, happening)

    def _begun_by(self, happening: Happening) -> Episode:
        """The episode of a span that fired in this step."""
        assert happening.rule is not None
        assert happening.span is not None
        key = (happening.rule.name, happening.instance, happening.span.fired)
        return alerts.episode(self._connection, self._begun[key])

    def _incident(self, name: str, rule: Rule, span: Span) -> int:
        """The incident of the time in which an alert fired; a new one if there is none."""
        connection, record = self._connection, self._record
        found = alerts.incident_over(connection, record.id, span.fired, span.resolved)
        if found is None:
            return alerts.add_incident(
                connection,
                record.id,
                severity=rule.severity,
                title=name,
                opened=span.fired,
                opened_at=self._now,
                causes=[],
                window_size=rule.window,
                window_end=span.fired,
            )
        severity = alerts.more_severe(found.severity, rule.severity)
        reopened: dict[str, Any] = {"resolved": None, "resolved_at": None}
        freed = freed_by(severity, found, self._now)
        if freed:
            reopened |= UNTAKEN
            self._note(found.id, span.fired, "unacknowledged", freed)
        alerts.update_incident(connection, found.id, severity=severity, **reopened)
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
        self._note(
            episode.incident_id,
            happening.at,
            str(happening.kind),
            describe(episode, happening.kind, happening.text),
        )
        if happening.told:
            self._notify.tell(
                connection,
                episode,
                str(happening.kind),
                window_end=happening.at,
                now=self._now,
            )
        if happening.kind in (Kind.FIRED, Kind.RESOLVED):
            models.count(connection, self._record.id, **{f"alerts_{happening.kind}": 1})
        changes.announce(connection, f"incident/{episode.incident_id}", now=self._now)

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

    def _causes(self, evaluation: Evaluation, instance: str) -> list[StoredCause]:
        """Why a window is as it is, for an alert on this instance."""
        of = about(instance, self._features)
        return stored(self._diagnosis.causes(evaluation, about=of), evaluation.window)


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


def _same_suspect(one: StoredCause, other: StoredCause) -> bool:
    return (one["kind"], one["feature"]) == (other["kind"], other["feature"])
