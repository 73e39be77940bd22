"""Evaluate windows that closed or changed, and let the rules see them, in one transaction."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.records import Records, changes, evaluations, models, profiles
from tocsin.records.deletions import Deletion
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.service.alert import Alerting
from tocsin.service.clock import Clock
from tocsin.service.derived import with_derived
from tocsin.service.estimates import Estimating
from tocsin.service.judge import judged
from tocsin.service.maturity import learned_maturity
from tocsin.service.measure import measures
from tocsin.service.quality import Past, found_quality
from tocsin.service.silence import Silence, empty_windows, gaps
from tocsin.service.stacks import window_profiles
from tocsin.service.trends import with_trends
from tocsin.service.windows import Due, due_now, due_windows
from tocsin.values import Window, WindowSpec

# Windows of one stack: what is in memory at once.
_SPAN_BUCKETS = 2_000


@dataclass(frozen=True)
class _Round:
    """What was measured of a model, and is to be stored.

    due: the windows of each size; watermark: the event time up to which windows are closed.
    """

    record: ModelRecord
    monitor: Monitor
    found: Mapping[WindowSpec, list[Evaluation]]
    due: tuple[Due, ...]
    watermark: int

    @property
    def count(self) -> int:
        """How many windows they are."""
        return sum(len(part) for part in self.found.values())

    @property
    def later(self) -> set[int]:
        """Changed buckets of windows whose revision has to wait."""
        return {bucket for windows in self.due for bucket in windows.later}

    @property
    def again(self) -> int:
        """When the first of those is due, as wall time."""
        return min(windows.again for windows in self.due if windows.again is not None)


class Evaluate:
    """Evaluates one model after its folds. One at a time."""

    def __init__(
        self, records: Records, alerting: Alerting, clock: Clock, *, revise_after: int
    ) -> None:
        self._records = records
        self._alerting = alerting
        self._clock = clock
        self._revise_after = revise_after
        self._silence = Silence()
        self._nothing_due: dict[str, tuple[tuple[int, int, int], int]] = {}

    def waiting(self) -> list[str]:
        """The models with buckets that changed since they were evaluated, or that are silent."""
        with self._records.read() as connection:
            silent = self._silence.waiting(connection, self._clock())
        return sorted({*self.behind(), *silent})

    def behind(self) -> list[str]:
        """Of these, the models with buckets that changed. Any thread may ask."""
        now = self._clock()
        with self._records.read() as connection:
            found = models.names_with_changes(connection)
        # Revisions that have to wait are looked at again when the first of them is due.
        return [
            name
            for name, state in found.items()
            if (rest := self._nothing_due.get(name)) is None or rest[0] != state or rest[1] <= now
        ]

    def forget(self, deletion: Deletion) -> None:
        """Let go of what is remembered of a model that is deleted."""
        self._nothing_due.pop(deletion.name, None)

    def evaluate(self, model: str) -> int:
        """Evaluate what is due; how many windows. Raises: UnknownModelError."""
        now = self._clock()
        # Measuring may take seconds: others can write meanwhile. Nothing else folds or evaluates.
        with self._records.read() as connection:
            round_ = self._measured(connection, model, now)
        if round_ is None:
            return 0
        with self._records.write() as connection:
            self._store(connection, round_, now)
        record = round_.record
        if round_.later:
            # Not by the offset alone: a rebuild marks buckets without any new row.
            state = (record.id, record.folded_offset, len(round_.later))
            self._nothing_due[model] = (state, round_.again)
        return round_.count

    def _measured(self, connection: Connection, model: str, now: int) -> "_Round | None":
        """The windows that are due, evaluated; None where there is nothing to look at."""
        record = models.model_named(connection, model)
        monitor = parse_monitor(record.name, record.monitor)
        changed = models.pending_buckets(connection, record.id)
        if record.newest_event is None:
            return None
        silent = self._silence.until(connection, record, monitor, now)
        if silent is None and not changed:
            return None
        # Never back: what closed because nothing came is closed.
        known = (record.newest_event - monitor.lateness, record.evaluated_until, silent)
        watermark = max(time for time in known if time is not None)
        due = {
            spec: self._due(connection, record, spec, changed, watermark, now)
            for spec in monitor.windows
        }
        empty = self._empty(connection, record, monitor, watermark, silent)
        found = {
            spec: with_trends(
                connection,
                record,
                monitor,
                spec,
                self._evaluate(connection, record, monitor, spec, windows.due, empty[spec], now),
            )
            for spec, windows in due.items()
        }
        return _Round(record, monitor, found, tuple(due.values()), watermark)

    def _store(self, connection: Connection, round_: "_Round", now: int) -> None:
        """Store what was measured, with what follows for alerts, in one transaction."""
        record, monitor = round_.record, round_.monitor
        models.check_there(connection, record)
        for part in round_.found.values():
            evaluations.append(connection, record.id, part)
        self._alerting.step(connection, record, monitor, round_.found, now=now)
        # Windows that are still open look at all their buckets when they close.
        models.clear_changed(connection, record.id, keep=round_.later)
        until = max(round_.watermark, record.evaluated_until or round_.watermark)
        models.move_evaluated(connection, record.id, until)
        if until != record.evaluated_until:
            learned = learned_maturity(connection, record, monitor, watermark=until)
            models.set_maturity(connection, record.id, learned)
        if round_.count:
            changes.announce(connection, f"model/{record.name}", now=now)

    def _empty(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        watermark: int,
        silent: int | None,
    ) -> dict[WindowSpec, list[Window]]:
        """The windows that closed and of which it is known that nothing came, by their size."""
        since = record.evaluated_until
        found: dict[WindowSpec, list[Window]] = {spec: [] for spec in monitor.windows}
        if since is None or record.newest_event is None:
            return found
        quiet = gaps(connection, record, monitor, since=since, until=watermark)
        if silent is not None:
            quiet.append((record.newest_event, silent))
        for spec, windows in found.items():
            for newest, until in quiet:
                windows += empty_windows(spec, newest, since, until)
        return found

    def _due(
        self,
        connection: Connection,
        record: ModelRecord,
        spec: WindowSpec,
        changed: set[int],
        watermark: int,
        now: int,
    ) -> Due:
        """The windows of a size that closed, and those whose revision is due."""
        since = record.evaluated_until
        buckets = profiles.bucket_starts(
            connection, record.id, record.plan, after=None if since is None else since - spec.size
        )
        windows = due_windows(
            spec, buckets=buckets, changed=changed, evaluated_until=since, watermark=watermark
        )
        revised = {}
        if self._revise_after:
            ends = [window.end for window in windows]
            revised = evaluations.revised(connection, record.id, spec.size, ends)
        return due_now(windows, spec, revised, changed=changed, now=now, least=self._revise_after)

    def _evaluate(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        spec: WindowSpec,
        windows: Sequence[Window],
        empty: Sequence[Window],
        now: int,
    ) -> list[Evaluation]:
        """Evaluate windows with rows, and those of which it is known that nothing came."""
        usual: dict[int, dict[str, float]] = {}
        past = Past(lambda end: monitor.is_paused(Window(end - spec.size, end)))
        estimating = Estimating(connection, record, monitor, spec)
        done: list[Evaluation] = []
        every = sorted({*windows, *empty}, key=lambda window: window.end)
        for group in _groups(every, _SPAN_BUCKETS * monitor.granularity):
            done += self._measure(
                connection, record, monitor, spec, group, usual, past, estimating, now, set(empty)
            )
        return done

    def _measure(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        spec: WindowSpec,
        group: Sequence[Window],
        usual: dict[int, dict[str, float]],
        past: Past,
        estimating: Estimating,
        now: int,
        empty: Collection[Window],
    ) -> list[Evaluation]:
        """Evaluate the windows of one stack.

        usual: the usual distances of windows by their end, as far as they were looked up; past:
        their rates likewise. The windows of this stack are added, as later ones may be like them.
        empty: those of the group in which nothing came.
        """
        stack, versions = window_profiles(connection, record, monitor.granularity, group)
        rows = [round(float(n)) for n in stack.total("n")]
        measured = {name: m.measure(stack) for name, m in monitor.metrics.items()}
        by_window = with_derived(
            connection, record, monitor, spec, group, versions, measures(measured)
        )
        before = evaluations.at(connection, record.id, spec.size, [w.end for w in group])
        plan = record.plan.digest
        shifts = judged(connection, record, monitor, spec, group, stack, before, usual)
        estimates = estimating.of(group, stack, measured, before)
        delays = stack.delays
        quality = found_quality(connection, record, monitor, spec, group, stack, past)
        return [
            Evaluation(
                window=window,
                revision=before[window.end].revision + 1 if window.end in before else 1,
                rows=rows[i],
                labelled=round(float(stack.total("labelled")[i])),
                versions=versions[i],
                measures=by_window[i],
                shifts=shifts[window.end],
                delays=tuple(np.rint(delays[i]).astype(int).tolist()),
                plan=plan,
                known_offset=record.folded_offset,
                known_at=now,
                quality=quality[i] if rows[i] or window in empty else {},
                estimates=estimates[i],
            )
            for i, window in enumerate(group)
            # A window that had rows and has none any more is a revision too.
            if rows[i] or window.end in before or window in empty
        ]


def _groups(windows: Sequence[Window], span: int) -> Iterator[list[Window]]:
    """Neighbouring windows whose buckets fit into `span` microseconds, or one that does not."""
    group: list[Window] = []
    for window in windows:
        if group and window.end - group[0].start > span:
            yield group
            group = []
        group.append(window)
    if group:
        yield group
