"""Aliases and their moves as people read them."""

from tocsin.records.aliases import AliasMove
from tocsin.service.aliases import History
from tocsin.values import MINUTE
from tocsin.web.words import lasting


def standing(history: History) -> str:
    """Where the aliases of a model are, as a sentence."""
    if not history.aliases:
        return "No alias is known."
    parts = [f"{alias} is at version {at}" for alias, at in history.aliases.items()]
    return f"{', '.join(parts)}."


def known_by(move: AliasMove) -> str:
    """How a move is known, and how exactly."""
    if move.first_seen:
        return "first look; since when is unknown"
    if move.source == "tocsin":
        return "moved from here"
    if move.source == "webhook":
        return "told by MLflow"
    assert move.after_at is not None
    return f"noticed within {lasting(max(move.moved_at - move.after_at, MINUTE))}"
