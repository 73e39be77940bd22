"""Alerts in a channel of Microsoft Teams, by the webhook of a workflow."""

import json
from typing import Any

from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send
from tocsin.notify.post import post
from tocsin.notify.told import about, heading, is_well, links, sentences, short

# Teams takes 28 kB in all.
MOST_BYTES = 28_000
_MOST_TEXT = 4_000
_COLOURS = {"critical": "attention", "warning": "warning", "info": "default"}


def teams_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Posts to the workflow whose address is in `webhook_url_env` or `webhook_url_file`."""

    def send(message: Message) -> Receipt:
        url = outside.needed(options, "webhook_url")
        body = json.dumps(teams_message(message.payload)).encode()
        post(url, body, {"content-type": "application/json"}, outside, spoken="Teams")
        return TAKEN

    return send


def teams_message(told: dict[str, Any]) -> dict[str, Any]:
    """A notification as an Adaptive Card, in as many bytes as Teams takes."""
    # Text of any script, its marks escaped: halved until it fits.
    most = _MOST_TEXT
    while len(json.dumps(made := _card(told, most)).encode()) > MOST_BYTES and most > 1:
        most //= 2
    return made


def _card(told: dict[str, Any], most: int) -> dict[str, Any]:
    colour = "good" if is_well(told) else _COLOURS.get(told["severity"], "default")
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _text(heading(told), most, weight="bolder", color=colour),
            *(_text(text, most) for text in sentences(told)),
            _text(about(told), most, isSubtle=True),
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": words, "url": url} for words, url in links(told)
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _text(text: str, most: int, **style: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": short(text, most), "wrap": True, **style}
