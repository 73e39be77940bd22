"""How often rules would have fired on what is stored, and which thresholds fire less."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.errors import InvalidInputError
from tocsin.records import Records, alerts, evaluations, models
from tocsin.records.alerts import Incident, Verdict
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.rules import Operator, Rule, Span
from tocsin.service.looking import looked
from tocsin.service.signals import numbers
from tocsin.service.trends import with_trends
from tocsin.service.windows import spec_of
from tocsin.values import DAY, Bounded, Window, format_duration

MONTH = 30 * DAY
# Windows of one size that are looked at: what a request may take.
MOST_WINDOWS = 20_000
# Thresholds that are tried for a wanted number of alerts.
_TRIED = 60


@dataclass(frozen=True)
class Fired:
    """One time that a rule would have fired. marked: what people say of the incident of then."""

    instance: str
    span: Span
    marked: Verdict | None


@dataclass(frozen=True)
class Suggestion:
    """A threshold that would have fired at most as often as is wanted, and how often."""

    value: float
    alerts: int


@dataclass(frozen=True)
class Backtested:
    """What one rule would have done.

    windows: that it could look at; judged: of those, windows with a verdict of some instance.
    fired: in the order of time. real: incidents that people marked as real, and caught: those in
    which it would have fired. suggestion: None unless one was asked for and can be given.
    """

    rule: Rule
    windows: int
    judged: int
    fired: tuple[Fired, ...]
    real: int
    caught: int
    suggestion: Suggestion | None

    def a_month(self, span: Window) -> float:
        """How often that is in thirty days."""
        return len(self.fired) * MONTH / max(span.end - span.start, 1)


@dataclass(frozen=True)
class BacktestView:
    """All rules over the same time."""

    span: Window
    rules: tuple[Backtested, ...]


class Backtest:
    """Lets rules see what is stored; nothing is changed."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def run(
        self,
        model: str,
        *,
        rules: Sequence[object] | None = None,
        start: int | None = None,
        end: int | None = None,
        wanted: float | None = None,
    ) -> BacktestView:
        """Run the model's rules, or others, over windows that end in (start, end].

        rules: as documents. start, end: microseconds; all that is stored when None. wanted: alerts
        in thirty days of each rule with a threshold, for which one is suggested.
        Raises: UnknownModelError, SchemaError, InvalidInputError.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, model)
            document = dict(record.monitor)
            if rules is not None:
                document["rules"] = list(rules)
            monitor = parse_monitor(model, document, new=rules is not None)
            if not monitor.rules:
                raise InvalidInputError(f"model {model!r} has no rules to run; give some")
            incidents = alerts.list_incidents(connection, model_id=record.id)
            found = {
                size: self._windows(connection, record, monitor, size, start, end)
                for size in {rule.window for rule in monitor.rules}
            }
        ends = [e.window.end for part in found.values() for e in part]
        span = Window(min(ends, default=start or 0), max(ends, default=end or 0))
        done = [
            _run(rule, monitor, found[rule.window], incidents, span, wanted)
            for rule in monitor.rules
        ]
        return BacktestView(span, tuple(done))

    def _windows(
        self,
        connection: Connection,
        record: ModelRecord,
        monitor: Monitor,
        size: int,
        start: int | None,
        end: int | None,
    ) -> list[Evaluation]:
        spec = spec_of(monitor, size)
        newest = evaluations.newest_end(connection, record.id, spec)
        if newest is None:
            return []
        last = newest if end is None else min(end, newest)
        # The oldest there are, where nothing else is said.
        first = last - MOST_WINDOWS * spec.every if start is None else start
        if (last - first) // spec.every > MOST_WINDOWS:
            raise InvalidInputError(
                f"more than {MOST_WINDOWS:,} windows of {format_duration(size)} are between these "
                "times; choose a shorter span"
            )
        begin = first // spec.every * spec.every + spec.every
        ends = range(begin, last + 1, spec.every)
        stored = evaluations.between(
            connection, record.id, size, ends, ("measures", "shifts", "estimates", "quality")
        )
        # Those of rules that learn are of the rules as they are given, not as they were.
        found = [replace(stored[at], trends={}) for at in sorted(stored)]
        return with_trends(connection, record, monitor, spec, found)


def _run(
    rule: Rule,
    monitor: Monitor,
    windows: Sequence[Evaluation],
    incidents: Sequence[Incident],
    span: Window,
    wanted: float | None,
) -> Backtested:
    fired, judged = _fired(rule, monitor, windows)
    told = tuple(Fired(instance, each, _marked(each, incidents)) for instance, each in fired)
    real = [
        i for i in incidents if i.verdict is Verdict.REAL and span.start <= i.opened <= span.end
    ]
    caught = sum(any(_within(each.span, incident) for each in told) for incident in real)
    suggestion = None
    if wanted is not None and rule.value is not None and windows:
        most = int(wanted * (span.end - span.start) / MONTH)
        suggestion = _suggested(rule, monitor, windows, most)
    return Backtested(rule, len(windows), judged, told, len(real), caught, suggestion)


def _fired(
    rule: Rule, monitor: Monitor, windows: Sequence[Evaluation]
) -> tuple[list[tuple[str, Span]], int]:
    """The runs of a rule, and how many windows it could judge."""
    spec = spec_of(monitor, rule.window)
    look = looked(rule, spec, windows, monitor, {}, most=MOST_WINDOWS)
    runs = [
        (instance, span)
        for instance, history in look.histories.items()
        for span in history.fold(rule)[1]
    ]
    judged = max(
        (sum(letter in "bhc" for letter in h.letters) for h in look.histories.values()), default=0
    )
    return sorted(runs, key=lambda run: run[1].fired), judged


def _suggested(
    rule: Rule, monitor: Monitor, windows: Sequence[Evaluation], most: int
) -> Suggestion | None:
    """The mildest threshold that fires at most so often, of those that the numbers suggest."""
    values = [
        measure.value
        for evaluation in windows
        for _, measure in numbers(rule.metric, evaluation, monitor)
        if isinstance(measure, Bounded)
    ]
    if not values:
        return None
    tried = np.unique(np.quantile(values, np.linspace(0, 1, _TRIED)))
    # The mildest first: nearest to what is good.
    ordered = tried[::-1] if rule.op is Operator.BELOW else tried
    for value in _rounded(ordered.tolist()):
        changed = replace(rule, value=value, clear=None)
        count = len(_fired(changed, monitor, windows)[0])
        if count <= most:
            return Suggestion(value, count)
    return None


def _rounded(values: Iterable[float]) -> list[float]:
    """To three digits, as people would write them."""
    return list(dict.fromkeys(float(f"{value:.3g}") for value in values))


def _marked(span: Span, incidents: Sequence[Incident]) -> Verdict | None:
    """What people say of the incidents in which a run would have been; real before false."""
    said = {i.verdict for i in incidents if _within(span, i)}
    return next((v for v in (Verdict.REAL, Verdict.FALSE) if v in said), None)


def _within(span: Span, incident: Incident) -> bool:
    return span.overlaps(incident.opened, incident.resolved)
