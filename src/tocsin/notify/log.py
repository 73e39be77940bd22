"""Notifications as lines of the server's log."""

import logging
from collections.abc import Callable
from typing import Any

from tocsin.notify.message import Message, Secrets

_log = logging.getLogger("tocsin.alerts")


def log_sender(_options: dict[str, Any], _secrets: Secrets) -> Callable[[Message], None]:
    """Writes each message as one line at WARNING."""

    def send(message: Message) -> None:
        told = message.payload
        why = f"; {told['causes'][0]['sentence']}" if told["causes"] else ""
        _log.warning(
            "%s %s: %s: %s%s (%s)",
            told["model"], told["event"], told["title"], told["text"], why, told["url"],
        )  # fmt: skip

    return send
