"""Compute all profiles of a model anew from the lake, with what is sealed as the only truth."""

from datetime import timedelta

from tocsin.declared import parse_monitor
from tocsin.engines import profile_labels, profile_predictions
from tocsin.errors import InvalidInputError
from tocsin.lake import EARLIEST, Lake, Table, counting_labels
from tocsin.records import Records, inbox, models, profiles
from tocsin.service.fold import merged


class Rebuild:
    """Rebuilds profiles; nobody may fold meanwhile."""

    def __init__(self, records: Records, lake: Lake) -> None:
        self._records = records
        self._lake = lake

    def rebuild(self, model: str) -> int:
        """Replace a model's profiles in one transaction; how many predictions they stand for.

        Raises: UnknownModelError; InvalidInputError when the lake lacks rows.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, model)
        monitor = parse_monitor(record.name, record.monitor)
        lake = self._lake.model(record.id, record.name, monitor.schema)
        until = record.folded_offset
        horizon = timedelta(microseconds=monitor.label_horizon)
        plan, schema, granularity = record.plan, monitor.schema, monitor.granularity
        rows = 0
        with self._records.write() as connection:
            before = set(profiles.bucket_starts(connection, record.id, plan, after=None))
            profiles.clear(connection, record.id)
            after: set[int] = set()
            for day, predictions in lake.scan_predictions(until=until):
                outcomes = lake.find(
                    Table.OUTCOMES,
                    predictions["prediction_id"].combine_chunks(),
                    until=until,
                    span=(day - EARLIEST, day + timedelta(days=1) + horizon),
                )
                nothing = predictions.slice(0, 0)
                labelled, _ = counting_labels(
                    stored=nothing,
                    fresh=predictions,
                    earlier=outcomes.slice(0, 0),
                    arrived=outcomes,
                    horizon=horizon,
                )
                total = merged(
                    profile_predictions(plan, schema, predictions, granularity).items(),
                    profile_labels(plan, schema, labelled, granularity).items(),
                )
                profiles.add(
                    connection,
                    record.id,
                    plan,
                    {(key.version, key.bucket): profile for key, profile in total.items()},
                )
                after.update(key.bucket for key in total)
                rows += predictions.num_rows
            counted = models.counts(connection, record.id)
            waiting = inbox.rows_of_kind(connection, record.id, Table.PREDICTIONS)
            expected = counted.get("predictions", 0) - counted.get("repeated", 0) - waiting
            if rows < expected:
                # Raised inside the transaction: the profiles stay as they were.
                raise InvalidInputError(
                    f"the lake of {model!r} has {rows:,} of its {expected:,} counted predictions; "
                    "restore its files, or the profiles would lose the others"
                )
            models.mark_changed(connection, record.id, before | after)
        return rows
