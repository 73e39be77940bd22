"""Silences: made, listed with what they cover, and ended; each with an audit record."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import parse_silence
from tocsin.errors import InvalidInputError
from tocsin.records import Records, audit, changes, notices, silences
from tocsin.records.alerts import Episode
from tocsin.routing import Matcher, Silence, all_match, parse_matchers
from tocsin.service.clock import Clock
from tocsin.values import isoformat

MOST_LISTED = 500


@dataclass(frozen=True)
class Covering:
    """A silence, its state now, and the firing alerts that it is about."""

    silence: Silence
    state: str
    episodes: tuple[Episode, ...]


class Silences:
    """Reads and changes silences."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def add(self, document: dict[str, Any], *, actor: str) -> Covering:
        """Make a silence. Raises: InvalidInputError with all faults."""
        now = self._clock()
        silence = parse_silence(document, author=actor, now=now)
        with self._records.write() as connection:
            number = silences.add(connection, silence, now=now)
            made = Silence(**{**silence.__dict__, "id": number})
            _audit(
                connection, "silence.added", made, actor=made.author, after=_plain(made), now=now
            )
            return _covering(connection, made, now)

    def expire(self, number: int, *, actor: str) -> Covering | None:
        """End a silence now; None when there is none. One that is over stays as it was."""
        now = self._clock()
        with self._records.write() as connection:
            found = silences.find(connection, number)
            if found is None:
                return None
            if found.state(now) != "expired":
                silences.expire(connection, number, now=now)
                _audit(
                    connection, "silence.expired", found, actor=actor, before=_plain(found), now=now
                )
            ended = silences.find(connection, number)
            assert ended is not None
            return _covering(connection, ended, now)

    def listed(self, *, expired: bool = False) -> list[Covering]:
        """The newest first, with what each covers now; those that are over only if asked for."""
        now = self._clock()
        with self._records.read() as connection:
            firing = _firing(connection)
            found = silences.listed(
                connection, not_over_at=None if expired else now, limit=MOST_LISTED
            )
        return [Covering(s, s.state(now), _covered(s.matchers, firing)) for s in found]

    def preview(self, matchers: str) -> tuple[Episode, ...]:
        """The firing alerts that matchers cover now. Raises: InvalidInputError."""
        parsed = parse_matchers(matchers)
        if not parsed:
            raise InvalidInputError('write at least one matcher, such as model="flights"')
        with self._records.read() as connection:
            return _covered(parsed, _firing(connection))


def _firing(connection: Connection) -> list[Episode]:
    return [standing.episode for standing in notices.firing(connection)]


def _covered(matchers: tuple[Matcher, ...], firing: list[Episode]) -> tuple[Episode, ...]:
    return tuple(episode for episode in firing if all_match(matchers, episode.labels))


def _covering(connection: Connection, silence: Silence, now: int) -> Covering:
    covered = _covered(silence.matchers, _firing(connection))
    return Covering(silence, silence.state(now), covered)


def _plain(silence: Silence) -> dict[str, Any]:
    return {
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": isoformat(silence.start),
        "ends_at": isoformat(silence.end),
    }


def _audit(
    connection: Connection, event: str, silence: Silence, *, actor: str, now: int, **documents: Any
) -> None:
    deed = audit.Deed(
        actor, "none", event, f"silence/{silence.id}", reason=silence.comment, **documents
    )
    audit.append(connection, deed, now=now)
    changes.announce(connection, "silences", now=now)
