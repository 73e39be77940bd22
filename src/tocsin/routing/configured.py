"""All that is configured of who is told."""

from dataclasses import dataclass

from tocsin.routing.inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from tocsin.routing.mute import MuteTime
from tocsin.routing.tree import Route, default_route


@dataclass(frozen=True)
class Routing:
    """Who is told, what keeps alerts quiet, and when nobody is told. root: None where none is."""

    root: Route | None = None
    inhibit_rules: tuple[InhibitRule, ...] = DEFAULT_INHIBIT_RULES
    mute_times: tuple[MuteTime, ...] = ()

    def tree(self, receivers: tuple[str, ...]) -> Route:
        """The root of the tree; where none is written all receivers are told."""
        return default_route(receivers) if self.root is None else self.root
