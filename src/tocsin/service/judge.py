"""The drift verdicts on windows, each against earlier windows like it."""

from collections.abc import Mapping, Sequence

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor
from tocsin.drift import Divergence, Shift
from tocsin.profiles import Profile
from tocsin.records import evaluations
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.service.measure import drifts
from tocsin.service.trailing import reference_of
from tocsin.service.windows import by_column, example_ends
from tocsin.values import Window, WindowSpec

# Distances that differ by less are one, but for rounding.
_SAME = 1e-9


def judged(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    spec: WindowSpec,
    group: Sequence[Window],
    stack: Profile,
    before: Mapping[int, Evaluation],
    usual: dict[int, dict[str, float]],
) -> dict[int, dict[str, Shift]]:
    """The verdicts on the windows of one stack, by their end.

    before: what was known of them. usual: the usual distances of windows by their end, as far as
    they were looked up; the windows of this stack are added, as later ones may be like them.
    """
    reference = reference_of(connection, record, monitor, group, stack)
    found = drifts(reference, stack, monitor)
    rows = [round(float(n)) for n in stack.total("n")]
    # Labels do not move features: as far from the reference as before, by as many rows.
    fresh = {
        i
        for i, window in enumerate(group)
        if rows[i]
        and (
            (known := before.get(window.end)) is None
            or (known.rows, known.plan) != (rows[i], record.plan.digest)
            or _moved(known.shifts, found.divergences[i])
        )
    }
    relabelled = {
        i
        for i, window in enumerate(group)
        if i in fresh or (found.labels[i] and _moved(before[window.end].shifts, found.labels[i]))
    }
    examples = {i: example_ends(monitor, spec, group[i].end) for i in relabelled}
    wanted = {end for ends in examples.values() for end in ends} - usual.keys()
    usual.update(evaluations.usual_distances(connection, record.id, spec.size, wanted))
    shifts = {end: dict(e.shifts) for end, e in before.items()}
    for i in sorted(relabelled):
        end = group[i].end
        like = by_column([usual[past] for past in examples[i] if past in usual])
        kept = found.shifts(i, like) if i in fresh else shifts[end]
        shifts[end] = kept | found.label_shifts(i, like)
        usual[end] = {n: shift.js_distance for n, shift in shifts[end].items() if shift.is_usual}
    return {window.end: shifts[window.end] if rows[i] else {} for i, window in enumerate(group)}


def _moved(shifts: Mapping[str, Shift], found: Mapping[str, Divergence]) -> bool:
    """Whether columns are elsewhere than when their shifts were measured."""
    return any(
        name not in shifts or not abs(shifts[name].js_distance - divergence.js_distance) <= _SAME
        for name, divergence in found.items()
    )
