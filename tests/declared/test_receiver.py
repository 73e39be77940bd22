"""What a receiver document may say."""

import pytest

from tocsin.declared import parse_receiver
from tocsin.declared.exported import receiver_document
from tocsin.errors import InvalidInputError
from tocsin.records.outbox import Receiver

URL = "https://hooks.example/x?a=1"


def one(document: object) -> Receiver:
    """The only channel of a receiver."""
    (found,) = parse_receiver("ops", document)
    return found


def test_a_webhook_keeps_its_address_and_the_name_of_its_secret() -> None:
    receiver = one({"webhook": {"url": URL, "secret_env": "OPS_SECRET"}})
    assert (receiver.name, receiver.kind) == ("ops", "webhook")
    assert receiver.options == {"url": URL, "secret_env": "OPS_SECRET"}


def test_a_secret_is_not_needed() -> None:
    receiver = one({"webhook": {"url": "http://localhost:9000/"}})
    assert receiver.options == {"url": "http://localhost:9000/"}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("slack", {"webhook_url_env": "SLACK_HOOK"}),
        ("slack", {"webhook_url_file": "/run/secrets/slack"}),
        ("slack", {"token_env": "BOT", "channel": "C0123"}),
        ("slack", {"token_file": "/run/secrets/slack", "channel": "C0123"}),
        ("alertmanager", {"url": "http://am:9093"}),
        ("alertmanager", {"url": "http://am:9093", "token_file": "/run/secrets/am"}),
        ("apprise", {"urls_env": "APPRISE_URLS"}),
        ("apprise", {"urls_file": "/run/secrets/apprise"}),
        ("teams", {"webhook_url_env": "TEAMS_HOOK"}),
        ("teams", {"webhook_url_file": "/run/secrets/teams"}),
        ("pagerduty", {"routing_key_env": "PD_KEY"}),
        ("pagerduty", {"routing_key_file": "/run/secrets/pd"}),
        ("webhook", {"url": URL, "secret_file": "/run/secrets/hook"}),
    ],
)
def test_chats_and_pagers_name_the_place_of_their_secret(
    kind: str, options: dict[str, object]
) -> None:
    receiver = one({kind: options})
    assert (receiver.kind, receiver.options) == (kind, options)


MAIL = {"to": ["a@example.com"], "from": "tocsin@example.com", "host": "smtp.example.com"}


def test_mail_goes_to_each_recipient_by_itself() -> None:
    receiver = one({"email": {**MAIL, "to": ["a@example.com", "b@example.com"]}})
    assert receiver.targets == ("a@example.com", "b@example.com")
    assert "security" not in receiver.options
    assert one({"webhook": {"url": URL}}).targets == ("",)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"email": {**MAIL, "to": []}}, ["email.to"]),
        ({"email": {**MAIL, "to": ["a@example.com, b@example.com"]}}, ["email.to.0"]),
        ({"email": {**MAIL, "to": ["A <a@example.com>"]}}, ["email.to.0"]),
        ({"email": {**MAIL, "username": "tocsin"}}, ["go together"]),
        (
            {"email": {**MAIL, "username": "t", "password_env": "P", "security": "none"}},
            ["not sent unencrypted"],
        ),
        (
            {},
            [
                "a channel is required",
                "webhook, slack, teams, pagerduty, email, alertmanager, apprise",
            ],
        ),
        ({"slack": None}, ["a channel is required"]),
        ({"slack": []}, ["slack", "at least 1 item"]),
        ({"slack": [{"webhook_url_env": "A"}, {"channel": "C0123"}]}, ["slack.1"]),
        ({"teams": {"webhook_url_env": "A", "webhook_url_file": "/a"}}, ["not both"]),
        ({"teams": {"webhook_url_file": "secrets/teams"}}, ["teams.webhook_url_file"]),
        ({"email": {"to": ["a@example.com"], "port": 25}}, ["`port` goes with the `host`"]),
        ({"slack": {"webhook_url_env": "https://hooks.example/secret"}}, ["slack.webhook_url_env"]),
        ({"slack": {"webhook_url": URL}}, ["slack.webhook_url", "not permitted"]),
        ({"slack": {}}, ["webhook_url_env", "token_env", "required"]),
        ({"slack": {"token_env": "BOT"}}, ["`token_env` and `channel` go together"]),
        ({"slack": {"token_env": "BOT", "channel": "#ml"}}, ["slack.channel"]),
        ({"slack": {"token_env": "xoxb-1-2", "channel": "C0123"}}, ["slack.token_env"]),
        ({"apprise": {"urls": "slack://secret"}}, ["apprise.urls", "not permitted"]),
        ({"fallback": "ops"}, ["a channel is required"]),
        ({"pagerduty": {"routing_key": "R0"}}, ["pagerduty.routing_key", "not permitted"]),
        (None, ["document"]),
        ({"pager": {"url": URL}}, ["pager", "not permitted"]),
        ({"webhook": {}}, ["webhook.url", "required"]),
        ({"webhook": {"url": "hooks.example"}}, ["webhook.url", "begin with http:// or https://"]),
        ({"webhook": {"url": "ftp://hooks.example"}}, ["webhook.url"]),
        ({"webhook": {"url": "https://hooks.example/a b"}}, ["webhook.url"]),
        ({"webhook": {"url": "https://"}}, ["webhook.url"]),
        ({"webhook": {"url": URL, "secret": "x"}}, ["webhook.secret", "not permitted"]),
    ],
)
def test_a_faulty_receiver_is_refused_with_its_place(document: object, words: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_receiver("ops", document)
    assert all(word in str(refused.value) for word in ["'ops'", *words]), str(refused.value)


def test_a_receiver_has_channels_of_several_kinds_and_several_of_a_kind() -> None:
    mails = [{"to": ["a@example.com"]}, {"to": ["b@example.com"], "from": "t@example.com"}]
    found = parse_receiver("oncall", {"pagerduty": {"routing_key_env": "PD"}, "email": mails})
    assert [channel.kind for channel in found] == ["pagerduty", "email", "email"]
    assert [channel.targets for channel in found] == [("",), ("a@example.com",), ("b@example.com",)]


def test_a_receiver_goes_round_by_its_document() -> None:
    document = {
        "pagerduty": [{"routing_key_env": "A"}, {"routing_key_file": "/run/secrets/pd"}],
        "email": {"to": ["a@example.com"]},
        "fallback": "log",
    }
    assert receiver_document(parse_receiver("oncall", document)) == document


def test_a_secret_in_place_of_its_variable_is_not_repeated() -> None:
    address = "https://hooks.slack.com/services/T0/B0/hunter2"
    with pytest.raises(InvalidInputError, match="webhook_url_env: what is here") as refused:
        parse_receiver("ops", {"slack": {"webhook_url_env": address}})
    assert "hunter2" not in str(refused.value)
