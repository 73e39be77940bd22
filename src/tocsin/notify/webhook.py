"""Signed JSON by HTTP POST, after the Standard Webhooks headers."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from tocsin.errors import DeliveryError
from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send
from tocsin.notify.post import post
from tocsin.notify.told import short
from tocsin.values import SECOND

MOST_BYTES = 20_000


def webhook_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Posts each message to `url`; signed where it has a secret."""

    def send(message: Message) -> Receipt:
        body = webhook_body(message.payload)
        timestamp = str(message.sent_at // SECOND)
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": timestamp,
        }
        if (secret := outside.secret(options, "secret")) is not None:
            key = _key(secret, options.get("secret_env") or options["secret_file"])
            headers["webhook-signature"] = signature(key, message.id, timestamp, body)
        post(options["url"], body, headers, outside, spoken=options["url"])
        return TAKEN

    return send


def webhook_body(told: dict[str, Any]) -> bytes:
    """A payload as JSON, in as many bytes as receivers can be relied on to take.

    What is longer loses the later half of its alerts, then its causes, then the ends of its texts;
    `left_out` counts the alerts.
    """
    body = _json(told)
    while len(body) > MOST_BYTES and len(told.get("alerts", [])) > 1:
        alerts = told["alerts"]
        kept = len(alerts) // 2
        left_out = told.get("left_out", 0) + len(alerts) - kept
        told = {**told, "alerts": alerts[:kept], "left_out": left_out}
        body = _json(told)
    if len(body) > MOST_BYTES:
        told = {**told, "causes": [], "alerts": []}
        most = MOST_BYTES // 8
        while len(body := _json({k: _cut(v, most) for k, v in told.items()})) > MOST_BYTES:
            most //= 2
    return body


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _cut(value: Any, most: int) -> Any:
    if isinstance(value, dict):
        return {name: _cut(part, most) for name, part in value.items()} if most > 8 else {}
    return short(value, max(most, 1)) if isinstance(value, str) else value


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The `webhook-signature` of a message.

    Source: https://github.com/standard-webhooks/standard-webhooks, "Signature scheme".
    """
    signed = b".".join([message_id.encode(), timestamp.encode(), body])
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(value: str, place: str) -> bytes:
    try:
        return base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise DeliveryError(
            f"the secret in {place} is not base64: {error}", permanent=False
        ) from error
