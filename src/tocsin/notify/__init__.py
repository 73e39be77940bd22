"""Channels: each one small module whose function sends a message and returns a receipt."""

from collections.abc import Callable
from typing import Any

from tocsin.notify.alertmanager import alertmanager_sender
from tocsin.notify.apprise import apprise_sender
from tocsin.notify.email import email_sender
from tocsin.notify.guard import Network, Reach, target
from tocsin.notify.log import log_sender
from tocsin.notify.message import Message, Outside, Receipt, Secrets, Send
from tocsin.notify.pagerduty import pagerduty_sender
from tocsin.notify.slack import slack_sender
from tocsin.notify.teams import teams_sender
from tocsin.notify.webhook import webhook_sender

__all__ = [
    "Message",
    "Network",
    "Outside",
    "Reach",
    "Receipt",
    "Secrets",
    "Send",
    "sender",
    "target",
]

_SENDERS: dict[str, Callable[[dict[str, Any], Outside], Send]] = {
    "alertmanager": alertmanager_sender,
    "apprise": apprise_sender,
    "email": email_sender,
    "log": log_sender,
    "pagerduty": pagerduty_sender,
    "slack": slack_sender,
    "teams": teams_sender,
    "webhook": webhook_sender,
}


def sender(kind: str, options: dict[str, Any], outside: Outside) -> Send:
    """The function that sends by a channel. Raises DeliveryError when it is called."""
    return _SENDERS[kind](options, outside)
