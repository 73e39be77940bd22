"""Ask why: rank the causes of evaluated windows."""

from collections import Counter
from collections.abc import Collection, Mapping

from sqlalchemy.engine import Connection

from tocsin.causes import Cause, causes_of_findings, ordered, rank
from tocsin.declared import Monitor
from tocsin.drift import HISTORY, Verdict
from tocsin.profiles import Profile
from tocsin.records import evaluations, importances
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.service.quality import findings_of
from tocsin.service.stacks import window_profiles
from tocsin.service.windows import like_ends, spec_of
from tocsin.values import Window

__all__ = ["Cause", "Diagnosis"]


class Diagnosis:
    """Why the windows of one model are as they are; each is looked at once for all who ask."""

    def __init__(self, connection: Connection, record: ModelRecord, monitor: Monitor) -> None:
        self._connection = connection
        self._record = record
        self._monitor = monitor
        self._like: dict[Window, list[Evaluation]] = {}
        self._found: dict[tuple[Window, tuple[int, ...]], tuple[Cause, ...]] = {}

    def causes(self, evaluation: Evaluation, *, about: Collection[str]) -> tuple[Cause, ...]:
        """The causes of a window's difference from the reference, most likely first.

        about: features that are to be explained; empty when a metric is.
        """
        if evaluation.rows == 0:
            return ()
        # Windows in which these columns had drifted are no example of what is usual for them.
        usual = [
            past.window
            for past in self._earlier(evaluation)
            if not any(
                past.shifts[name].verdict is Verdict.DRIFT for name in about if name in past.shifts
            )
        ][-HISTORY:]
        key = (evaluation.window, tuple(window.end for window in usual))
        if key not in self._found:
            self._found[key] = self._ranked(evaluation, usual)
        return ordered(self._found[key], about)

    def _earlier(self, evaluation: Evaluation) -> list[Evaluation]:
        """The windows like this one before it, the oldest first."""
        window = evaluation.window
        if window not in self._like:
            size = window.end - window.start
            ends = set(like_ends(spec_of(self._monitor, size), window.end))
            found = evaluations.at(self._connection, self._record.id, size, ends)
            self._like[window] = [past for _, past in sorted(found.items())]
        return self._like[window]

    def _ranked(self, evaluation: Evaluation, usual: list[Window]) -> tuple[Cause, ...]:
        record, granularity = self._record, self._monitor.granularity
        windows = [*usual, evaluation.window]
        stack, versions = window_profiles(self._connection, record, granularity, windows)
        before: Counter[str] = Counter()
        for earlier in versions[:-1]:
            before.update(earlier)
        current = Profile(stack.plan, stack.vector[-1])
        ranked = rank(
            record.reference,
            current,
            Profile(stack.plan, stack.vector[:-1]),
            evaluation.shifts,
            versions=(before, versions[-1]),
            reliance=self._reliance(versions[-1]),
        )
        more = causes_of_findings(record.reference, current, findings_of(evaluation), ranked)
        return (*ranked, *more)

    def _reliance(self, versions: Mapping[str, int]) -> dict[str, float]:
        """How much the version that made most of a window relies on each feature, if known."""
        if not versions:
            return {}
        version = max(versions, key=lambda name: versions[name])
        found = importances.find(self._connection, self._record, version=version)
        return {} if found is None else found.importance.reliance
