"""Alerts without the data that makes them: episodes written as evaluations write them."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from tocsin.app import App
from tocsin.records import alerts, models, outbox
from tocsin.records.alerts import Episode
from tocsin.records.outbox import Receiver
from tocsin.records.tables import alert_states
from tocsin.records.tables import outbox as outbox_table
from tocsin.service.notify import Notify
from tocsin.values import HOUR


@dataclass
class Clock:
    """A clock that tests move."""

    now: int

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True)
class Said:
    """One alert in one message: what a receiver reads of it."""

    row: int
    receiver: str
    target: str
    order_key: str
    message_id: str
    at: int
    alert: dict[str, Any]
    payload: dict[str, Any]

    @property
    def what(self) -> tuple[str, str]:
        return self.alert["event"], self.alert["notice"]


@dataclass
class Alarm:
    """Fires and resolves alerts of the models of an application, by the clock of the test."""

    app: App
    clock: Clock
    windows: dict[str, int] = field(default_factory=dict)
    made: int = 0

    @property
    def notify(self) -> Notify:
        return Notify(self.app.records, self.clock, "http://tocsin.test")

    def receiver(self, name: str, kind: str = "log", **options: Any) -> None:
        with self.app.records.write() as connection:
            outbox.set_receiver(connection, Receiver(name, kind, options))

    def look(self, model: str) -> None:
        """Let all rules of a model look at one more window."""
        self.windows[model] = self.windows.get(model, 0) + 1
        with self.app.records.write() as connection:
            record = models.model_named(connection, model)
            mine = alert_states.update().where(alert_states.c.model_id == record.id)
            connection.execute(mine.values(last_window=self._end(model)))

    def fire(self, model: str, rule: str = "Low", **labels: str) -> str:
        """Fire an alert of a rule that is not firing; the id of its episode."""
        self.made += 1
        end = self._end(model)
        labels = {"severity": "warning", "category": "performance", **labels}
        with self.app.records.write() as connection:
            record = models.model_named(connection, model)
            known = alerts.list_incidents(connection, model_id=record.id, open_only=True)
            incident = known[0] if known else None
            number = (
                incident.id
                if incident is not None
                else alerts.add_incident(
                    connection, record.id, severity="warning", title=f"{rule} of {model}",
                    opened=end, opened_at=self.clock(), causes=[], window_size=HOUR, window_end=end,
                )
            )  # fmt: skip
            episode = Episode(
                id=f"{self.made:036d}", incident_id=number, rule=rule, instance="",
                severity=labels["severity"], category=labels["category"], started=end, fired=end,
                resolved=None, text=f"{rule} is 0.6, under 0.7",
                labels={"alert": rule, "model": model, **labels},
            )  # fmt: skip
            alerts.add_episode(connection, record.id, episode)
            self._judge(connection, record.id, rule, end)
            self._tell(connection, episode, "fired", end)
        return episode.id

    def news(self, episode_id: str, event: str = "changed") -> None:
        with self.app.records.write() as connection:
            episode = alerts.episode(connection, episode_id)
            self._tell(connection, episode, event, self._end(episode.labels["model"]))

    def resolve(self, episode_id: str) -> None:
        self._set(episode_id, "resolved")

    def reopen(self, episode_id: str) -> None:
        """Let an episode fire again under its name, as late truth may."""
        self._set(episode_id, "fired")

    def _set(self, episode_id: str, event: str) -> None:
        with self.app.records.write() as connection:
            end = self._end(alerts.episode(connection, episode_id).labels["model"])
            connection.execute(
                sa.text("UPDATE episodes SET resolved = :end WHERE id = :id"),
                {"end": end if event == "resolved" else None, "id": episode_id},
            )
            self._tell(connection, alerts.episode(connection, episode_id), event, end)

    def flush(self) -> None:
        while self.notify.flush():
            pass

    def said(self, after: int = 0) -> list[Said]:
        """All that was said in messages, in their order."""
        query = sa.select(outbox_table).where(outbox_table.c.id > after).order_by(outbox_table.c.id)
        with self.app.records.read() as connection:
            rows = connection.execute(query).all()
        return [
            Said(row.id, row.receiver, row.target, row.order_key, row.message_id, row.created_at,
                 alert, row.payload)
            for row in rows
            for alert in row.payload.get("alerts", [row.payload])
        ]  # fmt: skip

    def _end(self, model: str) -> int:
        return self.windows.get(model, 0) * HOUR

    def _judge(self, connection: Any, model_id: int, rule: str, end: int) -> None:
        mine = (alert_states.c.model_id == model_id) & (alert_states.c.rule == rule)
        connection.execute(alert_states.delete().where(mine))
        connection.execute(
            alert_states.insert().values(
                model_id=model_id,
                rule=rule,
                instance="",
                phase="firing",
                last_window=end,
                base={},
                first_window=end,
                every=HOUR,
                letters="b",
            )
        )

    def _tell(self, connection: Any, episode: Episode, event: str, end: int) -> None:
        self.notify.tell(connection, episode, event, window_end=end, now=self.clock())
