"""Alerts that keep others quiet: what is broken upstream explains what is broken downstream."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.routing.alert import Alert
from tocsin.routing.matchers import Labels, Match, Matcher, all_match
from tocsin.values import DAY


@dataclass(frozen=True)
class InhibitRule:
    """While a source fires, targets that are like it in `equal` are not told.

    Unlike in Alertmanager, one of the equal labels has to be there: two alerts that both lack them
    are not alike. max_duration: microseconds from when both fire, after which the target is told.
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]
    max_duration: int = DAY

    def inhibits(self, source: Alert, target: Alert, now: int) -> bool:
        """Whether the source keeps the target quiet now.

        After the source is over the target is held until its own rule looked once more, so that
        what the source caused has the chance to be over too.
        """
        return (
            source.id != target.id
            and all_match(self.source, source.labels)
            and all_match(self.target, target.labels)
            and not self._both(source.labels, target.labels)
            and _alike(self.equal, source.labels, target.labels)
            and (source.resolved is None or (target.judged or 0) <= source.resolved)
            and now - max(source.fired_at, target.fired_at) < self.max_duration
        )

    def _both(self, source: Labels, target: Labels) -> bool:
        """Whether each could keep the other quiet: then nobody would be told of either."""
        return all_match(self.target, source) and all_match(self.source, target)


@dataclass(frozen=True)
class Inhibited:
    """By which alert."""

    rule: InhibitRule
    source: Alert


def inhibited_by(
    rules: Iterable[InhibitRule], sources: Iterable[Alert], target: Alert, now: int
) -> Inhibited | None:
    """What keeps an alert quiet now, None when nothing does."""
    known = list(sources)
    for rule in rules:
        if all_match(rule.target, target.labels):
            for source in known:
                if rule.inhibits(source, target, now):
                    return Inhibited(rule, source)
    return None


def _alike(names: tuple[str, ...], one: Labels, other: Labels) -> bool:
    same = all(one.get(name, "") == other.get(name, "") for name in names)
    return same and any(one.get(name) for name in names)


# What spoils the data of a model explains why it performs badly.
DEFAULT_INHIBIT_RULES = (
    InhibitRule(
        source=(Matcher("category", Match.EQUAL, "data_quality"),),
        target=(Matcher("category", Match.EQUAL, "performance"),),
        equal=("model",),
    ),
)
