"""Alerts by e-mail: plain text and HTML, one message for each recipient."""

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any

from tocsin.errors import DeliveryError
from tocsin.notify.guard import checked
from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send, read_secret
from tocsin.notify.told import TEST, about, heading, links, sentences
from tocsin.values import to_datetime

_TIMEOUT_S = 15.0
_LONGEST_SUBJECT = 200
# How the text refers to its chart.
_CHART = "chart@tocsin"
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def email_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Hands each message to the relay `host`, encrypted unless `security` is none.

    Without one to that of the server.
    """

    def send(message: Message) -> Receipt:
        mail = _mail(options, outside)
        relay, security = mail.host, mail.security
        port = mail.port or _PORTS[security]
        address = checked(relay, port, outside)
        try:
            with _connected(security, relay, address, port, outside) as smtp:
                if mail.username is not None:
                    smtp.login(mail.username, mail.password or "")
                smtp.send_message(email_of(message, mail.sender))
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise _refused(relay, code, said) from error
        except smtplib.SMTPAuthenticationError as error:
            # A password can be mended, and then nothing is lost.
            raise DeliveryError(f"{relay} refused the password", permanent=False) from error
        except smtplib.SMTPResponseException as error:
            raise _refused(relay, error.smtp_code, error.smtp_error) from error
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"{relay} did not take it: {error}", permanent=False) from error
        return TAKEN

    return send


@dataclass(frozen=True)
class _Way:
    """By which relay a mail goes, and from whom."""

    host: str
    sender: str
    port: int | None
    security: str
    username: str | None
    password: str | None = field(repr=False)


def _mail(options: dict[str, Any], outside: Outside) -> _Way:
    """What a receiver says, else what the server has. Raises: DeliveryError."""
    server = outside.mail
    host, sender = options.get("host") or server.host, options.get("sender") or server.sender
    if host is None or sender is None:
        missing = "`host`" if host is None else "`from`"
        raise DeliveryError(
            f"{missing} is not known: write it, or set TOCSIN_SMTP_HOST and TOCSIN_SMTP_FROM for "
            "all receivers",
            permanent=False,
        )
    if options.get("host"):
        security = options.get("security") or "starttls"
        password = outside.secret(options, "password")
        return _Way(host, sender, options.get("port"), security, options.get("username"), password)
    password = server.password
    if server.password_file is not None:
        password = read_secret(server.password_file, str(server.password_file))
    return _Way(host, sender, server.port, server.security, server.username, password)


def email_of(message: Message, sender: str) -> EmailMessage:
    """A notification as a mail; all answer to the first of their matter, so that it is a thread."""
    told = message.payload
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = message.target
    mail["Subject"] = _line(f"[{told['severity']}] {heading(told)}")
    mail["Date"] = format_datetime(to_datetime(message.sent_at))
    mail["Message-ID"] = f"<{message.id}@tocsin>"
    first = _first(message.id)
    if message.id != first:
        mail["In-Reply-To"] = mail["References"] = f"<{first}@tocsin>"
    mail["Auto-Submitted"] = "auto-generated"
    lines = [heading(told), *sentences(told), about(told)]
    links_of = links(told)
    mail.set_content("\n\n".join([*lines, *(f"{w}: {url}" for w, url in links_of)]) + "\n")
    mail.add_alternative(_html(lines, links_of, picture=message.picture), subtype="html")
    if message.picture is not None:
        html = mail.get_payload()[1]  # type: ignore[index]
        html.add_related(  # type: ignore[union-attr]
            message.picture, "image", "png", cid=f"<{_CHART}>", filename="chart.png"
        )
    return mail


def _first(message_id: str) -> str:
    """The id of the message that began the matter: messages of a group are numbered.

    >>> _first("01a2.3"), _first("01a2.resolved")
    ('01a2.1', '01a2.fired')
    >>> _first("01a2.test")
    '01a2.test'
    """
    matter, _, which = message_id.partition(".")
    if which == TEST:
        return message_id
    return f"{matter}.1" if which.isdigit() else f"{matter}.fired"


def _html(
    lines: Sequence[str], links_of: Sequence[tuple[str, str]], *, picture: bytes | None
) -> str:
    head, *rest = (escape(line) for line in lines)
    # As wide as the window, on a phone too.
    image = f'<p><img src="cid:{_CHART}" alt="{head}" style="max-width:100%"></p>'
    paragraphs = "".join(f"<p>{line}</p>" for line in rest)
    anchors = " · ".join(f'<a href="{escape(u, quote=True)}">{escape(w)}</a>' for w, u in links_of)
    chart = "" if picture is None else image
    return f"<html><body><p><b>{head}</b></p>{chart}{paragraphs}<p>{anchors}</p></body></html>"


def _line(text: str) -> str:
    """A header is one line."""
    return " ".join(text.split())[:_LONGEST_SUBJECT]


def _connected(
    security: str, relay: str, address: str, port: int, outside: Outside
) -> smtplib.SMTP:
    """A connection to the address that was checked, under the name of the relay."""
    context = outside.verify if isinstance(outside.verify, ssl.SSLContext) else None
    context = context or ssl.create_default_context()
    if security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(timeout=_TIMEOUT_S, context=context)
    else:
        smtp = smtplib.SMTP(timeout=_TIMEOUT_S)
    # The certificate is of the name; smtplib knows the name only if it looks it up itself.
    smtp._host = relay  # type: ignore[attr-defined]  # noqa: SLF001
    smtp.connect(address, port)
    if security == "starttls":
        smtp.starttls(context=context)
    return smtp


def _refused(relay: str, code: int, said: bytes | str) -> DeliveryError:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return DeliveryError(f"{relay} answered {code}: {_line(text)}", permanent=500 <= code < 600)
