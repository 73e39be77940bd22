"""Who is told of alerts."""

from typing import Any

from fastapi import APIRouter

from tocsin.app import App


def router(app: App) -> APIRouter:
    """Receivers: listed, added or replaced, tried."""
    routes = APIRouter(prefix="/receivers", tags=["receivers"])

    @routes.get("")
    def receivers() -> list[dict[str, Any]]:
        """All receivers; secrets are named, never shown."""
        return [
            {
                "name": receiver.name,
                "kind": receiver.kind,
                "options": {k: v for k, v in receiver.options.items() if v is not None},
                "fallback": receiver.fallback,
                "disabled": receiver.disabled,
            }
            for receiver in app.receivers.all()
        ]

    @routes.put("/{name}", status_code=201)
    def put(name: str, document: dict[str, Any]) -> dict[str, Any]:
        """Send notifications there as well.

        One of `webhook` (url, secret_env), `slack` (token_env and channel, or webhook_url_env),
        `teams` (webhook_url_env), `pagerduty` (routing_key_env), `email` (to, from, host),
        `alertmanager` (url), `apprise` (urls_env); names that end in `_env` are variables of the
        server's environment. `fallback` beside it names another receiver, which is told of what
        is critical when this one takes nothing for 5 minutes. To put one that was disabled enables
        it.
        """
        parsed = app.receivers.put(name, document)
        return {"name": parsed.name, "kind": parsed.kind}

    @routes.post("/{name}/test")
    def test(name: str) -> dict[str, Any]:
        """Send a message that says it is a test; whether it was taken, and why not."""
        error = app.receivers.test(name)
        return {"name": name, "taken": error is None, "error": error}

    return routes
