"""Mail as a real relay gets it: encrypted, addressed, threaded, and what its refusals mean."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.notify.conftest import LOOPBACK, message

from tocsin.errors import DeliveryError
from tocsin.notify import Outside, sender
from tocsin.values import Relay as ServerRelay

NAME = "relay.example"


@dataclass
class Relay:
    """answer: to the next mails; took: the mails it took, encrypted: how they came."""

    port: int = 0
    answer: str = "250 OK"
    to: list[str] = field(default_factory=list)
    took: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            mail = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.to += envelope.rcpt_tos
            self.took.append(mail)
            self.encrypted.append(session.ssl is not None)
        return self.answer


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of the relay's name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem", folder / "key.pem"


def _checks(_server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: Any) -> Any:
    assert isinstance(data, LoginPassword)
    right = (data.login, data.password) == (b"tocsin", b"word")
    return AuthResult(success=right, handled=False)


@pytest.fixture
def relay(certificate: tuple[Path, Path]) -> Iterator[Relay]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        made = Relay(probe.getsockname()[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    controller = Controller(
        made,
        hostname="127.0.0.1",
        port=made.port,
        tls_context=context,
        require_starttls=True,
        authenticator=_checks,
        auth_require_tls=True,
    )
    controller.start()
    yield made
    controller.stop()


@pytest.fixture
def outside(certificate: tuple[Path, Path]) -> Outside:
    return Outside(
        LOOPBACK,
        resolve=lambda *_: ["127.0.0.1"],
        secrets={"MAIL_PASSWORD": "word"}.get,
        verify=ssl.create_default_context(cafile=str(certificate[0])),
    )


def options(relay: Relay, **changes: Any) -> dict[str, Any]:
    return {
        "to": ["oncall@example.com"],
        "sender": "tocsin@example.com",
        "host": NAME,
        "port": relay.port,
        "security": "starttls",
        "username": "tocsin",
        "password_env": "MAIL_PASSWORD",
    } | changes


def test_a_mail_arrives_encrypted_with_text_and_html(relay: Relay, outside: Outside) -> None:
    sender("email", options(relay), outside)(message("oncall@example.com"))
    (mail,) = relay.took
    assert (relay.to, relay.encrypted) == (["oncall@example.com"], [True])
    assert mail["Subject"].strip().startswith("[critical] flight-delay: AucLow fired")
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert "`distance` has moved" in plain.get_content()
    assert "http://tocsin.test/incidents/7" in plain.get_content()
    assert html is not None
    # What came from data is text, and no markup.
    assert "0.61 &lt;b&gt; &amp; more" in html.get_content()


def test_a_chart_is_shown_inside_the_mail(relay: Relay, outside: Outside) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    told = replace(message("oncall@example.com"), picture=png)
    sender("email", options(relay), outside)(told)
    (mail,) = relay.took
    (image,) = (part for part in mail.walk() if part.get_content_type() == "image/png")
    html = mail.get_body(("html",))
    assert html is not None
    assert image.get_content() == png
    assert image["Content-ID"] == "<chart@tocsin>"
    assert 'src="cid:chart@tocsin"' in html.get_content()
    # The plain text is still what a reader without pictures gets.
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert "ROC AUC 0.61 (0.58 to 0.64) over 24h, n = 960" in plain.get_content()


def test_what_is_over_answers_to_what_fired(relay: Relay, outside: Outside) -> None:
    send = sender("email", options(relay), outside)
    send(message("oncall@example.com"))
    send(message("oncall@example.com", event="resolved"))
    fired, over = relay.took
    assert fired["In-Reply-To"] is None
    assert over["In-Reply-To"] == over["References"] == fired["Message-ID"]
    assert over["Message-ID"] != fired["Message-ID"]


def test_messages_of_a_group_answer_to_its_first(relay: Relay, outside: Outside) -> None:
    send = sender("email", options(relay), outside)
    for number, event in ((1, "fired"), (2, "fired"), (3, "resolved")):
        send(replace(message("oncall@example.com", event=event), id=f"01a2.{number}"))
    first, *others = relay.took
    assert first["In-Reply-To"] is None
    assert {mail["In-Reply-To"] for mail in others} == {first["Message-ID"]}


def test_a_title_of_several_lines_is_no_second_header(relay: Relay, outside: Outside) -> None:
    send = sender("email", options(relay), outside)
    send(message("oncall@example.com", title="x\r\nBcc: everybody@example.com"))
    (mail,) = relay.took
    assert mail["Bcc"] is None
    assert relay.to == ["oncall@example.com"]


@pytest.mark.parametrize(
    ("answer", "permanent"), [("451 try later", False), ("552 too large", True)]
)
def test_refusals_say_whether_to_repeat(
    relay: Relay, outside: Outside, answer: str, permanent: bool
) -> None:
    relay.answer = answer
    with pytest.raises(DeliveryError, match=answer[4:]) as refused:
        sender("email", options(relay), outside)(message("oncall@example.com"))
    assert refused.value.permanent is permanent


def test_a_mailbox_that_is_not_there_is_given_up(relay: Relay, outside: Outside) -> None:
    with pytest.raises(DeliveryError, match="550: no such mailbox") as refused:
        sender("email", options(relay), outside)(message("nobody@example.com"))
    assert refused.value.permanent


def test_a_wrong_password_is_waited_for(relay: Relay, outside: Outside) -> None:
    wrong = replace(outside, secrets={"MAIL_PASSWORD": "other"}.get)
    with pytest.raises(DeliveryError, match="refused the password") as refused:
        sender("email", options(relay), wrong)(message("oncall@example.com"))
    assert not refused.value.permanent
    assert "other" not in str(refused.value)


def test_a_relay_with_another_name_is_not_believed(relay: Relay, outside: Outside) -> None:
    with pytest.raises(DeliveryError, match="certificate"):
        sender("email", options(relay, host="other.example"), outside)(message("a@example.com"))
    assert relay.took == []


def test_a_relay_in_a_network_that_is_not_allowed_is_not_called(
    relay: Relay, outside: Outside
) -> None:
    with pytest.raises(DeliveryError, match="not on the open internet"):
        sender("email", options(relay), replace(outside, networks=()))(message("a@example.com"))


def test_a_receiver_that_names_no_relay_uses_that_of_the_server(
    relay: Relay, outside: Outside, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    mail = ServerRelay(
        NAME, "tocsin@example.com", relay.port, username="tocsin", password_file=file
    )
    own = {"to": ["oncall@example.com"]}
    send = sender("email", own, replace(outside, mail=mail))
    with pytest.raises(DeliveryError, match="password cannot be read"):
        send(message("oncall@example.com"))
    file.write_text("word\n")
    send(message("oncall@example.com"))
    assert (relay.took[0]["From"], relay.to) == ("tocsin@example.com", ["oncall@example.com"])
    # What a receiver says itself comes first.
    sender("email", options(relay, sender="ml@example.com"), replace(outside, mail=mail))(
        message("oncall@example.com")
    )
    assert relay.took[1]["From"] == "ml@example.com"
    with pytest.raises(DeliveryError, match="set TOCSIN_SMTP_HOST and TOCSIN_SMTP_FROM"):
        sender("email", own, outside)(message("oncall@example.com"))
