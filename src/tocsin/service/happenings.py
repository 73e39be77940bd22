"""Where the runs of an alert differ from its stored episodes, and so what is to be done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tocsin.records.alerts import Episode
from tocsin.rules import Rule, Seen, Span
from tocsin.service.looking import Look

# Of windows that were missed, so many of the newest are told to people.
_TOLD_WINDOWS = 48
_JUDGED = (Seen.BREACH, Seen.BETWEEN, Seen.CLEAR)
_RETRACTED = "what came later shows no breach any more"
_PARTED = "what came later shows that it was well for a while; it began anew"
_REINSTATED = "what came later shows the breach after all"
_VANISHED = "its series is not there any more"


class Kind(StrEnum):
    """What happens to an episode."""

    FIRED = "fired"
    FLAPPING = "flapping"
    RESOLVED = "resolved"
    REVISED = "revised"


_ORDER = list(Kind)


@dataclass(frozen=True)
class Happening:
    """Something that happens to an episode: one that is stored, or the one of a span.

    at: window end. span: of what begins, or as the episode is from now on.
    told: whether people are to be told, or the timeline only. late: the window had
    been judged before. retracted: revised windows show no breach any more. text: what to say.
    """

    at: int
    kind: Kind
    episode: Episode | None = None
    rule: Rule | None = None
    instance: str = ""
    span: Span | None = None
    told: bool = True
    late: bool = False
    retracted: bool = False
    text: str = ""

    @property
    def order(self) -> int:
        """At one time, what fires comes first."""
        return _ORDER.index(self.kind)


def differences(
    look: Look, instance: str, spans: Sequence[Span], episodes: Sequence[Episode]
) -> list[Happening]:
    """What to do about one alert.

    spans: as they follow from all that was seen. episodes: those stored, that may overlap them.
    """
    found, episodes = _split(look, instance, spans, episodes)
    taken: set[str] = set()
    for span in spans:
        # The one that goes on first: an earlier one of the same run is over and was told.
        matching = sorted(
            (e for e in episodes if e.id not in taken and span.overlaps(e.started, e.resolved)),
            key=lambda e: (e.resolved is not None, e.retracted, -e.fired),
        )
        episode = matching[0] if matching else None
        if episode is None or (episode.resolved is not None and span.resolved is None):
            found += _begun(look, instance, span)
        else:
            found += _gone_on(episode, span)
        taken |= {e.id for e in matching}
    for episode in episodes:
        if episode.id not in taken and episode.fired >= look.histories[instance].first:
            found += _without_breach(look, episode)
    return found


def _split(
    look: Look, instance: str, spans: Sequence[Span], episodes: Sequence[Episode]
) -> tuple[list[Happening], list[Episode]]:
    """An open episode whose run a revision parts in two goes on with the later part.

    People know of that breach: the earlier part goes on record, and nobody is told again.
    """
    for episode in episodes:
        before = [span for span in spans[:-1] if span.overlaps(episode.started, episode.fired)]
        if episode.resolved is not None or not before or spans[-1].resolved is not None:
            continue
        ended = before[-1].resolved
        assert ended is not None
        if look.before[instance].at(ended) in _JUDGED:
            later = replace(episode, started=spans[-1].started, fired=spans[-1].fired)
            moved = Happening(
                later.fired, Kind.REVISED, episode, span=spans[-1], told=False, text=_PARTED
            )
            return [moved], [later if e is episode else e for e in episodes]
    return [], list(episodes)


def _begun(look: Look, instance: str, span: Span) -> list[Happening]:
    """A run of which nobody knows."""
    late = look.before[instance].at(span.fired) in _JUDGED
    recent = span.fired > look.newest - _TOLD_WINDOWS * look.every
    told = span.resolved is None or (recent and not late)
    text = look.breaches.get((instance, span.fired), "")
    fired = Happening(
        span.fired,
        Kind.FIRED,
        rule=look.rule,
        instance=instance,
        span=span,
        told=told,
        late=late,
        text=text,
    )
    found = [fired]
    if span.flapping is not None:
        found.append(replace(fired, at=span.flapping, kind=Kind.FLAPPING, text=""))
    if span.resolved is not None:
        found.append(replace(fired, at=span.resolved, kind=Kind.RESOLVED, text=_why(span)))
    return found


def _gone_on(episode: Episode, span: Span) -> list[Happening]:
    """A run whose episode is stored."""
    found = []
    if span.flapping is not None and episode.flapping is None and episode.resolved is None:
        found.append(Happening(span.flapping, Kind.FLAPPING, episode))
    if span.resolved is not None and episode.resolved is None:
        found.append(Happening(span.resolved, Kind.RESOLVED, episode, text=_why(span)))
    if episode.retracted:
        # It was taken back, and that was wrong: its windows are in breach after all.
        found.append(Happening(span.fired, Kind.REVISED, episode, told=False, text=_REINSTATED))
    return found


def _without_breach(look: Look, episode: Episode) -> list[Happening]:
    """An episode in whose windows there is no breach any more."""
    if episode.resolved is None:
        at = max(look.newest, episode.fired)
        return [Happening(at, Kind.RESOLVED, episode, retracted=True, text=_RETRACTED)]
    if episode.retracted:
        return []
    at = episode.resolved
    return [Happening(at, Kind.REVISED, episode, told=False, retracted=True, text=_RETRACTED)]


def _why(span: Span) -> str:
    return _VANISHED if span.vanished else ""
