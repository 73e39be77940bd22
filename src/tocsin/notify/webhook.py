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
from tocsin.values import SECOND


def webhook_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Posts each message to `url`; signed when `secret_env` names a variable with the secret."""

    def send(message: Message) -> Receipt:
        body = json.dumps(message.payload, separators=(",", ":"), sort_keys=True).encode()
        timestamp = str(message.sent_at // SECOND)
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": timestamp,
        }
        if options.get("secret_env"):
            key = _key(options["secret_env"], outside)
            headers["webhook-signature"] = signature(key, message.id, timestamp, body)
        post(options["url"], body, headers, outside, spoken=options["url"])
        return TAKEN

    return send


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The `webhook-signature` of a message.

    Source: https://github.com/standard-webhooks/standard-webhooks, "Signature scheme".
    """
    signed = b".".join([message_id.encode(), timestamp.encode(), body])
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(variable: str, outside: Outside) -> bytes:
    value = outside.secret(variable)
    try:
        return base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise DeliveryError(
            f"the secret in {variable} is not base64: {error}", permanent=False
        ) from error
