"""What every channel sends passes its provider's documented schema, limits and error codes."""

import json
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tests.notify import providers
from tests.notify.conftest import PAYLOAD, Chat, message

from tocsin.errors import DeliveryError
from tocsin.notify import Message, Receipt, sender
from tocsin.notify import post as posting
from tocsin.notify.webhook import MOST_BYTES, webhook_body

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PROVIDERS: dict[str, Any] = {
    "slack": providers.slack_hook,
    "teams": providers.teams,
    "pagerduty": providers.pagerduty,
}

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
long = st.builds(lambda text, times: text * times, words, st.integers(0, 800))
payloads = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["fired", "resolved", "flapping", "acknowledged"]),
        "severity": st.sampled_from(["critical", "warning", "info"]),
        "title": long,
        "text": long,
        "summary": words,
        "note": words,
        "causes": st.lists(st.fixed_dictionaries({"sentence": long}), max_size=3),
        "alerts": st.lists(st.just({**PAYLOAD}), max_size=40),
    }
)


def options(kind: str, chat: Chat) -> dict[str, Any]:
    if kind == "pagerduty":
        return {"routing_key_env": "KEY", "url": chat.url}
    return {"webhook_url_env": "CHAT"}


def send(kind: str, chat: Chat, told: dict[str, Any]) -> Receipt:
    outside = chat.outside(KEY="R0UT1NG")
    return sender(kind, options(kind, chat), outside)(message(**told))


@pytest.mark.parametrize("kind", PROVIDERS)
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=payloads)
def test_whatever_is_told_is_taken(chat: Chat, kind: str, told: dict[str, Any]) -> None:
    chat.provider = PROVIDERS[kind]
    send(kind, chat, told)


def test_the_providers_of_these_tests_refuse_what_the_real_ones_do() -> None:
    good = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}
    assert providers.blocks_fault([good]) is None
    assert providers.blocks_fault([good] * 51) == "invalid_blocks"
    assert providers.slack_hook("", {}, {"blocks": [good]})[0] == 400
    assert providers.teams("", {}, {"type": "message", "attachments": []})[0] == 400
    assert providers.teams("", {}, {"x": "x" * 28_000})[0] == 413
    assert providers.pagerduty("", {}, {"event_action": "trigger", "routing_key": "x"})[0] == 400


