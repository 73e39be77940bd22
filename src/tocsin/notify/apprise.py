"""All other services, by Apprise: its addresses come from the environment, so only admins set them.

It calls where its addresses lead, past the guard, and gives no ids back: there are no threads, and
a message that some of several services took is sent to all of them again.
"""

import re
from typing import Any

from tocsin.errors import DeliveryError
from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send
from tocsin.notify.told import about, heading, is_well, links, sentences, short

_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}
_MOST_TITLE, _MOST_BODY = 250, 4_000
_BETWEEN = re.compile(r"\s+")


def apprise_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Sends to the addresses in `urls_env` or `urls_file`, with spaces or line ends between."""

    def send(message: Message) -> Receipt:
        try:
            import apprise
        except ImportError as error:
            raise DeliveryError(
                "the server lacks Apprise; install it with pip install 'tocsin[apprise]'",
                permanent=False,
            ) from error
        told = message.payload
        services = apprise.Apprise()
        place = options.get("urls_env") or options.get("urls_file")
        for url in _BETWEEN.split(outside.needed(options, "urls").strip()):
            # An address may hold a secret: it is not told.
            if not services.add(url):
                raise DeliveryError(
                    f"an address in {place} is none that Apprise knows",
                    permanent=False,
                )
        lines = [*sentences(told), about(told), *(f"{w}: {url}" for w, url in links(told))]
        taken = services.notify(
            title=short(heading(told), _MOST_TITLE),
            body=short("\n".join(lines), _MOST_BODY),
            notify_type="success" if is_well(told) else _TYPES.get(told["severity"], "info"),
            body_format="text",
        )
        if not taken:
            raise DeliveryError(
                "not all services of Apprise took it", permanent=False, maybe_taken=True
            )
        return TAKEN

    return send
