"""Signed JSON by HTTP POST, after the Standard Webhooks headers."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx2

from tocsin.errors import DeliveryError
from tocsin.notify.message import Message, Secrets
from tocsin.values import SECOND

TIMEOUT_S = 15.0
_WORTH_REPEATING = {408, 425, 429}
# A receiver may ask to be left alone, but not for good.
_LONGEST_WAIT_S = 3600.0


def webhook_sender(options: dict[str, Any], secrets: Secrets) -> Callable[[Message], None]:
    """Posts each message to `url`; signed when `secret_env` names a variable with the secret."""

    def send(message: Message) -> None:
        body = json.dumps(message.payload, separators=(",", ":"), sort_keys=True).encode()
        timestamp = str(message.sent_at // SECOND)
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": timestamp,
        }
        if options.get("secret_env"):
            secret = _secret(options["secret_env"], secrets)
            headers["webhook-signature"] = signature(secret, message.id, timestamp, body)
        try:
            answer = httpx2.post(
                options["url"],
                content=body,
                headers=headers,
                timeout=TIMEOUT_S,
                follow_redirects=False,
            )
        except httpx2.InvalidURL as error:
            raise DeliveryError(
                f"{options['url']} is no address: {error}", permanent=True
            ) from error
        except httpx2.HTTPError as error:
            reason = f"{options['url']} could not be reached: {error}"
            raise DeliveryError(reason, permanent=False) from error
        if not answer.is_success:
            raise _refused(options["url"], answer)

    return send


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The `webhook-signature` of a message.

    Source: https://github.com/standard-webhooks/standard-webhooks, "Signature scheme".
    """
    signed = b".".join([message_id.encode(), timestamp.encode(), body])
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _secret(variable: str, secrets: Secrets) -> bytes:
    value = secrets(variable)
    if not value:
        raise DeliveryError(f"the variable {variable} holds no secret", permanent=False)
    try:
        return base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise DeliveryError(
            f"the secret in {variable} is not base64: {error}", permanent=False
        ) from error


def _refused(url: str, answer: httpx2.Response) -> DeliveryError:
    status = answer.status_code
    permanent = 300 <= status < 500 and status not in _WORTH_REPEATING
    after = answer.headers.get("retry-after", "")
    return DeliveryError(
        f"{url} answered {status}",
        permanent=permanent,
        retry_after_s=min(float(after), _LONGEST_WAIT_S) if after.isdecimal() else None,
    )
