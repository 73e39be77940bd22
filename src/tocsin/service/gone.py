"""A channel that is gone, such as a webhook that answers 410: it counts as told of nothing new."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.notify.told import alerts_of, begins
from tocsin.records import channels, notices, outbox


def disable(connection: Connection, channel: str, reason: str, *, now: int) -> None:
    """Send nothing there; once it is enabled it hears of what fires, and what ended meanwhile."""
    unsent = channels.disable(connection, channel, reason, now=now)
    heard = heard_by(connection, channel)
    notices.not_told(connection, channel, but=heard)
    ended = {
        alert["episode"]
        for payload in unsent
        for alert in alerts_of(payload)
        if not begins(alert) and alert.get("episode") in heard
    }
    notices.told_again(connection, channel, ended)


def heard_by(connection: Connection, channel: str) -> set[str]:
    """The episodes of which a channel was, or may have been, told that they fire, and no end."""
    heard: set[str] = set()
    for payload in outbox.arrived(connection, channel):
        begun, over = _split(alerts_of(payload))
        heard = (heard | begun) - over
    return heard


def _split(alerts: Sequence[Mapping[str, Any]]) -> tuple[set[str], set[str]]:
    """The episodes that fire, and those that are over."""
    begun = {alert["episode"] for alert in alerts if "episode" in alert and begins(dict(alert))}
    every = {alert["episode"] for alert in alerts if "episode" in alert}
    return begun, every - begun
