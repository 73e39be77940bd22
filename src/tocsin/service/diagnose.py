"""Ask why: rank the causes of one evaluated window."""

from collections import Counter
from collections.abc import Collection, Mapping

from sqlalchemy.engine import Connection

from tocsin.causes import Cause, causes_of_findings, ordered, rank
from tocsin.declared import Monitor
from tocsin.drift import HISTORY, Verdict
from tocsin.profiles import Profile
from tocsin.records import evaluations, importances
from tocsin.records.evaluations import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.service.quality import findings_of
from tocsin.service.stacks import window_profiles
from tocsin.service.windows import like_ends

__all__ = ["Cause", "diagnose"]


def diagnose(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    evaluation: Evaluation,
    *,
    about: Collection[str],
) -> tuple[Cause, ...]:
    """The causes of a window's difference from the reference, most likely first.

    about: features whose drift is to be explained; empty when a metric is.
    """
    window = evaluation.window
    size = window.end - window.start
    spec = next(spec for spec in monitor.windows if spec.size == size)
    like = evaluations.at(connection, record.id, size, set(like_ends(spec, window.end)))
    # Windows in which these columns had drifted are no example of what is usual for them.
    usual = [
        past
        for _, past in sorted(like.items())
        if not any(
            past.shifts[name].verdict is Verdict.DRIFT for name in about if name in past.shifts
        )
    ][-HISTORY:]
    windows = [past.window for past in usual] + [window]
    stack, versions = window_profiles(connection, record, monitor.granularity, windows)
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
        about=about,
        reliance=_reliance(connection, record, versions[-1]),
    )
    more = causes_of_findings(record.reference, current, findings_of(evaluation), ranked)
    return ordered((*ranked, *more), about)


def _reliance(
    connection: Connection, record: ModelRecord, versions: Mapping[str, int]
) -> dict[str, float]:
    """How much the version that made most of a window relies on each feature, if that is known."""
    if not versions:
        return {}
    version = max(versions, key=lambda name: versions[name])
    found = importances.find(connection, record, version=version)
    return {} if found is None else found.importance.reliance
