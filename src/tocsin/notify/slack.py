"""Alerts in a channel of Slack, by an incoming webhook."""

import json
from typing import Any

from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send
from tocsin.notify.post import post

# What Slack takes of the text of one block.
_MOST_TEXT = 3_000
_SIGNS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":white_circle:"}


def slack_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Posts to the incoming webhook whose address is in the variable `webhook_url_env`."""

    def send(message: Message) -> Receipt:
        # The address is the secret: it is told nowhere.
        url = outside.secret(options["webhook_url_env"])
        body = json.dumps(slack_message(message.payload)).encode()
        post(url, body, {"content-type": "application/json"}, outside, spoken="Slack")
        return TAKEN

    return send


def slack_message(told: dict[str, Any]) -> dict[str, Any]:
    """A notification in Slack's blocks, with the plain text that notifications show."""
    fired = told["event"] == "fired"
    sign = _SIGNS.get(told["severity"], "") if fired else ":white_check_mark:"
    head = f"{told['model']}: {told['title']}"
    about = f"{told['severity']} · {told['category']} · window until {told['window_end']}"
    blocks = [
        _section(f"{sign} *<{told['url']}|{_escaped(head)}>*"),
        *(_section(_escaped(told["text"])) for _ in [0] if fired and told["text"]),
        *(_section("Why? " + _escaped(cause["sentence"])) for cause in told["causes"][:1] if fired),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": _escaped(about)[:_MOST_TEXT]}]},
    ]
    return {"text": head[:_MOST_TEXT], "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_MOST_TEXT]}}


def _escaped(text: str) -> str:
    """Slack reads these three as marks of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
