"""What the faces show of a model: values, read only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tocsin.declared import Monitor
from tocsin.drift import ENOUGH_ROWS, Shift
from tocsin.estimation import Maturity
from tocsin.metrics import Metric
from tocsin.profiles import EVERYTHING
from tocsin.records.alerts import Episode, Incident, TimelineEntry
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import Rebuilding
from tocsin.records.outbox import Receiver
from tocsin.values import Bounded, Measure, Window, WindowSpec

# Of fewer labels what they say may be their delay: those of late flights come late.
ENOUGH_LABELS = 0.5


class Condition(StrEnum):
    """How a model is, in a word; the worst first."""

    BREACH = "breach"
    AT_RISK = "at risk"
    WATCH = "watch"
    WAITING = "waiting for labels"
    NO_DATA = "no data"
    HEALTHY = "healthy"


@dataclass(frozen=True)
class Point:
    """One metric of one window.

    known_at: wall time of its revision. final: nearly all labels that will come have come; until
    then it is provisional. versions: its rows by model version.
    """

    window: Window
    revision: int
    known_at: int
    final: bool
    rows: int
    coverage: float
    versions: Mapping[str, int]
    measure: Measure


@dataclass(frozen=True)
class Series:
    """One metric over time. reference: the same metric of the reference.

    segment, version: of which rows; version None for all of them.
    """

    metric: Metric
    spec: WindowSpec
    points: tuple[Point, ...]
    reference: Measure
    segment: str = EVERYTHING
    version: str | None = None

    @property
    def telling(self) -> Point | None:
        """The newest window that has the rows and labels to tell something, else the newest."""
        found = (point for point in reversed(self.points) if self._tells(point))
        return next(found, self.points[-1] if self.points else None)

    def _tells(self, point: Point) -> bool:
        if not isinstance(point.measure, Bounded) or point.measure.n < ENOUGH_ROWS:
            return False
        return not self.metric.needs_labels or point.final or point.coverage >= ENOUGH_LABELS


@dataclass(frozen=True)
class Overview:
    """A model in one row.

    version: that made most predictions of the newest window. headline: of the day-long windows, or
    of the longest there are.
    """

    name: str
    version: str
    condition: Condition
    headline: Series
    coverage: float | None
    rows_in_a_day: int
    open_incidents: tuple[Incident, ...]
    newest_event: int | None


@dataclass(frozen=True)
class ModelDetail:
    """A model with everything that was declared, derived and counted about it.

    segments: their values by the name of the dimension. maturity: how late labels come, None before
    a window has closed; final_after: how long after its end a window is provisional, microseconds.
    rebuilding: how far, None while nothing is rebuilt.
    """

    overview: Overview
    monitor: Monitor
    notes: tuple[str, ...]
    counts: dict[str, int]
    reference_rows: int
    latest: Evaluation | None
    segments: dict[str, tuple[str, ...]]
    maturity: Maturity | None
    final_after: int
    rebuilding: Rebuilding | None


@dataclass(frozen=True)
class DriftPoint:
    """The verdicts on all columns of one window."""

    window: Window
    rows: int
    shifts: dict[str, Shift]


@dataclass(frozen=True)
class FeatureView:
    """One feature of one window against the reference: shares of rows by bin."""

    name: str
    window: Window
    bins: tuple[str, ...]
    regular: int
    reference: tuple[float, ...]
    current: tuple[float, ...]
    shift: Shift | None


@dataclass(frozen=True)
class Learning:
    """Columns of which it is not known yet what is usual, and how many windows that takes still."""

    columns: tuple[str, ...]
    missing: int


@dataclass(frozen=True)
class IncidentDetail:
    """An incident with its alerts and what happened to it.

    learning: what could not be judged in the window whose causes were ranked, None if nothing.
    """

    incident: Incident
    episodes: tuple[Episode, ...]
    timeline: tuple[TimelineEntry, ...]
    learning: Learning | None = None


@dataclass(frozen=True)
class Status:
    """How Tocsin itself is.

    waiting_since: wall time of the oldest row not folded, None if none. disabled: the channels of
    receivers to which nothing is sent any more.
    """

    models: int
    waiting_rows: int
    waiting_since: int | None
    changed_models: int
    outbox: dict[str, int]
    rebuilding: tuple[Rebuilding, ...]
    disabled: tuple[Receiver, ...] = ()
