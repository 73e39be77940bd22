"""A channel that is gone, such as a webhook that answers 410: it counts as told of nothing new."""

from sqlalchemy.engine import Connection

from tocsin.notify.told import alerts_of, begins
from tocsin.records import channels, endings, notices
from tocsin.service.last_words import firing_after


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
    # Whoever is told instead is told at once.
    channels.wake(connection, channel, now=now)


def heard_by(connection: Connection, channel: str) -> set[str]:
    """The episodes of which a channel was, or may have been, told that they fire, and no end."""
    return set(firing_after(endings.sent_to(connection, channel)))
