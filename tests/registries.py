"""A registry whose every answer can be chosen, and a clock beside it."""

from typing import TYPE_CHECKING

from tocsin.registry import RegisteredVersion, Registry, RegistryState

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = 1_700_000_000_000_000


class FakeRegistry(Registry):
    """A registry in memory; `interrupt` is called with the name of each call before it is made."""

    def __init__(self) -> None:
        super().__init__("http://mlflow.test")
        self.aliases = {"champion": "1"}
        self.statuses = {"1": "READY", "2": "READY", "3": "READY", "4": "PENDING_REGISTRATION"}
        self.tags: dict[tuple[str, str], str] = {}
        self.interrupt: Callable[[str], None] = lambda _: None

    def state(self, registered: str) -> RegistryState:
        self.interrupt("state")
        versions = tuple(RegisteredVersion(v, s, NOON, "run") for v, s in self.statuses.items())
        return RegistryState(registered, versions, dict(self.aliases))

    def alias(self, _registered: str, alias: str) -> str | None:
        self.interrupt("alias")
        return self.aliases.get(alias)

    def set_alias(self, _registered: str, alias: str, version: str) -> None:
        self.interrupt("set")
        self.aliases[alias] = version
        self.interrupt("after set")

    def set_tags(self, _registered: str, version: str, tags: dict[str, str]) -> None:
        self.interrupt("tags")
        self.tags |= {(version, name): text for name, text in tags.items()}


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now
