"""Webhooks of MLflow: who cannot sign, or is late, is not heard."""

import json

import pytest

from tocsin.app import App
from tocsin.errors import MalformedBodyError, NotAllowedError, SignatureError
from tocsin.records import aliases
from tocsin.service.mlflow_webhook import MlflowWebhook, signature_of
from tocsin.values import SECOND

SECRET = b"a secret"
NOON = 1_700_000_000
BODY = json.dumps(
    {
        "entity": "model_version_alias",
        "action": "created",
        "timestamp": "2023-11-14T22:13:18.500000+00:00",
        "data": {"name": "flights", "alias": "champion", "version": "2"},
    }
).encode()


@pytest.fixture
def webhook(app: App) -> MlflowWebhook:
    return MlflowWebhook(app.records, lambda: NOON * SECOND, SECRET)


def take(
    webhook: MlflowWebhook,
    body: bytes = BODY,
    *,
    secret: bytes = SECRET,
    at: object = NOON,
    id_: str = "d1",
    signed: bytes | None = None,
) -> bool:
    signature = signature_of(secret, f"{id_}.{at}.".encode() + (body if signed is None else signed))
    return webhook.take(body, delivery_id=id_, timestamp=str(at), signature=signature)


def test_a_signed_delivery_is_kept_once(app: App, webhook: MlflowWebhook) -> None:
    assert take(webhook)
    assert not take(webhook)
    with app.records.read() as connection:
        (kept,) = aliases.deliveries(connection, "flights", since=0)
    assert (kept.alias, kept.version) == ("champion", "2")
    assert kept.sent_at == NOON * SECOND - 1_500_000


def test_the_signature_is_the_one_that_mlflow_makes() -> None:
    from mlflow.webhooks.delivery import _generate_hmac_signature

    made = _generate_hmac_signature(SECRET.decode(), "d1", str(NOON), BODY.decode())
    assert signature_of(SECRET, f"d1.{NOON}.".encode() + BODY) == made


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": b"another"},
        {"signed": BODY + b" "},
        {"at": NOON - 301},
        {"at": NOON + 301},
        {"at": "yesterday"},
        {"id_": ""},
    ],
)
def test_what_is_not_signed_so_or_is_stale_is_refused(
    app: App, webhook: MlflowWebhook, wrong: dict[str, object]
) -> None:
    with pytest.raises(SignatureError):
        take(webhook, **wrong)  # type: ignore[arg-type]
    with app.records.read() as connection:
        assert aliases.deliveries(connection, "flights", since=0) == []


def test_without_a_secret_nothing_is_taken(app: App) -> None:
    with pytest.raises(NotAllowedError, match="TOCSIN_MLFLOW_WEBHOOK_SECRET"):
        take(MlflowWebhook(app.records, lambda: NOON * SECOND, None))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": {}}', b"\xff"])
def test_what_is_no_event_of_a_model_is_told(webhook: MlflowWebhook, body: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        take(webhook, body)


def test_one_of_several_signatures_is_enough_while_a_secret_changes(webhook: MlflowWebhook) -> None:
    good = signature_of(SECRET, f"d1.{NOON}.".encode() + BODY)
    assert webhook.take(BODY, delivery_id="d1", timestamp=str(NOON), signature=f"v1,old {good}")
