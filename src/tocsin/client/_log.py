"""Warnings that say a thing once and leave the rest to the counters."""

import logging

logger = logging.getLogger("tocsin")


class Warnings:
    """Warns once about each topic, until the topic is resolved."""

    def __init__(self) -> None:
        self._said: dict[str, object] = {}

    def warn(self, topic: str, message: str) -> None:
        """Warn, unless it was already warned about this topic."""
        token = object()
        # setdefault is atomic: two threads cannot both be the first.
        if self._said.setdefault(topic, token) is token:
            logger.warning("%s (said once; client.stats counts the rest)", message)

    def resolve(self, topic: str) -> bool:
        """Let the topic be warned about again; True if it had been."""
        return self._said.pop(topic, None) is not None


def told(error: BaseException) -> str:
    """What an error says, even one of a host whose text raises."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - the error is the host's
        return type(error).__name__
