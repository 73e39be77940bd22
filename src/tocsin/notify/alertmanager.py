"""Alerts for a Prometheus Alertmanager, which groups, silences and routes them itself.

It forgets an alert that is not said again, so one that fires is said each minute, and that it is
over is said for a quarter of an hour, as Prometheus does.
"""

import json
import re
from typing import Any

from tocsin.errors import DeliveryError
from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send
from tocsin.notify.post import post
from tocsin.notify.told import alerts_of, facts_of, heading, is_afterthought, is_over, recovery
from tocsin.values import SECOND, isoformat

RESEND_S = 60.0
_SAID_OVER_S = 15 * 60.0
# How long it fires there when nothing is heard any more.
_LIVES_S = 4 * RESEND_S
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MOST_VALUE = 1_000


def alertmanager_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Posts to the Alertmanager at `url`; with the token of a proxy, where one is named."""

    def send(message: Message) -> Receipt:
        if is_afterthought(message.payload):
            return TAKEN
        alerts = [alertmanager_alert(told, message) for told in alerts_of(message.payload)]
        headers = {"content-type": "application/json"}
        if (token := outside.secret(options, "token")) is not None:
            headers["authorization"] = f"Bearer {token}"
        url = f"{options['url'].rstrip('/')}/api/v2/alerts"
        post(url, json.dumps(alerts).encode(), headers, outside, spoken=options["url"])
        until_s = _SAID_OVER_S if is_over(message.payload) else None
        return Receipt(again_after_s=RESEND_S, until_s=until_s)

    return send


def alertmanager_alert(told: dict[str, Any], message: Message) -> dict[str, Any]:
    """An alert as the API takes it. Raises: DeliveryError for a label that it would not take."""
    labels = {
        **(told.get("labels") or {}),
        "alertname": told["alert"],
        "model": told["model"],
        "severity": told["severity"],
        "category": told["category"],
        "instance": told["instance"],
    }
    # The name of the alert goes by `alertname` there; an empty label is none.
    labels = {name: str(value)[:_MOST_VALUE] for name, value in labels.items() if value != ""}
    labels.pop("alert", None)
    wrong = sorted(name for name in labels if not _LABEL.fullmatch(name))
    if wrong:
        raise DeliveryError(
            f"Alertmanager takes no label {wrong[0]!r}: letters, digits and _ only, no digit first",
            permanent=True,
        )
    over = is_over(told) if "event" in told else is_over(message.payload)
    ends = message.written_at if over else message.sent_at + round(_LIVES_S * SECOND)
    begins = (told.get("facts") or {}).get("since") or told["window_end"]
    return {
        "labels": labels,
        "annotations": {
            "summary": heading({"event": message.payload["event"], **told}),
            "description": _description(told, message.payload["event"]),
            **({"runbook_url": told["runbook_url"]} if told.get("runbook_url") else {}),
        },
        # A window may end after the clock of the server; an alert does not end before it begins.
        "startsAt": min(begins, isoformat(ends)),
        "endsAt": isoformat(ends),
        "generatorURL": told["url"],
    }


def _description(told: dict[str, Any], event: str) -> str:
    """What happened, or how well it is again; then the number and since when."""
    said = recovery({"event": event, **told}) or told.get("text", "")
    return "; ".join([said, *facts_of(told.get("facts") or {})])
