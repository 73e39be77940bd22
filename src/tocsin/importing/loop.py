"""Batch after batch: read, shaped, stored with its position."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tocsin.importing.model import Kind, Model
from tocsin.importing.rows import Columns, absent_features, shaped
from tocsin.importing.server import Server
from tocsin.operations import Summary
from tocsin.sources import Batch, Source, Wait

_MOST_REASONS = 10


@dataclass
class Report:
    """What an import did so far.

    absent: features that no row of the first batch has. reasons: why rows went to quarantine, and
    how many were seen.
    """

    rows: int = 0
    accepted: int = 0
    quarantined: int = 0
    stored_before: int = 0
    timeless: int = 0
    unlabelled: int = 0
    tombstones: int = 0
    absent: tuple[str, ...] = ()
    reasons: Counter[str] = field(default_factory=Counter)


def run(
    source: Source,
    server: Server,
    model: Model,
    kind: Kind,
    columns: Columns,
    *,
    every_s: float | None,
    wait: Wait,
    progress: Callable[[Batch, Report], None],
    report: Report,
) -> None:
    """Bring all rows of a source to the server, again every so often if it says so.

    wait: also asked, with 0, whether to go on after a batch.
    Raises: InvalidInputError when the source cannot be read or the server refuses; what the report
        counts is stored all the same.
    """
    position = server.position()
    if position is None:
        return
    while True:
        for batch in source.batches(position):
            columns.check_place(batch.place, model)
            rows = shaped(batch, kind, model, columns)
            # First, as they count once however often they come, and the position then moves on.
            if batch.costs and not server.add_costs(_costs(batch, model)):
                return
            stored = server.store(rows.rows, after=position, position=batch.position)
            if stored is None:
                return
            if kind == "predictions" and not report.rows:
                report.absent = absent_features(rows.rows, model)
            position = batch.position
            source.stored(position)
            report.rows += len(batch.rows)
            report.accepted += stored.accepted
            report.quarantined += stored.quarantined
            report.stored_before += len(rows.rows) if stored.repeated else 0
            report.timeless += rows.timeless
            report.unlabelled += rows.unlabelled
            report.tombstones += rows.tombstones
            if len(report.reasons) < _MOST_REASONS:
                report.reasons.update(stored.reasons)
            progress(batch, report)
            if not wait(0):
                return
        if every_s is None or not wait(every_s):
            return


def _costs(batch: Batch, model: Model) -> list[Summary]:
    """What its calls cost, each of a version."""
    return [
        cost if cost.model_version else replace(cost, model_version=model.version)
        for cost in batch.costs
    ]
