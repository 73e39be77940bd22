"""Who is told of alerts."""

from typing import Any

from fastapi import APIRouter

from tocsin.app import App
from tocsin.records.outbox import Receiver
from tocsin.values import SECOND, isoformat


def router(app: App) -> APIRouter:
    """Receivers: listed, added or replaced, tried."""
    routes = APIRouter(prefix="/receivers", tags=["receivers"])

    @routes.get("")
    def receivers() -> list[dict[str, Any]]:
        """All receivers with their channels; secrets are named, never shown.

        `kind`, `options` and the like beside `channels` are those of the first.
        """
        return [
            {
                "name": name,
                **_channel_document(found[0]),
                "fallback": found[0].fallback,
                "channels": [{"name": c.name, **_channel_document(c)} for c in found],
            }
            for name, found in app.receivers.all().items()
        ]

    @routes.put("/{name}", status_code=201)
    def put(name: str, document: dict[str, Any]) -> dict[str, Any]:
        """Send notifications there as well.

        Any of `webhook` (url, secret_env), `slack` (token_env and channel, or webhook_url_env),
        `teams` (webhook_url_env), `pagerduty` (routing_key_env), `email` (to; from and host unless
        the server has a relay), `alertmanager` (url), `apprise` (urls_env), each as one mapping or
        a list of several. Names that end in `_env` are variables of the server's environment;
        `_file` in place of it is a file there. `fallback` beside it names another receiver, which
        is told of what is critical when this one takes nothing for 5 minutes. To put one that was
        disabled enables it.
        """
        parsed = app.receivers.put(name, document)
        return {"name": name, "kind": parsed[0].kind, "kinds": [c.kind for c in parsed]}

    @routes.post("/{name}/test")
    def test(name: str) -> dict[str, Any]:
        """Send a message that says it is a test; whether it was taken, and why not."""
        error = app.receivers.test(name)
        return {"name": name, "taken": error is None, "error": error}

    return routes


def disabled_document(channel: Receiver) -> dict[str, Any]:
    """A channel to which nothing is sent: since when, why, and how that ends."""
    at = channel.disabled_at
    return {
        "name": channel.name,
        "receiver": channel.of,
        "since": None if at is None else isoformat(at // SECOND * SECOND),
        "why": channel.disabled,
        "enable": f"tocsin test receiver {channel.of}",
    }


def _channel_document(channel: Receiver) -> dict[str, Any]:
    at = channel.disabled_at
    return {
        "kind": channel.kind,
        "options": {k: v for k, v in channel.options.items() if v is not None},
        "disabled": channel.disabled,
        "disabled_since": None if at is None else isoformat(at // SECOND * SECOND),
    }
