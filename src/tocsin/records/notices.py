"""What is to be told of alerts, in which groups, and what each receiver was told."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.ids import uuid7
from tocsin.records.alerts import Episode
from tocsin.records.given_ids import next_id
from tocsin.records.tables import alert_groups, alert_states, episodes, news, notices
from tocsin.routing import Alert, Hold, Notice, Reason

FIRED = "fired"
# A clock that was put back further than this is not waited for.
_MOST_BACK = 60_000_000


@dataclass(frozen=True)
class Group:
    """Alerts of one receiver and some labels.

    flush_at: when it is looked at next, None while nothing is open. flushed_at: the last time, None
    before the first since something is. messages: how many it had.
    """

    id: str
    receiver: str
    labels: dict[str, str]
    flush_at: int | None
    flushed_at: int | None
    messages: int


@dataclass(frozen=True)
class Standing:
    """An episode with what its news say of it.

    news_id, event, window_end: of the newest. fired_at: wall time at which it fired, the last time.
    judged: end of the newest window that its rule looked at.
    """

    episode: Episode
    news_id: int
    event: str
    window_end: int
    fired_at: int
    judged: int | None

    @property
    def alert(self) -> Alert:
        """As routing sees it."""
        e = self.episode
        return Alert(e.id, e.labels, self.fired_at, e.resolved, self.judged)


@dataclass(frozen=True)
class Told:
    """Where a receiver stands with an episode.

    tellings: how often it was told that it fires. rounds: how often that fired again. escalated:
    who wanted it told there, and why.
    """

    standing: Standing
    receiver: str
    group_id: str
    notice: Notice
    tellings: int
    rounds: int
    escalated: str | None = None


def add_news(
    connection: Connection, episode_id: str, event: str, *, window_end: int, now: int
) -> int:
    """Store news of an episode; its number."""
    number = next_id(connection, news)
    of = sa.select(episodes.c.model_id).where(episodes.c.id == episode_id).scalar_subquery()
    connection.execute(
        news.insert().values(
            id=number,
            model_id=of,
            episode_id=episode_id,
            event=event,
            window_end=window_end,
            recorded_at=now,
        )
    )
    return number


def group_of(connection: Connection, receiver: str, labels: Mapping[str, str]) -> Group:
    """The group of a receiver and labels that has something open, or a new one.

    One that is over is not taken up again: a conversation of last month is another one.
    """
    key = json.dumps(labels, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    g = alert_groups.c
    mine = (g.receiver == receiver) & (g.labels == key) & g.flush_at.is_not(None)
    found = _groups(connection, mine)
    if found:
        return max(found, key=lambda group: group.id)
    values = {"id": uuid7(), "receiver": receiver, "labels": key, "messages": 0}
    connection.execute(alert_groups.insert().values(values))
    return _groups(connection, g.id == values["id"])[0]


def groups(connection: Connection, ids: Collection[str]) -> list[Group]:
    """Groups by their ids."""
    return _groups(connection, alert_groups.c.id.in_(ids))


def due_groups(connection: Connection, *, now: int, limit: int) -> list[Group]:
    """The groups that are to be looked at, the longest due first."""
    g = alert_groups.c
    # What a clock far ahead set would otherwise wait until that time comes.
    due = (g.flush_at <= now) | (g.set_at > now + _MOST_BACK)
    return _groups(connection, g.flush_at.is_not(None) & due, limit)


def set_flush(connection: Connection, group_id: str, at: int, *, now: int) -> None:
    """Let a group be looked at then."""
    mine = alert_groups.update().where(alert_groups.c.id == group_id)
    connection.execute(mine.values(flush_at=at, set_at=now))


def flush_soon(connection: Connection, at: int, *, now: int) -> None:
    """Let no group wait for longer than until then."""
    later = alert_groups.update().where(alert_groups.c.flush_at > at)
    connection.execute(later.values(flush_at=at, set_at=now))


def flushed(
    connection: Connection, group: Group, *, messages: int, again: int | None, now: int
) -> None:
    """Record that a group was looked at, and when it will be again."""
    mine = alert_groups.update().where(alert_groups.c.id == group.id)
    values = {"flush_at": again, "set_at": now, "flushed_at": now if again else None}
    connection.execute(mine.values(**values, messages=messages))


def open_notice(connection: Connection, episode_id: str, receiver: str, group_id: str) -> None:
    """Let a receiver be told of an episode; one that it knew to be over fires again.

    That stays in its group, so that its new trigger does not overtake its old resolve.
    """
    mine = _of(episode_id, receiver)
    again = {"told": False, "closed": False, "rounds": notices.c.rounds + 1}
    reopened = (
        notices.update()
        .where(mine, notices.c.closed)
        .values(**again, held_reason=None, held_words=None)
    )
    if connection.execute(reopened).rowcount:
        return
    moved = notices.update().where(mine, ~notices.c.told).values(group_id=group_id)
    if (
        connection.execute(moved).rowcount
        or connection.execute(sa.select(notices.c.receiver).where(mine)).first()
    ):
        return
    of = sa.select(episodes.c.model_id).where(episodes.c.id == episode_id).scalar_subquery()
    new = {"told": False, "told_at": 0, "tellings": 0, "news_id": 0, "rounds": 0, "closed": False}
    connection.execute(
        notices.insert().values(
            episode_id=episode_id, receiver=receiver, model_id=of, group_id=group_id, **new
        )
    )


def escalate(connection: Connection, episode_id: str, receiver: str, words: str) -> None:
    """Let an open notice be told now, whatever the routes say. words: who wants that, and why."""
    mine = notices.update().where(_of(episode_id, receiver))
    connection.execute(mine.values(escalated=words, told_at=0))


def save_notice(connection: Connection, of: Told, hold: Hold | None, **values: Any) -> None:
    """Record why an alert is held back, and whatever else became of it."""
    held = {
        "held_reason": None if hold is None else str(hold.reason),
        "held_words": None if hold is None else hold.words,
    }
    mine = _of(of.standing.episode.id, of.receiver)
    connection.execute(notices.update().where(mine).values(**held, **values))


def close_of_receiver(connection: Connection, receiver: str) -> None:
    """Let a receiver that is removed be told no more; if it comes back, it is told anew."""
    mine = notices.update().where(notices.c.receiver == receiver)
    connection.execute(mine.values(closed=True))


def not_told(connection: Connection, receiver: str, *, but: Collection[str]) -> None:
    """Let a receiver count as not told of what is open, but of these episodes."""
    mine = (notices.c.receiver == receiver) & ~notices.c.closed & notices.c.told
    known = set(connection.execute(sa.select(notices.c.episode_id).where(mine)).scalars())
    for episode in known - set(but):
        unheard = notices.update().where(_of(episode, receiver))
        connection.execute(unheard.values(told=False))


def told_again(connection: Connection, receiver: str, episode_ids: Collection[str]) -> None:
    """Let a receiver be told of the end of these once more: it did not hear of it."""
    for episode in episode_ids:
        unheard = notices.update().where(_of(episode, receiver))
        connection.execute(unheard.values(told=True, closed=False))


def told_pairs(connection: Connection) -> set[tuple[str, str]]:
    """(episode, receiver) of all who were told that something fires, and more is to come."""
    query = sa.select(notices.c.episode_id, notices.c.receiver)
    found = connection.execute(query.where(notices.c.told, ~notices.c.closed))
    return {(row.episode_id, row.receiver) for row in found}


def open_of_episode(connection: Connection, episode_id: str) -> list[Told]:
    """Where receivers stand with an episode of which more is to come."""
    return _told(connection, notices.c.episode_id == episode_id)


def open_of_group(connection: Connection, group_id: str) -> list[Told]:
    """What of a group is open, the oldest alert first."""
    return _told(connection, notices.c.group_id == group_id)


def firing(connection: Connection) -> list[Standing]:
    """The episodes that fire."""
    found = connection.execute(_STANDING.where(episodes.c.resolved.is_(None)))
    return [_standing(row) for row in found.mappings()]


def over_since(connection: Connection, window_end: int) -> list[Standing]:
    """The episodes that were over in a window that ended then or later."""
    found = connection.execute(_STANDING.where(episodes.c.resolved >= window_end))
    return [_standing(row) for row in found.mappings()]


def _of(episode_id: str, receiver: str) -> sa.ColumnElement[bool]:
    return (notices.c.episode_id == episode_id) & (notices.c.receiver == receiver)


_n = news.alias("n")
_OF_EPISODE = _n.c.episode_id == episodes.c.id
# For each episode by itself: all news there ever were are many more.
_NEWEST = sa.select(sa.func.max(_n.c.id)).where(_OF_EPISODE).correlate(episodes).scalar_subquery()
_FIRED_AT = (
    sa.select(sa.func.max(_n.c.recorded_at))
    .where(_OF_EPISODE, _n.c.event == FIRED)
    .correlate(episodes)
    .scalar_subquery()
)
_STANDING = (
    sa.select(
        episodes,
        news.c.id.label("news_id"),
        news.c.event.label("news_event"),
        news.c.window_end.label("news_window_end"),
        _FIRED_AT.label("fired_at"),
        alert_states.c.last_window.label("judged"),
    )
    .select_from(episodes)
    .join(news, news.c.id == _NEWEST)
    .outerjoin(
        alert_states,
        (alert_states.c.model_id == episodes.c.model_id)
        & (alert_states.c.rule == episodes.c.rule)
        & (alert_states.c.instance == episodes.c.instance),
    )
    .order_by(episodes.c.fired, episodes.c.id)
)


def _told(connection: Connection, wanted: sa.ColumnElement[bool]) -> list[Told]:
    columns = (
        notices.c.receiver,
        notices.c.group_id,
        notices.c.told,
        notices.c.told_at,
        notices.c.tellings,
        notices.c.rounds,
        notices.c.news_id.label("known"),
        notices.c.held_reason,
        notices.c.held_words,
        notices.c.escalated,
    )
    query = _STANDING.add_columns(*columns).join(notices, notices.c.episode_id == episodes.c.id)
    found = connection.execute(query.where(wanted, ~notices.c.closed)).mappings()
    return [
        Told(
            _standing(row),
            row["receiver"],
            row["group_id"],
            _notice(row),
            row["tellings"],
            row["rounds"],
            row["escalated"],
        )
        for row in found
    ]


def _notice(row: sa.RowMapping) -> Notice:
    # It was told nothing since somebody wanted that.
    asked = row["escalated"] is not None and row["told_at"] == 0
    news = row["known"] < row["news_id"]
    return Notice(row["told"], row["told_at"], news, _held(row), asked)


def _held(row: sa.RowMapping) -> Hold | None:
    reason = row["held_reason"]
    return None if reason is None else Hold(Reason(reason), row["held_words"])


def _standing(row: sa.RowMapping) -> Standing:
    fields = {c.name: row[c] for c in episodes.c if c.name != "model_id"}
    newest = row["news_id"], row["news_event"], row["news_window_end"]
    return Standing(Episode(**fields), *newest, row["fired_at"], row["judged"])


def _groups(
    connection: Connection, wanted: sa.ColumnElement[bool], limit: int | None = None
) -> list[Group]:
    g = alert_groups.c
    query = (
        sa.select(g.id, g.receiver, g.labels, g.flush_at, g.flushed_at, g.messages)
        .where(wanted)
        .order_by(g.flush_at, g.id)
        .limit(limit)
    )
    return [
        Group(row.id, row.receiver, json.loads(row.labels), *row[3:])
        for row in connection.execute(query)
    ]
