"""What providers say of a body, by their documentation: taken, or refused with their own words."""

import json
from collections.abc import Mapping
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
_SEVERITIES = {"critical", "error", "warning", "info"}


def refused(status: int, words: str) -> Answer:
    return status, {}, words.encode()


def pagerduty(_path: str, headers: Mapping[str, str], event: Any) -> Answer:
    """Events API v2: 202, or 400 with what is wrong."""
    wrong = []
    known = {
        *("routing_key", "event_action", "dedup_key", "payload"),
        *("images", "links", "client", "client_url"),
    }
    if set(event) - known:
        wrong.append(f"unknown {set(event) - known}")
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        wrong.append("event_action")
    if not event.get("routing_key") or len(event.get("dedup_key", "")) > 255:
        wrong.append("keys")
    payload = event.get("payload") or {}
    if not 0 < len(payload.get("summary", "")) <= 1_024:
        wrong.append("summary")
    if not payload.get("source") or payload.get("severity") not in _SEVERITIES:
        wrong.append("source or severity")
    if any(set(link) - {"href", "text"} or not link["href"] for link in event.get("links", ())):
        wrong.append("links")
    if len(json.dumps(event)) > 512 * 1_024:
        return refused(413, "event is too large")
    if wrong or "application/json" not in headers.get("content-type", ""):
        return refused(400, json.dumps({"status": "invalid event", "errors": wrong}))
    done = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
    return 202, {}, json.dumps(done).encode()


def teams(_path: str, _headers: Mapping[str, str], message: Any) -> Answer:
    """A Workflows webhook: 202, 400 for what is no card, 413 beyond 28 kB."""
    if len(json.dumps(message).encode()) > 28_000:
        return refused(413, "Request Entity Too Large")
    try:
        (attachment,) = message["attachments"]
        card = attachment["content"]
        right = (
            message["type"] == "message"
            and attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
            and card["type"] == "AdaptiveCard"
            and all(block["type"] == "TextBlock" and block["text"] for block in card["body"])
            and all(a["type"] == "Action.OpenUrl" and a["url"] for a in card.get("actions", ()))
        )
    except (KeyError, TypeError, ValueError):
        right = False
    return (202, {}, b"") if right else refused(400, "Bad payload received by generic webhook")


def blocks_fault(blocks: Any) -> str | None:
    """What Slack finds wrong with blocks."""
    if not isinstance(blocks, list) or not 0 < len(blocks) <= 50:
        return "invalid_blocks"
    for block in blocks:
        texts = [block["text"]] if block["type"] == "section" else block.get("elements", [])
        if block["type"] not in ("section", "context") or not texts:
            return "invalid_blocks"
        if any(t["type"] != "mrkdwn" or not 0 < len(t["text"]) <= 3_000 for t in texts):
            return "invalid_blocks"
    return None


def slack_hook(_path: str, _headers: Mapping[str, str], message: Any) -> Answer:
    """An incoming webhook: `ok`, or 400 with a word."""
    fault = blocks_fault(message.get("blocks")) or ("" if message.get("text") else "no_text")
    return refused(400, fault) if fault else (200, {}, b"ok")


class SlackApi:
    """chat.postMessage and chat.update on channels of its own."""

    def __init__(self, token: str, channel: str) -> None:
        self.token = token
        self.channel = channel
        self.messages: dict[str, dict[str, Any]] = {}
        self.fault: str | None = None

    def __call__(self, path: str, headers: Mapping[str, str], document: Any) -> Answer:
        fault = self._fault(path, {k.lower(): v for k, v in headers.items()}, document)
        if fault is not None:
            return 200, {}, json.dumps({"ok": False, "error": fault}).encode()
        ts = document.get("ts") or f"17{len(self.messages):08}.000100"
        self.messages[ts] = document
        done = {"ok": True, "channel": self.channel, "ts": ts}
        return 200, {}, json.dumps(done).encode()

    def _fault(self, path: str, headers: Mapping[str, str], document: Any) -> str | None:
        if headers.get("authorization") != f"Bearer {self.token}":
            return "invalid_auth"
        if not headers.get("content-type", "").startswith("application/json; charset=utf-8"):
            return "invalid_post_type"
        if self.fault is not None:
            return self.fault
        if document.get("channel") != self.channel:
            return "channel_not_found"
        if not document.get("text"):
            return "no_text"
        if len(document["text"]) > 40_000:
            return "msg_too_long"
        method = path.rpartition("/")[2]
        if method == "chat.update" and document.get("ts") not in self.messages:
            return "message_not_found"
        if method == "chat.postMessage" and document.get("thread_ts", "") not in (
            {"", *self.messages}
        ):
            return "thread_not_found"
        if method not in ("chat.update", "chat.postMessage"):
            return "unknown_method"
        return blocks_fault(document.get("blocks"))
