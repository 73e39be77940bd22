"""Who is told of an alert, when and with which others: pure, without clock and records."""

from tocsin.routing.alert import Alert
from tocsin.routing.configured import Routing
from tocsin.routing.inhibition import DEFAULT_INHIBIT_RULES, Inhibited, InhibitRule, inhibited_by
from tocsin.routing.matchers import (
    Labels,
    Match,
    Matcher,
    all_match,
    parse_matcher,
    parse_matchers,
)
from tocsin.routing.mute import Interval, MuteTime, muted_by
from tocsin.routing.notice import Decision, Hold, Notice, Reason, Tell, decide, next_flush
from tocsin.routing.silence import Silence, silenced_by
from tocsin.routing.tree import (
    EVERY_LABEL,
    GROUP_INTERVAL,
    GROUP_WAIT,
    REPEAT_INTERVAL,
    Branch,
    Escalation,
    Route,
    branches,
    default_route,
    escalated_to,
    nodes,
    told_by,
    unreachable,
)

__all__ = [
    "DEFAULT_INHIBIT_RULES",
    "EVERY_LABEL",
    "GROUP_INTERVAL",
    "GROUP_WAIT",
    "REPEAT_INTERVAL",
    "Alert",
    "Branch",
    "Decision",
    "Escalation",
    "Hold",
    "InhibitRule",
    "Inhibited",
    "Interval",
    "Labels",
    "Match",
    "Matcher",
    "MuteTime",
    "Notice",
    "Reason",
    "Route",
    "Routing",
    "Silence",
    "Tell",
    "all_match",
    "branches",
    "decide",
    "default_route",
    "escalated_to",
    "inhibited_by",
    "muted_by",
    "next_flush",
    "nodes",
    "parse_matcher",
    "parse_matchers",
    "silenced_by",
    "told_by",
    "unreachable",
]
