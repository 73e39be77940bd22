"""Alerts as events of PagerDuty: one incident there for each episode here."""

import json
from typing import Any

from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send
from tocsin.notify.post import post
from tocsin.notify.told import TEST, heading, is_afterthought, links, sentences, short

ADDRESS = "https://events.pagerduty.com/v2/enqueue"
# What PagerDuty takes of a summary.
_MOST_SUMMARY = 1_024
_MOST_DETAILS = 20
_SEVERITIES = {"critical": "critical", "warning": "warning", "info": "info"}
# A test proves the key and calls nobody: there is no incident of its key to resolve.
_ACTIONS = {
    "fired": "trigger",
    "acknowledged": "acknowledge",
    "resolved": "resolve",
    TEST: "resolve",
}


def pagerduty_sender(options: dict[str, Any], outside: Outside) -> Send:
    """Sends to the integration whose key is in the variable `routing_key_env`."""

    def send(message: Message) -> Receipt:
        told = message.payload
        if is_afterthought(told):
            # It would open the incident anew.
            return TAKEN
        # PagerDuty knows an incident only by the key under which it was opened.
        pinned = (message.thread or {}).get("routing_key_env", "")
        variable = pinned if outside.secrets(pinned) else options["routing_key_env"]
        event = _event(told, outside.secret(variable))
        body = json.dumps(event).encode()
        headers = {"content-type": "application/json"}
        post(options.get("url") or ADDRESS, body, headers, outside, spoken="PagerDuty")
        return TAKEN if message.thread else Receipt(thread={"routing_key_env": variable})

    return send


def _event(told: dict[str, Any], routing_key: str) -> dict[str, Any]:
    """What the Events API takes."""
    return {
        "routing_key": routing_key,
        "event_action": _ACTIONS.get(told["event"], "trigger"),
        # Of the episode: trigger and resolve meet, repeats are one.
        "dedup_key": told["episode"],
        "client": "Tocsin",
        "client_url": told["url"],
        "payload": {
            "summary": short(heading(told), _MOST_SUMMARY),
            "source": told["model"],
            "severity": _SEVERITIES.get(told["severity"], "warning"),
            "timestamp": told["window_end"],
            "component": told["instance"] or told["model"],
            "group": told["model"],
            "class": told["category"],
            "custom_details": {
                "what": told["text"],
                "details": sentences(told)[:_MOST_DETAILS],
                "causes": [cause["sentence"] for cause in told["causes"]],
                "incident": told["incident"],
            },
        },
        "links": [{"href": url, "text": words} for words, url in links(told)],
    }