@pytest.mark.parametrize("kind", PROVIDERS)
def test_what_is_only_remarked_wakes_nobody(chat: Chat, kind: str) -> None:
    send(kind, chat, {"event": "revised"})
    assert len(chat.told) == (0 if kind == "pagerduty" else 1)


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_receiver_that_drips_is_left_before_the_lease_ends(
    chat: Chat, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def drip() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                try:
                    for _ in range(200):
                        if ended.wait(0.05):
                            return
                        peer.sendall(b"x")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        slow = replace(chat, url=url)
        begun = time.monotonic()
        # Its head has come: it took the message, whatever it goes on to say.
        send(kind, slow, {})
        took = time.monotonic() - begun
        ended.set()
        thread.join()
    assert took < 5


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_receiver_that_never_answers_may_have_taken_it(
    chat: Chat, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        silent = replace(chat, url=f"http://127.0.0.1:{listening.getsockname()[1]}/")
        with pytest.raises(DeliveryError, match="ReadTimeout") as refused:
            send(kind, silent, {})
    assert (refused.value.permanent, refused.value.maybe_taken) == (False, True)
    away = replace(chat, url="http://127.0.0.1:1/")
    with pytest.raises(DeliveryError) as refused:
        send(kind, away, {})
    assert not refused.value.maybe_taken


# Slack by a bot.

BOT = {"token_env": "BOT", "channel": "C0123", "webhook_url_env": None}


def bot(chat: Chat, told: Message) -> Receipt:
    options = {**BOT, "api_url": chat.url}
    return sender("slack", options, chat.outside(BOT="xoxb-word"))(told)


def test_a_bot_keeps_one_message_up_to_date_and_answers_below_it(chat: Chat) -> None:
    chat.provider = api = providers.SlackApi("xoxb-word", "C0123")
    receipt = bot(chat, message())
    assert receipt.thread is not None
    root = receipt.thread["ts"]
    assert ":red_circle:" in json.dumps(api.messages[root])
    over = message(event="resolved", title="AucLow resolved")
    assert bot(chat, replace(over, thread=receipt.thread)).thread is None
    assert ":white_check_mark:" in json.dumps(api.messages[root])
    (reply,) = (m for m in api.messages.values() if m.get("thread_ts") == root)
    assert "AucLow resolved" in reply["text"]
    assert [path.rpartition("/")[2] for path in chat.paths] == [
        "chat.postMessage",
        "chat.update",
        "chat.postMessage",
    ]


def test_a_bot_does_not_say_that_all_is_well_while_others_of_a_group_fire(chat: Chat) -> None:
    chat.provider = api = providers.SlackApi("xoxb-word", "C0123")
    thread = bot(chat, message()).thread
    assert thread is not None
    over = message(event="resolved", title="AucLow resolved", still_firing=2)
    bot(chat, replace(over, thread=thread))
    shown = json.dumps(api.messages[thread["ts"]])
    assert ":white_check_mark:" not in shown
    assert "2 more alerts still fire" in shown


def test_what_cannot_be_changed_any_more_is_answered_all_the_same(chat: Chat) -> None:
    chat.provider = api = providers.SlackApi("xoxb-word", "C0123")
    receipt = bot(chat, message())
    chat.answers.append((200, {}, b'{"ok": false, "error": "edit_window_closed"}'))
    bot(chat, replace(message(event="resolved"), thread=receipt.thread))
    assert len(api.messages) == 2


@pytest.mark.parametrize(
    ("fault", "permanent"),
    [
        *(("invalid_auth", False), ("channel_not_found", False), ("ratelimited", False)),
        *(("internal_error", False), ("invalid_blocks", True), ("msg_too_long", True)),
    ],
)
def test_faults_of_slack_say_whether_they_can_be_mended(
    chat: Chat, fault: str, permanent: bool
) -> None:
    chat.provider = api = providers.SlackApi("xoxb-word", "C0123")
    api.fault = fault
    with pytest.raises(DeliveryError, match=f"Slack answered {fault}") as refused:
        bot(chat, message())
    assert refused.value.permanent is permanent
    assert "xoxb" not in str(refused.value)


def test_a_bot_that_is_told_to_wait_waits(chat: Chat) -> None:
    chat.answers.append((429, {"retry-after": "30"}, b"{}"))
    with pytest.raises(DeliveryError) as refused:
        bot(chat, message())
    assert refused.value.retry_after_s == 30


# Webhooks.


@given(payloads)
def test_a_webhook_is_never_larger_than_it_may_be_and_stays_json(told: dict[str, Any]) -> None:
    body = webhook_body({**PAYLOAD, **told})
    assert len(body) <= MOST_BYTES
    found = json.loads(body)
    assert found["episode"] == PAYLOAD["episode"]
    if found["alerts"]:
        assert len(found["alerts"]) + found.get("left_out", 0) == len(told["alerts"])


def test_a_signature_is_believed_by_the_verifier_of_the_standard(chat: Chat) -> None:
    seen: dict[str, str] = {}

    def keep(_path: str, headers: Any, _document: Any) -> providers.Answer:
        seen.update({name.lower(): value for name, value in headers.items()})
        return 200, {}, b""

    chat.provider = keep
    now = int(time.time() * 1e6)
    signed = replace(message(title="Grüße"), sent_at=now)
    outside = chat.outside(HOOK=SECRET)
    sender("webhook", {"url": chat.url, "secret_env": "HOOK"}, outside)(signed)
    verifier = Webhook(SECRET)
    assert verifier.verify(chat.bodies[-1], seen)["title"] == "Grüße"
    with pytest.raises(WebhookVerificationError):
        verifier.verify(chat.bodies[-1] + b" ", seen)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(chat.bodies[-1], {**seen, "webhook-id": "other"})


# Apprise.


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_apprise_passes_it_on_to_what_it_knows(chat: Chat) -> None:
    address = chat.url.replace("http://", "json://")
    apprise = sender("apprise", {"urls_env": "URLS"}, chat.outside(URLS=f" {address}\n"))
    apprise(message())
    assert "AucLow fired" in chat.told[-1]["title"]
    assert "ROC AUC 0.61 (0.58 to 0.64)" in chat.told[-1]["message"]
    assert chat.told[-1]["type"] == "failure"
    chat.answers.append((500, {}, b""))
    with pytest.raises(DeliveryError, match="not all services") as refused:
        apprise(message())
    assert refused.value.maybe_taken
    unknown = sender("apprise", {"urls_env": "URLS"}, chat.outside(URLS="nosuch://secret"))
    with pytest.raises(DeliveryError, match="an address in URLS") as refused:
        unknown(message())
    assert "secret" not in str(refused.value)
