"""One column in the newest window by every statistic, against both references."""

from dataclasses import dataclass

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, ReferenceKind
from tocsin.declared.drift import watched_columns
from tocsin.drift import STATISTICS, Judgement, Method, Shift, judgements
from tocsin.errors import InvalidInputError
from tocsin.profiles import Profile
from tocsin.records.models import ModelRecord
from tocsin.service.columns import label_pair, pairs
from tocsin.service.stacks import window_profiles
from tocsin.service.trailing import trailing_profiles
from tocsin.values import Window


@dataclass(frozen=True)
class ReferenceStatistics:
    """What every statistic says of a window against one reference.

    window: what the reference covers, None of the frozen one. rows: of the reference. decides:
    whether verdicts are taken from it. judgements: none where `reason` says why.
    """

    kind: ReferenceKind
    window: Window | None
    rows: int
    decides: bool
    judgements: tuple[Judgement, ...]
    reason: str | None = None


@dataclass(frozen=True)
class ColumnStatistics:
    """One column in one window. method: the statistic that was chosen for it, if any."""

    column: str
    window: Window
    method: str | None
    references: tuple[ReferenceStatistics, ...]


def statistics_of(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    window: Window,
    column: str,
    version: str | None,
    judged: Shift | None,
) -> ColumnStatistics:
    """All statistics of a column.

    judged: what was said of it when the window was evaluated; a method that was chosen since then
    judges later windows only. Raises: InvalidInputError for a column that is not watched.
    """
    columns = {*watched_columns(monitor.schema), monitor.schema.watched_label}
    if column not in columns:
        raise InvalidInputError(
            f"there is no column {column!r}; there are {', '.join(sorted(columns))}"
        )
    stack, _ = window_profiles(connection, record, monitor.granularity, [window], version=version)
    trailing = trailing_profiles(connection, record, monitor, [window])
    span = Window(window.start - monitor.drift.trailing, window.start)
    kinds: tuple[tuple[ReferenceKind, Window | None, Profile], ...] = (
        ("frozen", None, record.reference),
        ("trailing", span, trailing[0]),
    )
    method = monitor.drift.methods.get(column)
    if judged is not None and method is not None and judged.method != method.statistic.name:
        method = None
    return ColumnStatistics(
        column,
        window,
        None if method is None else method.statistic.name,
        tuple(
            _against(monitor, kind, covers, reference, stack, column, method)
            for kind, covers, reference in kinds
        ),
    )


def _against(
    monitor: Monitor,
    kind: ReferenceKind,
    covers: Window | None,
    reference: Profile,
    stack: Profile,
    column: str,
    chosen: Method | None,
) -> ReferenceStatistics:
    rows = round(float(reference.total("n")))
    decides = monitor.drift.reference == kind
    truth = column == monitor.schema.watched_label
    pair = (
        label_pair(reference, stack)
        if truth
        else pairs(reference, stack, monitor.schema).get(column)
    )
    if rows == 0 or pair is None:
        why = "it has no rows yet"
        if rows:
            why = "labels are compared by class, and only where the reference has some"
        return ReferenceStatistics(kind, covers, rows, decides, (), why)
    found = [
        judgements(chosen if chosen and chosen.statistic is each else Method.named(each.name), pair)
        for each in STATISTICS.values()
    ]
    return ReferenceStatistics(kind, covers, rows, decides, tuple(one for (one,) in found))
