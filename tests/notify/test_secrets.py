"""Secrets in files and the relay of the server: read as they are when something is sent."""

from pathlib import Path
from typing import Any

import pytest
from tests.notify.conftest import LOOPBACK, Chat, message

from tocsin.errors import DeliveryError, StartupError
from tocsin.notify import Outside, sender
from tocsin.settings import settings


def outside(folder: Path) -> Outside:
    return Outside(LOOPBACK, folders=(folder,))


@pytest.mark.parametrize(
    ("kind", "field", "options"),
    [
        ("slack", "webhook_url", {}),
        ("teams", "webhook_url", {}),
        ("slack", "token", {"channel": "C0123"}),
        ("pagerduty", "routing_key", {}),
        ("alertmanager", "token", {}),
        ("webhook", "secret", {}),
        ("apprise", "urls", {}),
    ],
)
def test_a_file_that_is_not_there_is_named_and_waited_for(
    tmp_path: Path, chat: Chat, kind: str, field: str, options: dict[str, Any]
) -> None:
    file = tmp_path / "secret"
    given = {"url": chat.url, **options, f"{field}_file": str(file)}
    with pytest.raises(DeliveryError, match=f"{file} cannot be read: No such file") as refused:
        sender(kind, given, outside(tmp_path))(message())
    assert not refused.value.permanent
    file.write_text("\n")
    with pytest.raises(DeliveryError, match=f"{file} is empty"):
        sender(kind, given, outside(tmp_path))(message())
    assert chat.told == []


def test_a_secret_may_change_without_a_restart(tmp_path: Path, chat: Chat) -> None:
    file = tmp_path / "key"
    send = sender("pagerduty", {"routing_key_file": str(file), "url": chat.url}, outside(tmp_path))
    for key in ("R0", "R1"):
        file.write_text(f"{key}\n")
        receipt = send(message())
    assert [told["routing_key"] for told in chat.told] == ["R0", "R1"]
    assert receipt.thread == {"routing_key_file": str(file)}


@pytest.mark.parametrize("content", [b"\xff\xfehidden", b"hidden" * 20_000])
def test_what_is_in_a_file_is_never_told(tmp_path: Path, chat: Chat, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    options = {"routing_key_file": str(file), "url": chat.url}
    send = sender("pagerduty", options, outside(tmp_path))
    with pytest.raises(DeliveryError) as refused:
        send(message())
    assert "hidden" not in str(refused.value)


def test_no_other_file_of_the_server_is_sent_anywhere(tmp_path: Path, chat: Chat) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("hidden")
    allowed = tmp_path / "secrets"
    allowed.mkdir()
    (allowed / "link").symlink_to(secret)
    for file in (secret, allowed / "link", allowed / ".." / "shadow"):
        options = {"url": chat.url, "token_file": str(file)}
        with pytest.raises(DeliveryError, match="name its folder in TOCSIN_SECRETS"):
            sender("alertmanager", options, outside(allowed))(message())
    assert chat.told == []


def test_the_relay_of_the_server_is_read_from_the_environment() -> None:
    found = settings(
        {
            "TOCSIN_SMTP_HOST": "smtp.example.com",
            "TOCSIN_SMTP_PORT": "2525",
            "TOCSIN_SMTP_FROM": "tocsin@example.com",
            "TOCSIN_SMTP_USERNAME": "tocsin",
            "TOCSIN_SMTP_PASSWORD_FILE": "/run/secrets/smtp",
            "TOCSIN_SECRETS": "/a:/b",
        }
    )
    mail = found.mail
    assert (mail.host, mail.port, mail.sender) == ("smtp.example.com", 2525, "tocsin@example.com")
    assert (mail.security, mail.password_file) == ("starttls", Path("/run/secrets/smtp"))
    assert found.secrets == (Path("/a"), Path("/b"))
    assert settings({}).secrets == (Path("/run/secrets"),)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PORT": "smtp"}, "TOCSIN_SMTP_PORT is 'smtp'"),
        ({"SECURITY": "ssl"}, "starttls, tls or none"),
        ({"USERNAME": "a"}, "goes with TOCSIN_SMTP_PASSWORD"),
        ({"USERNAME": "a", "PASSWORD": "b", "SECURITY": "none"}, "not sent unencrypted"),
    ],
)
def test_a_relay_that_cannot_be_is_refused_at_the_start(
    environment: dict[str, str], words: str
) -> None:
    with pytest.raises(StartupError, match=words):
        settings({f"TOCSIN_SMTP_{name}": value for name, value in environment.items()})
