"""Let rules see evaluations: remember what each saw, and act on what follows from that.

No step is taken twice: the runs of an alert follow from all that was seen of it, and where they
differ from the stored episodes there is something to do. Late labels, revised windows and restarts
need no path of their own.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.records import alerts
from tocsin.records.alerts import Episode
from tocsin.records.evaluations import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.rules import History
from tocsin.service.happenings import Happening, Kind, differences
from tocsin.service.incidents import Acting
from tocsin.service.looking import Look, looked
from tocsin.service.notify import Notify
from tocsin.values import WindowSpec

_Key = tuple[str, str]
_REMOVED = "its rule was removed"


class Alerting:
    """The rules of all models; what they saw is in the records only."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify

    def step(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        found: Mapping[WindowSpec, Sequence[Evaluation]],
        *,
        now: int,
    ) -> None:
        """Show every rule the new and revised windows, and act on what that changes."""
        histories = alerts.tracked(connection, record.id)
        looks = [
            looked(rule, spec, windows, monitor, _of_rule(histories, rule.name))
            for rule in monitor.rules
            for spec, windows in found.items()
            if spec.size == rule.window and windows
        ]
        known = _by_key(alerts.episodes_since(connection, record.id, _oldest(histories)))
        happenings = self._without_rule(connection, record, monitor, histories, known, now)
        for look in looks:
            for instance, history in look.histories.items():
                key = (look.rule.name, instance)
                state, spans = history.fold(look.rule)
                alerts.save_tracked(connection, record.id, *key, history, state)
                happenings += differences(look, instance, spans, known.get(key, []))
        acting = Acting(connection, record, monitor, self._notify, found, now)
        for happening in sorted(happenings, key=lambda h: (h.at, h.order)):
            acting.act(happening)
        breached = [e for look in looks if (e := _still_breached(look)) is not None]
        if breached:
            acting.look_again(max(breached, key=lambda e: e.window.end))

    def _without_rule(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        histories: Mapping[_Key, History],
        known: Mapping[_Key, Sequence[Episode]],
        now: int,
    ) -> list[Happening]:
        """Forget the alerts of rules that the monitor does not have any more, and end them."""
        names = {rule.name for rule in monitor.rules}
        for rule, instance in histories:
            if rule not in names:
                alerts.forget_tracked(connection, record.id, rule, instance)
        at = record.newest_event or now
        return [
            Happening(max(at, episode.fired), Kind.RESOLVED, episode=episode, text=_REMOVED)
            for (rule, _), episodes in known.items()
            if rule not in names
            for episode in episodes
            if episode.resolved is None
        ]


def _of_rule(histories: Mapping[_Key, History], rule: str) -> dict[str, History]:
    return {instance: history for (name, instance), history in histories.items() if name == rule}


def _by_key(episodes: Sequence[Episode]) -> dict[_Key, list[Episode]]:
    found: dict[_Key, list[Episode]] = {}
    for episode in episodes:
        found.setdefault((episode.rule, episode.instance), []).append(episode)
    return found


def _oldest(histories: Mapping[_Key, History]) -> int:
    """Where the oldest history begins: episodes that were over before cannot change."""
    return min((history.first for history in histories.values()), default=0)


def _still_breached(look: Look) -> Evaluation | None:
    """The newest window in breach of an alert that goes on."""
    open_ = {
        instance
        for instance, history in look.histories.items()
        if (spans := history.fold(look.rule)[1]) and spans[-1].resolved is None
    }
    ends = [end for instance, end in look.breaches if instance in open_]
    return look.windows[max(ends)] if ends else None
