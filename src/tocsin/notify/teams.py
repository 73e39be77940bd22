"""Alerts in a channel of Microsoft Teams, by the webhook of a workflow."""

import json
from typing import Any

from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send
from tocsin.notify.post import post

# Teams takes 28 kB in all.
_MOST_TEXT = 4_000
_COLOURS = {"critical": "attention", "warning": "warning", "info": "default"}


def teams_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Posts to the workflow whose address is in the variable `webhook_url_env`."""

    def send(message: Message) -> Receipt:
        url = outside.secret(options["webhook_url_env"])
        body = json.dumps(teams_message(message.payload)).encode()
        post(url, body, {"content-type": "application/json"}, outside, spoken="Teams")
        return TAKEN

    return send


def teams_message(told: dict[str, Any]) -> dict[str, Any]:
    """A notification as an Adaptive Card."""
    fired = told["event"] == "fired"
    colour = _COLOURS.get(told["severity"], "default") if fired else "good"
    texts = [told["text"], *(cause["sentence"] for cause in told["causes"][:1])] if fired else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _text(f"{told['model']}: {told['title']}", weight="bolder", color=colour),
            *(_text(text) for text in texts if text),
            _text(f"{told['severity']} · {told['category']} · until {told['window_end']}",
                  isSubtle=True),
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Open the incident", "url": told["url"]}],
    }  # fmt: skip
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _text(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text[:_MOST_TEXT], "wrap": True, **style}
