"""Notifications as lines of the server's log."""

import logging
from typing import Any

from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send

_log = logging.getLogger("tocsin.alerts")


def log_sender(_options: dict[str, Any], _outside: Outside) -> Send:
    """Writes each message as one line: what fires at WARNING, what is over at INFO."""

    def send(message: Message) -> Receipt:
        told = message.payload
        fired = told["event"] == "fired"
        why = f"; {told['causes'][0]['sentence']}" if told["causes"] and fired else ""
        level = logging.WARNING if fired else logging.INFO
        _log.log(level, "%s: %s%s (%s)", told["model"], told["title"], why, told["url"])
        return TAKEN

    return send
