"""A model's own past as its reference: `reference: {window: 28d}`."""

from datetime import timedelta

import pyarrow as pa

from tocsin.declared import Monitor, parse_monitor
from tocsin.errors import ConfigurationError
from tocsin.lake import Lake
from tocsin.records.models import ModelRecord
from tocsin.service.recent_rows import rows_as_reference
from tocsin.values import parse_duration, to_datetime

# Beyond these a reference is no better, only longer to read.
MOST_ROWS = 200_000
# Of fewer, bins and what is usual would be chance.
FEWEST_ROWS = 300


def check_own_past(name: str, record: ModelRecord | None, lake: Lake, window: str) -> None:
    """Refuse a model that does not have so long a past. Raises: ConfigurationError."""
    if record is None or record.newest_event is None:
        raise ConfigurationError(
            f"`reference: {{window: {window}}}` is of the model's own predictions, and {name!r} "
            "has none yet; begin with a `file`, and write the window once predictions have come"
        )
    days = lake.model(record.id, record.name, _monitor(record).schema).days()
    newest = to_datetime(record.newest_event)
    first = (newest - timedelta(microseconds=parse_duration(window))).date()
    if not days or days[0] > first:
        begins = f"begin on {days[0]}" if days else "are not in the lake"
        raise ConfigurationError(
            f"`reference: {{window: {window}}}` begins on {first}, and the predictions of {name!r} "
            f"{begins}; write a shorter window, or wait"
        )


def own_past(record: ModelRecord, lake: Lake, window: str) -> pa.Table:
    """The rows of the last `window` of event time, as those of a reference are.

    Of more than 200,000 that many, by chance and the same each time; of all versions.
    Raises: ConfigurationError where there are too few.
    """
    assert record.newest_event is not None
    monitor = _monitor(record)
    start, end = past_of(record, window)
    of_model = lake.model(record.id, record.name, monitor.schema)
    rows = rows_as_reference(of_model, monitor, start, end, MOST_ROWS)
    if rows.num_rows < FEWEST_ROWS:
        raise ConfigurationError(
            f"the last {window} of {record.name!r} have {rows.num_rows} predictions, and a "
            f"reference needs {FEWEST_ROWS}; write a longer window"
        )
    return rows


def past_of(record: ModelRecord, window: str) -> tuple[int, int]:
    """The event times [start, end) of the last `window` of a model, microseconds."""
    end = (record.newest_event or 0) + 1
    return end - parse_duration(window), end


def _monitor(record: ModelRecord) -> Monitor:
    return parse_monitor(record.name, record.monitor)
