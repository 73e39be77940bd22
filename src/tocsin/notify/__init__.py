"""Channels: each one small module with a function that sends a message or raises DeliveryError."""

from collections.abc import Callable
from typing import Any

from tocsin.notify.log import log_sender
from tocsin.notify.message import Message, Secrets
from tocsin.notify.webhook import webhook_sender

__all__ = ["Message", "Secrets", "sender"]

_SENDERS: dict[str, Callable[[dict[str, Any], Secrets], Callable[[Message], None]]] = {
    "log": log_sender,
    "webhook": webhook_sender,
}


def sender(kind: str, options: dict[str, Any], secrets: Secrets) -> Callable[[Message], None]:
    """The function that sends by a channel. Raises DeliveryError when it is called."""
    return _SENDERS[kind](options, secrets)
