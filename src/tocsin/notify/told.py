"""What a payload says, of one alert or of a group: all channels read it here."""

from typing import Any

Told = dict[str, Any]
# Kinds of receivers that know each alert by a key, and group for themselves: one message an alert.
BY_KEY = ("alertmanager", "pagerduty")
# The event of a message by which somebody tries a receiver.
TEST = "test"
# As many alerts of a group as are named one by one.
_MOST_MEMBERS = 10


def alerts_of(told: Told) -> list[Told]:
    """The alerts that a payload is about: those of a group, else itself."""
    return told.get("alerts") or [told]


def is_over(told: Told) -> bool:
    """Whether nothing is wrong any more, as far as this message knows."""
    return bool(told["event"] in ("resolved", TEST))


def is_well(told: Told) -> bool:
    """Whether nothing fires any more of all that a conversation is about."""
    return is_over(told) and not told.get("still_firing")


def is_afterthought(told: Told) -> bool:
    """Whether it is for those who read on, and nobody is to be called for it."""
    return bool(told["event"] == "revised")


def heading(told: Told) -> str:
    """What is read first: what the rule says itself, or else what happened."""
    own = told.get("summary") if told["event"] == "fired" else ""
    return f"{told['model']}: {own or told['title']}"


def sentences(told: Told) -> list[str]:
    """What happened, by how much, since when and where; then the first causes."""
    begins = told["event"] in ("fired", TEST)
    # The heading is the rule's own sentence or has the text in it.
    text = told.get("text", "") if begins else ""
    members = alerts_of(told)
    several = len(members) > 1
    listed = [_member(alert) for alert in members[:_MOST_MEMBERS]] if several else []
    more = len(members) - _MOST_MEMBERS
    found = [
        told.get("note", ""),
        next((alert["escalated"] for alert in members if alert.get("escalated")), ""),
        text,
        "" if several else recovery(told),
        *facts_of(told.get("facts") or {}),
        *listed,
        f"and {more} more alerts" if more > 0 else "",
        _others(told.get("still_firing", 0)),
        *(why(cause) for cause in told.get("causes", []) if begins),
    ]
    return [sentence for sentence in found if sentence]


def _member(alert: Told) -> str:
    """An alert of a group in one line."""
    now = recovery(alert)
    return f"{alert['title']}. {now}" if now else str(alert["title"])


def recovery(alert: Told) -> str:
    """Of what is over: what the number is now, what it was at worst, and for how long it fired.

    >>> recovery({"event": "resolved", "facts": {"title": "ROC AUC", "value": 0.81, "low": 0.79,
    ...           "high": 0.83, "clear": 0.72, "worst": 0.63, "lasted": "3h"}})
    'ROC AUC is 0.81 (0.79 to 0.83), clear of 0.72; it was 0.63 at worst; it fired for 3h'
    """
    facts = alert.get("facts") or {}
    if alert.get("event") != "resolved":
        return ""
    parts = []
    value, limit = facts.get("value"), facts.get("clear")
    if value is not None:
        clear = "" if limit is None else f", clear of {limit:.3g}"
        parts.append(f"{facts['title']} is {value:.3g}{_interval(facts)}{clear}")
    if facts.get("worst") is not None:
        parts.append(f"it was {facts['worst']:.3g} at worst")
    if facts.get("lasted"):
        parts.append(f"it fired for {facts['lasted']}")
    said = "; ".join(parts)
    return said[:1].upper() + said[1:]


def _interval(facts: Told) -> str:
    low, high = facts.get("low"), facts.get("high")
    return "" if low is None or high is None else f" ({low:.3g} to {high:.3g})"


def _others(count: int) -> str:
    """What else of a group fires, of which a message says nothing."""
    if not count:
        return ""
    return "1 more alert still fires" if count == 1 else f"{count} more alerts still fire"


def facts_of(facts: Told) -> list[str]:
    """The number with its interval, since when, and of which version and segment.

    >>> facts_of({"title": "ROC AUC", "value": 0.61, "low": 0.58, "high": 0.64, "n": 960,
    ...           "window": "24h", "since": "2013-07-14T10:00:00Z", "version": "3"})
    ['ROC AUC 0.61 (0.58 to 0.64) over 24h, n = 960', 'Since 2013-07-14 10:00Z, version 3']
    """
    number = ""
    if facts.get("value") is not None:
        interval = _interval(facts)
        over = f" over {facts['window']}" if facts.get("window") else ""
        number = f"{facts['title']} {facts['value']:.3g}{interval}{over}, n = {facts['n']:,}"
    parts = [
        f"since {moment(facts['since'])}" if facts.get("since") else "",
        f"version {facts['version']}" if facts.get("version") else "",
        f"segment {facts['segment']}" if facts.get("segment") else "",
    ]
    where = ", ".join(part for part in parts if part)
    return [line for line in (number, where[:1].upper() + where[1:]) if line]


def why(cause: Told) -> str:
    """A cause as one sentence among others."""
    return f"Why? {cause['sentence']}"


def about(told: Told) -> str:
    """How urgent it is, what it is about, and when that was."""
    return f"{told['severity']} · {told['category']} · window until {moment(told['window_end'])}"


def links(told: Told) -> list[tuple[str, str]]:
    """(words, address) of where to go on."""
    runbook = told.get("runbook_url")
    return [("Open the incident", told["url"]), *([("Runbook", runbook)] if runbook else [])]


def moment(text: str) -> str:
    """A time as it is read: to the minute.

    >>> moment("2013-07-15T10:00:00Z")
    '2013-07-15 10:00Z'
    """
    return f"{text[:16].replace('T', ' ')}Z"


def short(text: str, most: int) -> str:
    """A text that a provider takes: cut where it has to be, which is said."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def begins(alert: Told) -> bool:
    """Whether it says that an alert fires."""
    return bool(alert["event"] not in ("resolved", TEST))


def is_first(alert: Told) -> bool:
    """Whether nothing was written of it before to whom it is told."""
    return bool(alert.get("first", alert.get("notice", "new") in ("new", "brief")))


def fired_and_resolved(first: Told, later: Told) -> Told:
    """What is told of both at once, when the first could not be sent in time."""
    note = f"It fired and resolved before this could be sent: {first.get('text', '')}".rstrip(": ")
    return {**later, "title": f"{first['title']}; resolved since", "note": note}
