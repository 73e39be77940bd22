"""Messages that waited so long that the next one says all there is to say."""

from collections.abc import Iterator
from typing import Any

from tocsin.notify.told import alerts_of, begins, fired_and_resolved, is_first
from tocsin.service.message import group_notification

Told = dict[str, Any]


def collapsed(first: Told, later: Told, *, by_key: bool, told_other: bool = False) -> Told | None:
    """One message in place of two that nobody got: what of them holds, newest state of each alert.

    by_key: whether the receiver knows alerts by a key, and wants the beginning and the end of a
    critical one. told_other: whether somebody else was told the first instead, and has to hear the
    end. Returns: what `later` is to say; empty where all is over that nobody heard of; None where
    both have to be sent.
    """
    before = {alert.get("episode"): alert for alert in alerts_of(first)}
    after = {alert.get("episode"): alert for alert in alerts_of(later)}
    if None in before or None in after:
        return None
    pairs = [(before[key], after[key]) for key in before.keys() & after.keys()]
    if by_key and any(_came_and_went(a, b) and _critical(b) for a, b in pairs):
        return None
    kept = list(_kept(before, after, told_other=told_other))
    if not kept:
        return {}
    return _message(first, later, kept)


def _kept(before: dict[Any, Told], after: dict[Any, Told], *, told_other: bool) -> Iterator[Told]:
    for key, alert in before.items():
        if key not in after:
            yield alert
    for key, alert in after.items():
        known = before.get(key)
        if known is None:
            yield alert
        elif _came_and_went(known, alert):
            if _critical(alert) or told_other:
                yield fired_and_resolved(known, alert)
        else:
            yield _newest(known, alert)


def _newest(known: Told, alert: Told) -> Told:
    """What is said of an alert by the later of two messages, to who did not get the first."""
    if not begins(alert):
        return alert
    if not (begins(known) and is_first(known)):
        # Whoever was to hear that it is over knows that it fired, and hears of its end one day.
        return {**alert, "first": False}
    # Whoever never heard of it is not told that it still fires.
    title = known["title"] if alert.get("notice") == "repeated" else alert["title"]
    same: Told = {key: known[key] for key in ("notice", "first", "reason") if key in known}
    return {**alert, **same, "title": title}


def _came_and_went(known: Told, alert: Told) -> bool:
    return begins(known) and is_first(known) and not begins(alert)


def _critical(alert: Told) -> bool:
    return alert.get("severity") == "critical"


def _message(first: Told, later: Told, kept: list[Told]) -> Told:
    """The payload of what is kept; it counts what else fires as of the later message."""
    about = {alert.get("episode") for alert in alerts_of(later)}
    added = sum(begins(alert) for alert in kept if alert.get("episode") not in about)
    firing = later.get("still_firing", 0) - added
    alone = [{k: v for k, v in alert.items() if k != "still_firing"} for alert in kept]
    if len(alone) == 1:
        note = alone[0].get("note") or later.get("note") or first.get("note")
        made = {**alone[0], "note": note} if note else alone[0]
    else:
        base_url = later["url"].rsplit("/incidents", 1)[0]
        labels = later.get("group") or first.get("group") or {}
        made = group_notification(alone, labels, base_url=base_url)
    return {**made, "still_firing": firing} if firing > 0 else made
