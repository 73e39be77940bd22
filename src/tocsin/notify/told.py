"""What a payload says, of one alert or of a group: all channels read it here."""

from typing import Any

Told = dict[str, Any]


def alerts_of(told: Told) -> list[Told]:
    """The alerts that a payload is about: those of a group, else itself."""
    return told.get("alerts") or [told]


def is_firing(told: Told) -> bool:
    """Whether something is wrong, as far as this message knows."""
    return bool(told["event"] != "resolved")


def cancels(first: Told, later: Told) -> bool:
    """Whether a message says that all is over that the one before it would begin."""
    begun, over = ({alert.get("episode") for alert in alerts_of(t)} for t in (first, later))
    return first["event"] == "fired" and later["event"] == "resolved" and begun == over


def fired_and_resolved(first: Told, later: Told) -> Told:
    """What is told of both at once, when the first could not be sent in time."""
    note = f"It fired and resolved before this could be sent: {first.get('text', '')}".rstrip(": ")
    return {**later, "title": f"{first['title']}; resolved since", "note": note}
