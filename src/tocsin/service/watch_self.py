"""Watching the watcher: how far Tocsin is behind, whether it lives, and who hears of it."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.errors import DeliveryError
from tocsin.ids import uuid7
from tocsin.notify import Outside
from tocsin.notify.post import asked
from tocsin.notify.told import short
from tocsin.records import Records, inbox, letters, outbox, own_alerts
from tocsin.records.own_alerts import OwnAlert
from tocsin.service.clock import Clock
from tocsin.service.message import PAYLOAD_VERSION
from tocsin.service.trouble import Failing
from tocsin.values import MINUTE, SECOND, format_duration, isoformat

# What alerts about Tocsin call their model.
MODEL = "tocsin"
FOLD_LAG, EVALUATION_LAG, FAILURE = 10 * MINUTE, 30 * MINUTE, 5 * MINUTE
HEARTBEAT_EVERY = MINUTE
_MOST_ERROR = 300
_MOST_NAMES = 5
# What has to go well before the rules of a model say anything.
_WORK = ("rebuild", "fold", "evaluate")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lags:
    """How far Tocsin is behind, microseconds of wall time.

    fold: the age of the oldest row that is not in a profile. evaluation: since when some window
    waits to be evaluated, as long as this process has watched. oldest_message: the age of the
    oldest that waits to be sent. failing: the models of which nothing could be told for a while,
    with the reasons.
    """

    fold: int
    evaluation: int
    oldest_message: int
    failing: Mapping[str, str]


class WatchSelf:
    """Finds out what is wrong with Tocsin, tells it, and beats while all is alive.

    behind: the models with windows that wait to be evaluated. failing: what keeps failing.
    """

    def __init__(
        self,
        records: Records,
        clock: Clock,
        outside: Outside,
        *,
        base_url: str,
        heartbeat_url: str | None,
        behind: Callable[[], list[str]],
        failing: Callable[[], list[Failing]],
    ) -> None:
        self._records = records
        self._clock = clock
        self._outside = outside
        self._base_url = base_url
        self._heartbeat_url = heartbeat_url
        self._behind = behind
        self._failing = failing
        self._unevaluated: dict[str, int] = {}
        self._failing_since: dict[str, int] = {}
        self._beat_at: int | None = None

    def look(self, *, alive: bool) -> None:
        """Tell what is wrong now and was not, and what is not any more; then beat.

        alive: whether the loops that fold, evaluate and deliver have lately come round.
        """
        now = self._clock()
        lags = self.lags()
        with self._records.read() as connection:
            wrong = dict(_wrong(lags, letters.dead_by_receiver(connection)))
            known = own_alerts.firing(connection)
        if wrong.keys() != known.keys():
            with self._records.write() as connection:
                self._tell(connection, wrong, now)
        self._beat(now, alive=alive and lags.fold < FOLD_LAG)

    def lags(self) -> Lags:
        """How far behind it is now."""
        now = self._clock()
        errors = {
            each.model: each.error
            for each in self._failing()
            if each.model is not None and each.work in _WORK
        }
        self._failing_since = {name: self._failing_since.get(name, now) for name in errors}
        # Who fails waits too, which is one thing.
        waiting = [name for name in self._behind() if name not in errors]
        self._unevaluated = {name: self._unevaluated.get(name, now) for name in waiting}
        with self._records.read() as connection:
            since = min((since for _, since in inbox.waiting(connection).values()), default=now)
            written = letters.oldest_waiting(connection)
        return Lags(
            fold=max(0, now - since),
            evaluation=max(0, now - min(self._unevaluated.values(), default=now)),
            oldest_message=max(0, now - (now if written is None else written)),
            failing={
                name: error
                for name, error in errors.items()
                if now - self._failing_since[name] >= FAILURE
            },
        )

    def _tell(
        self, connection: Connection, wrong: Mapping[tuple[str, str], tuple[str, str]], now: int
    ) -> None:
        known = own_alerts.firing(connection)
        for (name, instance), (severity, text) in wrong.items():
            if (name, instance) not in known:
                alert = OwnAlert(name, instance, uuid7(), severity, text, now)
                own_alerts.begin(connection, alert)
                self._put(connection, alert, "fired", now)
        for key, alert in known.items():
            if key not in wrong:
                own_alerts.end(connection, alert)
                self._put(connection, alert, "resolved", now)

    def _put(self, connection: Connection, alert: OwnAlert, event: str, now: int) -> None:
        """Tell all receivers but the one that it is about."""
        for receiver in outbox.all_receivers(connection):
            if receiver.name == alert.instance or receiver.disabled or receiver.leaving:
                continue
            for target in receiver.targets:
                begun = f"{alert.episode}.fired"
                if event != "fired" and not letters.is_written(
                    connection, receiver.name, target, begun
                ):
                    # It was added since, or nothing was sent there then.
                    continue
                outbox.put(
                    connection,
                    receiver=receiver.name,
                    target=target,
                    order_key=f"{receiver.name}/{alert.episode}{f'/{target}' if target else ''}",
                    message_id=f"{alert.episode}.{event}",
                    payload=_payload(alert, event, now, self._base_url),
                    now=now,
                )

    def _beat(self, now: int, *, alive: bool) -> None:
        url, before = self._heartbeat_url, self._beat_at
        if url is None or not alive or (before is not None and now - before < HEARTBEAT_EVERY):
            return
        self._beat_at = now
        try:
            asked("GET", url, b"", {}, self._outside, spoken="the heartbeat")
        except DeliveryError as error:
            # Whoever waits for it tells people; the alerts here go on.
            _log.warning("%s", error)


def _wrong(
    lags: Lags, dead: Mapping[str, tuple[int, str]]
) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """(name, instance) and (severity, text) of what is wrong."""
    if lags.fold >= FOLD_LAG:
        age = _age(lags.fold)
        text = f"the oldest row that waits to be folded is {age} old; see /ready for what fails"
        yield ("FoldLag", ""), ("critical", text)
    if lags.failing:
        yield ("EvaluationFailed", ""), ("critical", _about_failing(lags.failing))
    if lags.evaluation >= EVALUATION_LAG:
        text = f"windows have waited {_age(lags.evaluation)} to be evaluated; see /ready"
        yield ("EvaluationLag", ""), ("warning", text)
    for receiver, (n, error) in dead.items():
        letters_of = "1 message was" if n == 1 else f"{n} messages were"
        text = (
            f"{letters_of} given up for {receiver}: {short(error, _MOST_ERROR)}. "
            "See tocsin outbox list --state dead, then retry or drop them"
        )
        yield ("DeadLetters", receiver), ("critical", text)


def _about_failing(failing: Mapping[str, str]) -> str:
    """One outage is one alert, however many models and rules it keeps from being looked at."""
    names = sorted(failing)
    more = len(names) - _MOST_NAMES
    listed = ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return (
        f"nothing can be told of {listed}: {short(failing[names[0]], _MOST_ERROR)}. Their alerts "
        "stay as they are until that is mended; see /ready"
    )


def _age(microseconds: int) -> str:
    return format_duration(microseconds // MINUTE * MINUTE)


def _payload(alert: OwnAlert, event: str, now: int, base_url: str) -> dict[str, Any]:
    about = f" for {alert.instance}" if alert.instance else ""
    labels = {"alert": alert.name, "model": MODEL, "severity": alert.severity}
    return {
        "version": PAYLOAD_VERSION,
        "event": event,
        "model": MODEL,
        "incident": 0,
        "title": f"{alert.name} {event}{about}",
        "incident_title": alert.name,
        "episode": alert.episode,
        "alert": alert.name,
        "instance": alert.instance,
        "severity": alert.severity,
        "category": "operations",
        "text": alert.text,
        "labels": {**labels, "category": "operations"},
        "facts": {"since": isoformat(alert.since // SECOND * SECOND)},
        "summary": "",
        "runbook_url": "",
        "window_end": isoformat(now // SECOND * SECOND),
        "causes": [],
        "url": base_url,
    }
