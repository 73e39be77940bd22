"""What each chat and pager is sent, and what becomes of their answers."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.notify.conftest import PAYLOAD, Chat, message

from tocsin.errors import DeliveryError
from tocsin.notify import Message, Outside, Receipt, sender
from tocsin.notify.told import recovery

OPTIONS: dict[str, dict[str, Any]] = {
    "slack": {"webhook_url_env": "CHAT"},
    "teams": {"webhook_url_env": "CHAT"},
    "pagerduty": {"routing_key_env": "KEY", "url": None},
}


def send(kind: str, chat: Chat, **changes: Any) -> Any:
    options = dict(OPTIONS[kind])
    if kind == "pagerduty":
        options["url"] = chat.url
    sender(kind, options, chat.outside(KEY="R0UT1NG"))(message(**changes))
    return chat.told[-1]


def test_slack_gets_blocks_with_a_link_and_a_plain_text(chat: Chat) -> None:
    told = send("slack", chat)
    assert told["text"] == "flight-delay: AucLow fired: roc_auc 0.61 (< 0.7: breach, n = 960)"
    head, text, number, since, why, about = told["blocks"]
    assert "<http://tocsin.test/incidents/7|flight-delay: AucLow" in head["text"]["text"]
    # What Slack would read as marks of its own is escaped.
    assert text["text"]["text"] == "roc_auc 0.61 &lt;b&gt; &amp; more"
    assert why["text"]["text"] == "Why? `distance` has moved"
    assert number["text"]["text"] == "ROC AUC 0.61 (0.58 to 0.64) over 24h, n = 960"
    assert since["text"]["text"] == "Since 2013-07-14 10:00Z, version 3"
    assert about["elements"][0]["text"].startswith("critical · performance")
    assert "<https://example.com/runbook|Runbook>" in about["elements"][0]["text"]


def test_slack_takes_no_text_longer_than_it_can(chat: Chat) -> None:
    told = send("slack", chat, text="x" * 5_000)
    assert max(len(b["text"]["text"]) for b in told["blocks"] if "text" in b) == 3_000


def test_teams_gets_an_adaptive_card_within_its_limit(chat: Chat) -> None:
    told = send("teams", chat, text="x" * 50_000)
    (attachment,) = told["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["color"] == "attention"
    assert card["actions"][0]["url"] == "http://tocsin.test/incidents/7"
    assert len(str(told)) < 28_000


def test_pagerduty_gets_one_key_for_what_fires_and_what_is_over(chat: Chat) -> None:
    fired = send("pagerduty", chat)
    over = send("pagerduty", chat, event="resolved")
    assert (fired["event_action"], over["event_action"]) == ("trigger", "resolve")
    assert fired["dedup_key"] == over["dedup_key"] == "01a2"
    assert fired["routing_key"] == over["routing_key"] == "R0UT1NG"
    assert fired["payload"]["severity"] == "critical"
    assert fired["payload"]["custom_details"]["causes"] == ["`distance` has moved"]


def test_pagerduty_hears_the_end_under_the_key_of_the_beginning(chat: Chat) -> None:
    def told(variable: str, message: Message, **secrets: str) -> Receipt:
        options = {"routing_key_env": variable, "url": chat.url}
        return sender("pagerduty", options, chat.outside(**secrets))(message)

    thread = told("OLD", message(), OLD="R1", NEW="R2").thread
    over = replace(message(event="resolved"), thread=thread)
    told("NEW", over, OLD="R1", NEW="R2")
    # The old key is there no more: better under the new one than never.
    told("NEW", over, NEW="R2")
    keys = [json.loads(body)["routing_key"] for body in chat.bodies]
    assert keys == ["R1", "R1", "R2"]


def test_pagerduty_takes_no_summary_longer_than_it_can(chat: Chat) -> None:
    assert len(send("pagerduty", chat, title="x" * 3_000)["payload"]["summary"]) == 1_024


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize(
    ("status", "permanent", "wait"),
    [
        (400, True, None),
        (404, True, None),
        (302, True, None),
        (429, False, 7.0),
        (503, False, None),
    ],
)
def test_answers_say_whether_it_is_worth_repeating(
    chat: Chat, kind: str, status: int, permanent: bool, wait: float | None
) -> None:
    headers = {"retry-after": "7"} if wait else {}
    headers |= {"location": "http://127.0.0.1/elsewhere"} if status == 302 else {}
    chat.answers.append((status, headers, b"no_service"))
    with pytest.raises(DeliveryError, match=f"answered {status}: no_service") as refused:
        send(kind, chat)
    assert (refused.value.permanent, refused.value.retry_after_s) == (permanent, wait)
    # Redirects are not followed.
    assert len(chat.told) == 1


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_an_address_that_is_a_secret_is_told_to_nobody(chat: Chat, kind: str) -> None:
    chat.answers.append((500, {}, b""))
    with pytest.raises(DeliveryError) as refused:
        send(kind, chat)
    assert "secret-part" not in str(refused.value)
    away = replace(chat.outside(), secrets={"CHAT": "http://127.0.0.1:1/hook/secret-part"}.get)
    with pytest.raises(DeliveryError) as refused:
        sender(kind, OPTIONS[kind], away)(message())
    assert "secret-part" not in str(refused.value)
    assert not refused.value.permanent


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_secret_that_is_not_there_is_named_and_waited_for(chat: Chat, kind: str) -> None:
    options = {**OPTIONS[kind], "url": chat.url}
    with pytest.raises(DeliveryError, match="holds no secret") as refused:
        sender(kind, options, Outside())(message())
    assert not refused.value.permanent


def test_the_server_itself_is_not_called_unless_its_network_is_allowed(chat: Chat) -> None:
    with pytest.raises(DeliveryError, match="not on the open internet"):
        sender("slack", OPTIONS["slack"], Outside(secrets={"CHAT": chat.url}.get))(message())
    assert chat.told == []


def test_a_name_is_called_at_its_checked_address_and_told_its_name(chat: Chat) -> None:
    port = chat.url.split(":")[2].split("/")[0]
    named = replace(
        chat.outside(),
        secrets={"CHAT": f"http://chat.example:{port}/hook"}.get,
        resolve=lambda *_: ["127.0.0.1"],
    )
    sender("slack", OPTIONS["slack"], named)(message())
    assert chat.hosts == [f"chat.example:{port}"]


@pytest.mark.parametrize("kind", ["slack", "teams", "pagerduty", "alertmanager", "webhook"])
def test_every_channel_says_the_number_now_and_at_its_worst(chat: Chat, kind: str) -> None:
    shown: Any = PAYLOAD["facts"]
    facts = {**shown, "value": 0.81, "clear": 0.72, "worst": 0.63, "lasted": "3h"}
    said = recovery({"event": "resolved", "facts": facts})
    assert said.endswith("clear of 0.72; it was 0.63 at worst; it fired for 3h")
    told = message(event="resolved", facts=facts, recovery=said)
    options = {"webhook_url_env": "CHAT", "routing_key_env": "KEY", "url": chat.url}
    sender(kind, options, chat.outside(KEY="R0"))(told)
    assert "it was 0.63 at worst; it fired for 3h" in chat.bodies[0].decode()
