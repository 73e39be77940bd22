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
from tocsin.records.evaluation import Evaluation
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
        for look in looks:
            for instance, evaluation in _to_look_again(look):
                acting.look_again(look.rule, instance, evaluation)

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


def _to_look_again(look: Look) -> list[tuple[str, Evaluation]]:
    """Windows in breach of alerts that go on, or went on until this step, by instance and time.

    The newest, and those one, two, four and so on windows after an alert fired: what is found of an
    alert is not to depend on how many windows came at once, nor is each of them to be looked at.
    """
    ends: dict[str, list[int]] = {}
    for instance, end in sorted(look.breaches):
        ends.setdefault(instance, []).append(end)
    found = []
    for instance, breached in ends.items():
        spans = look.histories[instance].fold(look.rule)[1]
        if not spans or not (spans[-1].resolved is None or spans[-1].resolved in look.windows):
            continue
        last = spans[-1]
        later = [end for end in breached if end > last.fired]
        chosen = {end for end in later if _is_in_turn(end - last.fired, look.rule.window)}
        chosen |= set(later[-1:]) if last.resolved is None else set()
        # A window in which it fired is looked at again when it was revised.
        chosen |= {last.fired} & set(breached)
        found += [(instance, look.windows[end]) for end in sorted(chosen)]
    return found


def _is_in_turn(after: int, size: int) -> bool:
    """Whether a window is 1, 2, 4, 8, ... windows after the first."""
    count, rest = divmod(after, size)
    return rest == 0 and count & (count - 1) == 0
