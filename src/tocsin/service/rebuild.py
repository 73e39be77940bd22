"""Compute all profiles of a model anew from the lake, with what is sealed as the only truth."""

from datetime import timedelta

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.engines import merged, profile_labels, profile_predictions
from tocsin.errors import InvalidInputError
from tocsin.lake import EARLIEST, Lake, ModelLake, Table, counting_labels
from tocsin.profiles import Profile, ProfileKey
from tocsin.records import Records, changes, inbox, models, profiled_days, profiles
from tocsin.records.models import ModelRecord
from tocsin.service.clock import Clock


class Rebuild:
    """Rebuilds profiles; nobody may fold meanwhile."""

    def __init__(self, records: Records, lake: Lake, clock: Clock) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock

    def waiting(self) -> list[str]:
        """The models that wait to be rebuilt; those of tables wait for `tocsin profile`."""
        with self._records.read() as connection:
            return [
                name
                for name in models.names_to_rebuild(connection)
                if not profiled_days.any_of(connection, models.model_named(connection, name).id)
            ]

    def rebuild(self, model: str) -> int:
        """Replace a model's profiles in one transaction; how many predictions they stand for.

        Raises: UnknownModelError; InvalidInputError when the lake lacks rows.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, model)
            if profiled_days.any_of(connection, record.id):
                raise InvalidInputError(
                    f"the predictions of {model!r} lie in a table: `tocsin profile` makes its "
                    "profiles anew"
                )
        monitor = parse_monitor(record.name, record.monitor)
        lake = self._lake.model(record.id, record.name, monitor.schema)
        # Others can write meanwhile: nothing folds, so that the lake stays as it is.
        total, rows = _profiled(record, monitor, lake)
        with self._records.write() as connection:
            current = models.model_named(connection, model)
            if (current.monitor, current.plan.digest) != (record.monitor, record.plan.digest):
                # Changed meanwhile: it still waits to be rebuilt.
                return rows
            check_complete(connection, record, rows)
            before = profiles.clear(connection, record.id)
            profiles.add(connection, record.id, record.plan, total)
            models.mark_changed(connection, record.id, before | {key.bucket for key in total})
            models.rebuilt(connection, record.id, record.plan)
            changes.announce(connection, f"model/{model}", now=self._clock())
        return rows


def check_complete(connection: Connection, record: ModelRecord, rows: int) -> None:
    """Raises: InvalidInputError when a lake of `rows` predictions lacks some that were folded."""
    counted = models.counts(connection, record.id)
    waiting = inbox.rows_of_kind(connection, record.id, Table.PREDICTIONS)
    expected = counted.get("predictions", 0) - counted.get("repeated", 0) - waiting
    if rows < expected:
        raise InvalidInputError(
            f"the lake of {record.name!r} has {rows:,} of its {expected:,} counted predictions; "
            "restore its files, or the profiles would lose the others"
        )


def _profiled(
    record: ModelRecord, monitor: Monitor, lake: ModelLake
) -> tuple[dict[ProfileKey, Profile], int]:
    """The profiles of everything that was folded, and how many predictions that is."""
    until = record.folded_offset
    horizon = timedelta(microseconds=monitor.label_horizon)
    plan, schema, granularity = record.plan, monitor.schema, monitor.granularity
    total: dict[ProfileKey, Profile] = {}
    rows = 0
    for day, predictions in lake.scan_predictions(until=until):
        outcomes = lake.find(
            Table.OUTCOMES,
            predictions["prediction_id"].combine_chunks(),
            until=until,
            span=(day - EARLIEST, day + timedelta(days=1) + horizon),
        )
        labelled, _ = counting_labels(
            stored=predictions.slice(0, 0),
            fresh=predictions,
            earlier=outcomes.slice(0, 0),
            arrived=outcomes,
            horizon=horizon,
        )
        total = merged(
            total.items(),
            profile_predictions(plan, schema, predictions, granularity).items(),
            profile_labels(plan, schema, labelled, granularity).items(),
        )
        rows += predictions.num_rows
    return total, rows
