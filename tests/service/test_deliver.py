"""The outbox: retried until delivered or dead, one order key in order, one worker at a time."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.service.conftest import LOOPBACK, PAYLOAD, Clock, Hook

from tocsin.app import App
from tocsin.notify import Outside
from tocsin.records import outbox
from tocsin.records.outbox import DeliveryState, Ended, Receiver
from tocsin.service.deliver import LEASE, Deliver
from tocsin.values import HOUR, MINUTE, SECOND


def _deliver(
    app: App, clock: Clock, secret: Callable[[str], str | None] = lambda _: None
) -> Deliver:
    return Deliver(app.records, clock, Outside(LOOPBACK, secrets=secret), jitter=lambda: 1.0)


def _put(app: App, clock: Clock, message_id: str, order_key: str = "k") -> None:
    with app.records.write() as connection:
        outbox.put(
            connection,
            receiver="hook",
            order_key=order_key,
            message_id=message_id,
            payload=PAYLOAD,
            now=clock.now,
        )


def _receiver(app: App, url: str, **options: Any) -> None:
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("hook", "webhook", {"url": url, **options}))


def test_a_message_arrives_with_its_id_and_payload(app: App, hook: Hook) -> None:
    clock = Clock()
    _receiver(app, hook.url)
    _put(app, clock, "e1.fired")

    assert _deliver(app, clock).deliver()
    headers, body = hook.requests[0]
    assert headers["webhook-id"] == "e1.fired"
    assert json.loads(body) == PAYLOAD


def test_a_signed_message_verifies_with_the_secret(app: App, hook: Hook) -> None:
    import base64
    import hashlib
    import hmac

    clock = Clock()
    _receiver(app, hook.url, secret_env="HOOK_SECRET")
    _put(app, clock, "e1.fired")
    key = base64.b64encode(b"a secret of enough bytes").decode()

    _deliver(app, clock, {"HOOK_SECRET": f"whsec_{key}"}.get).deliver()

    headers, body = hook.requests[0]
    signed = f"e1.fired.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(b"a secret of enough bytes", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_a_missing_secret_is_not_sent_unsigned(app: App, hook: Hook) -> None:
    clock = Clock()
    _receiver(app, hook.url, secret_env="HOOK_SECRET")
    _put(app, clock, "e1.fired")
    _deliver(app, clock).deliver()

    assert hook.requests == []
    assert app.read.status().outbox == {"pending": 1}


def test_a_failing_receiver_is_tried_again_later_with_the_same_id(app: App, hook: Hook) -> None:
    clock = Clock()
    hook.statuses = [503, 500]
    _receiver(app, hook.url)
    _put(app, clock, "e1.fired")
    deliver = _deliver(app, clock)

    assert deliver.deliver()
    assert not deliver.deliver()
    clock.now += 2 * SECOND
    assert deliver.deliver()
    clock.now += 2 * SECOND
    assert not deliver.deliver()
    clock.now += 2 * SECOND
    assert deliver.deliver()

    assert [headers["webhook-id"] for headers, _ in hook.requests] == ["e1.fired"] * 3
    assert app.read.status().outbox == {"delivered": 1}


@pytest.mark.parametrize("status", [400, 404, 410, 302])
def test_a_refusal_that_no_repeat_can_mend_is_dead(app: App, hook: Hook, status: int) -> None:
    clock = Clock()
    hook.statuses = [status]
    _receiver(app, hook.url)
    _put(app, clock, "e1.fired")
    _deliver(app, clock).deliver()

    assert app.read.status().outbox == {"dead": 1}


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502])
def test_a_refusal_that_may_pass_is_not_dead(app: App, hook: Hook, status: int) -> None:
    clock = Clock()
    hook.statuses = [status]
    _receiver(app, hook.url)
    _put(app, clock, "e1.fired")
    _deliver(app, clock).deliver()

    assert app.read.status().outbox == {"pending": 1}


def test_an_unreachable_receiver_is_tried_for_three_days_and_then_dead(app: App) -> None:
    clock = Clock()
    _receiver(app, "http://127.0.0.1:1/nobody")
    _put(app, clock, "e1.fired")
    deliver = _deliver(app, clock)
    for _ in range(24):
        deliver.deliver()
        clock.now += 3 * HOUR
    assert app.read.status().outbox == {"pending": 1}
    deliver.deliver()
    clock.now += 3 * HOUR
    deliver.deliver()

    assert app.read.status().outbox == {"dead": 1}


def test_a_resolve_never_overtakes_its_trigger(app: App, hook: Hook) -> None:
    clock = Clock()
    hook.statuses = [503]
    _receiver(app, hook.url)
    _put(app, clock, "e1.fired", "hook/e1")
    _put(app, clock, "e1.resolved", "hook/e1")
    _put(app, clock, "e2.fired", "hook/e2")
    deliver = _deliver(app, clock)

    while deliver.deliver():
        pass
    clock.now += MINUTE
    while deliver.deliver():
        pass

    order = [headers["webhook-id"] for headers, _ in hook.requests]
    assert order == ["e1.fired", "e2.fired", "e1.fired", "e1.resolved"]


def test_a_lease_that_ended_goes_to_another_worker_and_the_first_cannot_finish(app: App) -> None:
    clock = Clock()
    _put(app, clock, "e1.fired")
    with app.records.write() as connection:
        first = outbox.claim(connection, now=clock.now, lease=LEASE)
        assert outbox.claim(connection, now=clock.now, lease=LEASE) is None
        second = outbox.claim(connection, now=clock.now + LEASE, lease=LEASE)
        assert first is not None
        assert second is not None
        assert second.id == first.id
        assert not outbox.finish(connection, first, Ended(DeliveryState.DELIVERED), now=clock.now)
        assert outbox.finish(connection, second, Ended(DeliveryState.DELIVERED), now=clock.now)
