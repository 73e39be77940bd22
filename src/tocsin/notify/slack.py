"""Alerts in a channel of Slack: by a bot, which keeps one message up to date, or by a webhook."""

import json
from typing import Any

from tocsin.errors import DeliveryError
from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send
from tocsin.notify.post import post
from tocsin.notify.told import about, heading, is_well, links, sentences, short

API = "https://slack.com/api"
# What Slack takes of the text of one block and of the text of a message.
_MOST_TEXT = 3_000
_MOST_BLOCKS = 50
_SIGNS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":white_circle:"}
# A token or an invitation can be mended, and then nothing is lost.
_MENDED = {
    *("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"),
    *("missing_scope", "not_in_channel", "channel_not_found", "is_archived", "access_denied"),
    *("restricted_action", "org_login_required", "ekm_access_denied", "no_permission"),
}
_LATER = {
    *("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"),
    *("request_timeout", "team_added_to_org", "accesslimited", "external_channel_migrating"),
}
# The first message cannot be changed any more: what is new is said below it all the same.
_UNCHANGEABLE = {
    *("message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"),
    *("update_failed", "is_inactive"),
}


class _RefusedError(DeliveryError):
    """What Slack calls the fault."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Slack answered {code}", permanent=code not in _MENDED | _LATER)
        self.code = code


def slack_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Posts as the bot of a token in `channel`, or to an incoming webhook."""
    by_bot = options.get("token_env") or options.get("token_file")
    return _bot(options, outside) if by_bot else _hook(options, outside)


def _hook(options: dict[str, Any], outside: Outside) -> Send:
    def send(message: Message) -> Receipt:
        # The address is the secret: it is told nowhere.
        url = outside.needed(options, "webhook_url")
        body = json.dumps(slack_message(message.payload)).encode()
        post(url, body, {"content-type": "application/json"}, outside, spoken="Slack")
        return TAKEN

    return send


def _bot(options: dict[str, Any], outside: Outside) -> Send:
    def call(method: str, document: dict[str, Any]) -> dict[str, Any]:
        url = f"{options.get('api_url') or API}/{method}"
        return _called(url, outside.needed(options, "token"), document, outside)

    def send(message: Message) -> Receipt:
        shown = slack_message(message.payload)
        quiet = {"unfurl_links": False, "unfurl_media": False}
        # What another kind of receiver of this name left is no message of Slack.
        root = message.thread
        if root is None or "ts" not in root:
            posted = call("chat.postMessage", {"channel": options["channel"], **shown, **quiet})
            return Receipt(thread={"channel": posted["channel"], "ts": posted["ts"]})
        at = {"channel": root["channel"]}
        try:
            call("chat.update", {**at, "ts": root["ts"], **shown})
        except _RefusedError as error:
            if error.code not in _UNCHANGEABLE:
                raise
        reply = {"text": shown["text"], "thread_ts": root["ts"], **quiet}
        lines = [f"*{_escaped(heading(message.payload))}*"]
        lines += [_escaped(sentence) for sentence in sentences(message.payload)]
        blocks = [_section("\n".join(lines))]
        call("chat.postMessage", {**at, **reply, "blocks": blocks})
        return TAKEN

    return send


def _called(url: str, token: str, document: dict[str, Any], outside: Outside) -> dict[str, Any]:
    """What the API answers. Raises: DeliveryError, also for faults in an answer of 200."""
    headers = {
        "content-type": "application/json; charset=utf-8",
        "authorization": f"Bearer {token}",
    }
    answer = post(url, json.dumps(document).encode(), headers, outside, spoken="Slack")
    try:
        found: dict[str, Any] = answer.json()
    except ValueError:
        raise _RefusedError("internal_error") from None
    if not found.get("ok"):
        raise _RefusedError(str(found.get("error", "unknown_error")))
    return found


def slack_message(told: dict[str, Any]) -> dict[str, Any]:
    """A notification in Slack's blocks, with the plain text that notifications show."""
    sign = ":white_check_mark:" if is_well(told) else _SIGNS.get(told["severity"], "")
    head = heading(told)
    (_, url), *others = links(told)
    more = "".join(f" · <{address}|{words}>" for words, address in others)
    blocks = [
        # The head is cut before it becomes a link: half a link is none.
        _section(f"{sign} *<{url}|{_escaped(short(head, 1_000))}>*"),
        *(_section(_escaped(sentence)) for sentence in sentences(told)),
    ][: _MOST_BLOCKS - 1]
    context = {"type": "mrkdwn", "text": short(_escaped(about(told)) + more, _MOST_TEXT)}
    blocks.append({"type": "context", "elements": [context]})
    return {"text": short(head, _MOST_TEXT), "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": short(text, _MOST_TEXT)}}


def _escaped(text: str) -> str:
    """Slack reads these three as marks of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
