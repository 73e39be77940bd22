"""Evaluations: what was measured of a window, append-only, one row per revision."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.profiles import EVERYTHING
from tocsin.records.evaluation import (
    NOTHING,
    USUAL,
    Evaluation,
    decoded,
    encoded_measures,
    encoded_shifts,
    encoded_trends,
)
from tocsin.records.tables import evaluations
from tocsin.values import WindowSpec

# SQLite takes at most 999 parameters on some builds.
_MOST_PARAMETERS = 500


@dataclass(frozen=True)
class StoredQuality:
    """What was stored of the quality of a window, to be decoded only where it is looked at."""

    rows: int
    labelled: int
    plan: str
    packed: bytes | None

    def decoded(self) -> tuple[list[int], list[Any]]:
        """The counts, and the findings."""
        found = msgspec.msgpack.decode(self.packed or NOTHING)
        return found.get("counts", []), found.get("findings", [])


def append(connection: Connection, model_id: int, found: Sequence[Evaluation]) -> None:
    """Store evaluations."""
    if not found:
        return
    connection.execute(
        evaluations.insert(),
        [
            {
                "model_id": model_id,
                "segment": EVERYTHING,
                "window_size": e.window.end - e.window.start,
                "window_end": e.window.end,
                "revision": e.revision,
                "rows": e.rows,
                "labelled": e.labelled,
                "plan_digest": e.plan,
                "known_offset": e.known_offset,
                "known_at": e.known_at,
                "versions": dict(e.versions),
                "measures": encoded_measures(e.measures),
                "shifts": encoded_shifts(e.shifts),
                "delays": msgspec.msgpack.encode(e.delays),
                "estimates": msgspec.msgpack.encode(e.estimates),
                "quality": msgspec.msgpack.encode(e.quality),
                "trends": encoded_trends(e.trends),
            }
            for e in found
        ],
    )


def at(
    connection: Connection,
    model_id: int,
    size: int,
    ends: Collection[int],
    *,
    as_of: int | None = None,
) -> dict[int, Evaluation]:
    """The newest revision of each window of a size that ends at one of `ends`, by its end.

    as_of: a wall time; only what was known then.
    """
    found: dict[int, Evaluation] = {}
    for wanted in _parts(ends):
        for row in connection.execute(_newest(model_id, size, wanted, as_of=as_of)):
            found[row.window_end] = decoded(row)
    return found


def between(
    connection: Connection, model_id: int, size: int, ends: range, parts: Collection[str]
) -> dict[int, Evaluation]:
    """The newest revision of each window whose end is in a range, by its end.

    parts: which columns are decoded; the others are empty.
    """
    e = evaluations.c
    wanted = (e.window_end >= ends.start) & (e.window_end < ends.stop)
    wanted &= (e.window_end - ends.start) % ends.step == 0
    rows = connection.execute(_newest(model_id, size, wanted))
    return {row.window_end: decoded(row, parts) for row in rows}


def recorded_after(
    connection: Connection, model_id: int, after: int, limit: int
) -> tuple[list[Evaluation], int]:
    """Evaluations in the order in which they were recorded, and the id of the last of them."""
    e = evaluations.c
    mine = (e.model_id == model_id) & (e.segment == EVERYTHING) & (e.id > after)
    query = sa.select(evaluations).where(mine).order_by(e.id).limit(limit)
    rows = connection.execute(query).all()
    return [decoded(row) for row in rows], int(rows[-1].id) if rows else after


@dataclass(frozen=True)
class Kept:
    """Of a window what was estimated, and what came out.

    measures: (value, error, low, high, n) by metric, or (reason, n).
    """

    rows: int
    labelled: int
    measures: Mapping[str, Sequence[Any]]
    estimates: Mapping[str, Any]


def estimated(
    connection: Connection, model_id: int, size: int, ends: Collection[int]
) -> dict[int, Kept]:
    """The newest revision of windows by their end, as far as they have estimates.

    Read many times as often as anything else, so it decodes no more than that.
    """
    e = evaluations.c
    columns = (e.window_end, e.rows, e.labelled, e.measures, e.estimates)
    found: dict[int, Kept] = {}
    for wanted in _parts(ends):
        query = _newest(model_id, size, wanted, *columns)
        for end, rows, labelled, measures, estimates in connection.execute(query):
            if estimates and estimates != NOTHING:
                decode = msgspec.msgpack.decode
                found[end] = Kept(rows, labelled, decode(measures), decode(estimates))
    return found


def usual_distances(
    connection: Connection, model_id: int, size: int, ends: Collection[int]
) -> dict[int, dict[str, float]]:
    """The distance of each column in windows by their end, where it was usual.

    Read many times as often as anything else, so it decodes no more than that.
    """
    found: dict[int, dict[str, float]] = {}
    for wanted in _parts(ends):
        query = _newest(model_id, size, wanted, evaluations.c.window_end, evaluations.c.shifts)
        for end, shifts in connection.execute(query):
            decoded = msgspec.msgpack.decode(shifts).items()
            found[end] = {name: parts[0] for name, parts in decoded if parts[USUAL]}
    return found


def stored_quality(
    connection: Connection,
    model_id: int,
    size: int,
    ends: Collection[int],
    *,
    span: tuple[int, int] | None = None,
) -> dict[int, StoredQuality]:
    """How many rows windows had, and what was found of them, by their end.

    span: all that end from the first to the second, instead of `ends`.
    """
    e = evaluations.c
    columns = (e.window_end, e.rows, e.labelled, e.plan_digest, e.quality)
    wanted = list(_parts(ends))
    if span is not None:
        wanted = [sa.and_(e.window_end >= span[0], e.window_end <= span[1])]
    found: dict[int, StoredQuality] = {}
    for part in wanted:
        for end, *rest in connection.execute(_newest(model_id, size, part, *columns)):
            found[end] = StoredQuality(*rest)
    return found


def _parts(ends: Collection[int]) -> Iterator[sa.ColumnElement[bool]]:
    ordered = sorted(ends)
    for start in range(0, len(ordered), _MOST_PARAMETERS):
        yield evaluations.c.window_end.in_(ordered[start : start + _MOST_PARAMETERS])


def delays(
    connection: Connection, model_id: int, spec: WindowSpec, since: int
) -> list[tuple[int, tuple[int, ...]]]:
    """(end, labelled rows by label delay) of the windows that ended since, the oldest first.

    Of windows that have no rows in common, so that each label counts once.
    """
    e = evaluations.c
    wanted = (e.window_end >= since) & (e.window_end % spec.size == 0) & (e.labelled > 0)
    query = _newest(model_id, spec.size, wanted, e.window_end, e.delays)
    return [
        (end, msgspec.msgpack.decode(counts, type=tuple[int, ...]))
        for end, counts in connection.execute(query)
        if counts is not None
    ]


def revised(
    connection: Connection, model_id: int, size: int, ends: Collection[int]
) -> dict[int, tuple[int, int]]:
    """When windows were evaluated first and last, as wall times by their end."""
    e = evaluations.c
    found: dict[int, tuple[int, int]] = {}
    for wanted in _parts(ends):
        query = (
            sa.select(e.window_end, sa.func.min(e.known_at), sa.func.max(e.known_at))
            .where(e.model_id == model_id, e.segment == EVERYTHING, e.window_size == size, wanted)
            .group_by(e.window_end)
        )
        found |= {end: (first, last) for end, first, last in connection.execute(query)}
    return found


def _newest(
    model_id: int,
    size: int,
    wanted: sa.ColumnElement[bool],
    *columns: Any,
    as_of: int | None = None,
) -> sa.Select[Any]:
    """The newest revision of each wanted window, in order."""
    e = evaluations.c
    mine = (e.model_id == model_id) & (e.segment == EVERYTHING) & (e.window_size == size)
    if as_of is not None:
        wanted &= e.known_at <= as_of
    newest = (
        sa.select(e.window_end, sa.func.max(e.revision).label("revision"))
        .where(mine, wanted)
        .group_by(e.window_end)
        .subquery()
    )
    same = (e.window_end == newest.c.window_end) & (e.revision == newest.c.revision)
    chosen = sa.select(*(columns or (evaluations,))).join(newest, same)
    return chosen.where(mine).order_by(e.window_end)


def newest_end(
    connection: Connection, model_id: int, spec: WindowSpec, *, as_of: int | None = None
) -> int | None:
    """The end of the newest evaluated window of these that has rows."""
    return connection.execute(_ends(model_id, spec, as_of).limit(1)).scalar()


def newest_ends(
    connection: Connection,
    model_id: int,
    spec: WindowSpec,
    span: int,
    *,
    as_of: int | None = None,
) -> list[int]:
    """The ends of windows with rows in the newest `span` of event time, the newest first."""
    newest = newest_end(connection, model_id, spec, as_of=as_of)
    if newest is None:
        return []
    query = _ends(model_id, spec, as_of).where(evaluations.c.window_end > newest - span)
    return list(connection.execute(query.distinct()).scalars())


def _ends(model_id: int, spec: WindowSpec, as_of: int | None) -> sa.Select[Any]:
    """The ends of the windows whose newest revision has rows, the newest first."""
    e, later = evaluations.c, evaluations.alias()
    # Further than any clock.
    known = 2**62 if as_of is None else as_of
    emptied = sa.exists().where(
        later.c.model_id == e.model_id,
        later.c.segment == e.segment,
        later.c.window_size == e.window_size,
        later.c.window_end == e.window_end,
        later.c.revision > e.revision,
        later.c.rows == 0,
        later.c.known_at <= known,
    )
    return (
        sa.select(e.window_end)
        .where(
            e.model_id == model_id,
            e.segment == EVERYTHING,
            e.window_size == spec.size,
            # Those of an earlier granularity may end between the steps.
            e.window_end % spec.every == 0,
            e.rows > 0,
            e.known_at <= known,
            ~emptied,
        )
        .order_by(e.window_end.desc())
    )


def total(connection: Connection, model_id: int) -> tuple[int, int]:
    """How many evaluations a model has, and of how many windows."""
    e = evaluations
    query = sa.select(sa.func.count(), sa.func.sum(sa.case((e.c.revision == 1, 1), else_=0))).where(
        e.c.model_id == model_id
    )
    every, windows = connection.execute(query).one()
    return int(every), int(windows or 0)
