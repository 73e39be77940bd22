"""Times in which a model is worked on: its windows of then alert nobody, and are no examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from tocsin.declared.routing_documents import MuteIntervalDocument, interval
from tocsin.routing import Interval
from tocsin.values import Window, from_datetime

# Of a window so much has to be in maintenance: an hour of a week changes little of that week.
_SHARE = 0.1
# A window is looked at so often, or once a bucket.
_LOOKS = 48


class MaintenanceDocument(BaseModel):
    """Once, from `starts_at` to `ends_at`; or whenever one of the `intervals` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    intervals: list[MuteIntervalDocument] = []
    comment: Annotated[str, Field(max_length=1_000)] = ""

    @model_validator(mode="after")
    def _once_or_again(self) -> Self:
        once = (self.starts_at, self.ends_at)
        if (None in once) != (once == (None, None)) or (None in once) != bool(self.intervals):
            raise ValueError("write either `starts_at` and `ends_at`, or `intervals`")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("`ends_at` has to be later than `starts_at`")
        return self


@dataclass(frozen=True)
class Maintenance:
    """When a model is worked on: in [start, end), microseconds, and whenever an interval holds."""

    start: int = 0
    end: int = 0
    intervals: tuple[Interval, ...] = ()
    comment: str = ""

    def share(self, window: Window, step: int) -> float:
        """How much of a window is in maintenance; intervals are looked at each `step`."""
        size = window.end - window.start
        once = max(0, min(self.end, window.end) - max(self.start, window.start)) / size
        if not self.intervals:
            return once
        looks = range(window.start, window.end, step)
        return sum(_holds(self.intervals, instant) for instant in looks) / len(looks)


def maintenance_of(parsed: Sequence[MaintenanceDocument]) -> tuple[Maintenance, ...]:
    """What documents say. Raises: SchemaError for times that no clock can show."""
    return tuple(
        Maintenance(
            start=0 if each.starts_at is None else from_datetime(each.starts_at),
            end=0 if each.ends_at is None else from_datetime(each.ends_at),
            intervals=tuple(interval(one) for one in each.intervals),
            comment=each.comment,
        )
        for each in parsed
    )


def is_paused(maintenance: Sequence[Maintenance], window: Window, granularity: int) -> bool:
    """Whether a window is in maintenance, by a tenth of it at least."""
    step = max(granularity, (window.end - window.start) // _LOOKS // granularity * granularity)
    return any(each.share(window, step) >= _SHARE for each in maintenance)


@lru_cache(maxsize=100_000)
def _holds(intervals: tuple[Interval, ...], instant: int) -> bool:
    return any(each.holds(instant) for each in intervals)
