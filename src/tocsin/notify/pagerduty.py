"""Alerts as events of PagerDuty: one incident there for each episode here."""

import json
from collections.abc import Mapping
from typing import Any

from tocsin.errors import DeliveryError
from tocsin.notify.message import TAKEN, Message, Outside, Receipt, Send
from tocsin.notify.post import post
from tocsin.notify.told import TEST, heading, is_afterthought, links, recovery, sentences, short

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
    """Sends to the integration whose key is in `routing_key_env` or `routing_key_file`."""

    def send(message: Message) -> Receipt:
        told = message.payload
        if is_afterthought(told):
            # It would open the incident anew.
            return TAKEN
        # PagerDuty knows an incident only by the key under which it was opened.
        place, key = _key(options, message.thread or {}, outside)
        event = _event(told, key)
        body = json.dumps(event).encode()
        headers = {"content-type": "application/json"}
        post(options.get("url") or ADDRESS, body, headers, outside, spoken="PagerDuty")
        return TAKEN if message.thread else Receipt(thread=place)

    return send


def _key(
    options: Mapping[str, Any], pinned: Mapping[str, str], outside: Outside
) -> tuple[dict[str, str], str]:
    """Where the key is, and the key: that of the beginning, unless nothing is there any more."""
    names = ("routing_key_env", "routing_key_file")
    for given in (pinned, options):
        place = {name: given[name] for name in names if given.get(name)}
        try:
            if (key := outside.secret(place, "routing_key")) is not None:
                return place, key
        except DeliveryError:
            if given is options:
                raise
    return {}, outside.needed(options, "routing_key")


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
                "what": recovery(told) or told["text"],
                "details": sentences(told)[:_MOST_DETAILS],
                "causes": [cause["sentence"] for cause in told["causes"]],
                "incident": told["incident"],
            },
        },
        "links": [{"href": url, "text": words} for words, url in links(told)],
    }
