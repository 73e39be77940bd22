"""What MLflow's webhooks say, if signed, fresh and new; the registry stays the truth."""

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from tocsin.errors import InvalidInputError, MalformedBodyError, NotAllowedError, SignatureError
from tocsin.records import Records, aliases
from tocsin.records.aliases import Delivery
from tocsin.service.clock import Clock
from tocsin.values import DAY, MINUTE, SECOND, from_datetime

_VERSION = "v1"
# Later or earlier ones may be replayed, or come from a clock that nobody set.
_WINDOW = 5 * MINUTE
_KEPT = 7 * DAY
_MOST_ID = 200


class MlflowWebhook:
    """Takes deliveries; what they say of an alias is kept, to tell when it moved."""

    def __init__(self, records: Records, clock: Clock, secret: bytes | None) -> None:
        self._records = records
        self._clock = clock
        self._secret = secret

    def take(self, body: bytes, *, delivery_id: str, timestamp: str, signature: str) -> bool:
        """Keep what a delivery says; False when it was delivered before.

        Raises: NotAllowedError without a secret; SignatureError for a wrong signature or one that
        is too old; MalformedBodyError.
        """
        if self._secret is None:
            raise NotAllowedError(
                "webhooks of MLflow are not taken, as no secret is set; set "
                "TOCSIN_MLFLOW_WEBHOOK_SECRET to the webhook's secret and start Tocsin again"
            )
        now = self._clock()
        # First of all: who cannot sign learns nothing else.
        _check_signature(self._secret, f"{delivery_id}.{timestamp}.".encode() + body, signature)
        sent = _seconds(timestamp)
        if not delivery_id or len(delivery_id) > _MOST_ID or abs(now - sent) > _WINDOW:
            raise SignatureError(
                f"the delivery of {timestamp!r} is more than 5 minutes from the clock of here, or "
                "has no id; are the clocks set?"
            )
        delivery = _delivery(body, delivery_id, sent=sent, now=now)
        with self._records.write() as connection:
            aliases.forget_deliveries(connection, before=now - _KEPT)
            return aliases.add_delivery(connection, delivery)


def signature_of(secret: bytes, signed: bytes) -> str:
    """How MLflow signs `{delivery id}.{timestamp}.{body}`."""
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return f"{_VERSION},{base64.b64encode(digest).decode()}"


def _check_signature(secret: bytes, signed: bytes, given: str) -> None:
    wanted = signature_of(secret, signed).encode()
    # Several stand beside each other while a secret is changed.
    if not any(hmac.compare_digest(wanted, part.encode()) for part in given.split()):
        raise SignatureError(
            "the signature in X-MLflow-Signature is missing or wrong; the webhook in MLflow needs "
            "the secret that TOCSIN_MLFLOW_WEBHOOK_SECRET has"
        )


def _seconds(timestamp: str) -> int:
    if not timestamp.isdecimal() or len(timestamp) > 12:
        raise SignatureError(f"X-MLflow-Timestamp {timestamp!r} is no number of seconds")
    return int(timestamp) * SECOND


def _delivery(body: bytes, delivery_id: str, *, sent: int, now: int) -> Delivery:
    try:
        document = json.loads(body)
        data: dict[str, Any] = document["data"]
        registered = str(data["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedBodyError("this is no event of a registered model") from error
    alias = version = None
    if document.get("entity") == "model_version_alias" and data.get("alias"):
        alias = str(data["alias"])
        if document.get("action") != "deleted":
            version = str(data.get("version"))
    return Delivery(
        id=delivery_id,
        received_at=now,
        sent_at=_sent(document.get("timestamp"), sent),
        registered=registered,
        alias=alias,
        version=version,
    )


def _sent(text: object, otherwise: int) -> int:
    """The time in the body, which is finer than that of the header."""
    try:
        found = from_datetime(datetime.fromisoformat(str(text)))
    except (ValueError, InvalidInputError):
        return otherwise
    return found if abs(found - otherwise) <= _WINDOW else otherwise
