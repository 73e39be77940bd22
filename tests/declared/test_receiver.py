"""What a receiver document may say."""

import pytest

from tocsin.declared import parse_receiver
from tocsin.errors import InvalidInputError

URL = "https://hooks.example/x?a=1"


def test_a_webhook_keeps_its_address_and_the_name_of_its_secret() -> None:
    receiver = parse_receiver("ops", {"webhook": {"url": URL, "secret_env": "OPS_SECRET"}})
    assert (receiver.name, receiver.kind) == ("ops", "webhook")
    assert receiver.options == {"url": URL, "secret_env": "OPS_SECRET"}


def test_a_secret_is_not_needed() -> None:
    receiver = parse_receiver("ops", {"webhook": {"url": "http://localhost:9000/"}})
    assert receiver.options["secret_env"] is None


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (
            "slack",
            {"webhook_url_env": "SLACK_HOOK", "token_env": None, "channel": None, "api_url": None},
        ),
        (
            "slack",
            {"webhook_url_env": None, "token_env": "BOT", "channel": "C0123", "api_url": None},
        ),
        ("alertmanager", {"url": "http://am:9093", "token_env": None}),
        ("apprise", {"urls_env": "APPRISE_URLS"}),
        ("teams", {"webhook_url_env": "TEAMS_HOOK"}),
        ("pagerduty", {"routing_key_env": "PD_KEY", "url": None}),
    ],
)
def test_chats_and_pagers_name_the_variable_of_their_secret(
    kind: str, options: dict[str, object]
) -> None:
    given = {key: value for key, value in options.items() if value is not None}
    receiver = parse_receiver("ops", {kind: given})
    assert (receiver.kind, receiver.options) == (kind, options)


MAIL = {"to": ["a@example.com"], "from": "tocsin@example.com", "host": "smtp.example.com"}


def test_mail_goes_to_each_recipient_by_itself() -> None:
    receiver = parse_receiver("ops", {"email": {**MAIL, "to": ["a@example.com", "b@example.com"]}})
    assert receiver.targets == ("a@example.com", "b@example.com")
    assert (receiver.options["security"], receiver.options["port"]) == ("starttls", None)
    assert parse_receiver("ops", {"webhook": {"url": URL}}).targets == ("",)


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
                "one channel is required",
                "webhook, slack, teams, pagerduty, email, alertmanager, apprise",
            ],
        ),
        ({"slack": None}, ["one channel is required"]),
        ({"slack": {"webhook_url_env": "A"}, "teams": {"webhook_url_env": "A"}}, ["one channel"]),
        ({"slack": {"webhook_url_env": "https://hooks.example/secret"}}, ["slack.webhook_url_env"]),
        ({"slack": {"webhook_url": URL}}, ["slack.webhook_url", "not permitted"]),
        ({"slack": {}}, ["webhook_url_env", "token_env", "required"]),
        ({"slack": {"token_env": "BOT"}}, ["`token_env` and `channel` go together"]),
        ({"slack": {"token_env": "BOT", "channel": "#ml"}}, ["slack.channel"]),
        ({"slack": {"token_env": "xoxb-1-2", "channel": "C0123"}}, ["slack.token_env"]),
        ({"apprise": {"urls": "slack://secret"}}, ["apprise.urls_env", "required"]),
        ({"fallback": "ops"}, ["one channel is required"]),
        ({"pagerduty": {"routing_key": "R0"}}, ["pagerduty.routing_key_env", "required"]),
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
