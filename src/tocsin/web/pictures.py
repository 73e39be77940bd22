"""What the pages read, as charts."""

from collections.abc import Sequence
from typing import Any

from tocsin import charts
from tocsin.charts import DriftColumn, Guess, Mark, Moment, ServingWindow, Span
from tocsin.charts.distribution import largest_change
from tocsin.charts.evidence import SPOKEN_OF
from tocsin.declared import Monitor
from tocsin.drift import EFFECT, ENOUGH_ROWS, Verdict
from tocsin.estimation import plain_name
from tocsin.records.alerts import Incident
from tocsin.service.aliases import History
from tocsin.service.data_quality import Measured, QualityView
from tocsin.service.estimated import EstimatedSeries
from tocsin.service.operations import OperationsPoint
from tocsin.service.quality_words import value_words
from tocsin.service.read import Read
from tocsin.service.views import DriftPoint, FeatureView, IncidentDetail, ModelDetail, Series
from tocsin.values import DAY, Bounded, Undefined, WindowSpec
from tocsin.web import rule_words, words
from tocsin.web.chart_titles import chart_title, latency_title, requests_title
from tocsin.web.rendering import picture

Picture = dict[str, Any]


def metric(
    series: Series,
    monitor: Monitor,
    incidents: Sequence[Incident],
    marks: Sequence[Mark] = (),
    estimated: EstimatedSeries | None = None,
) -> Picture | None:
    """A metric over time with its rules and the model's incidents; None without any window.

    estimated: what it was expected to be without labels, None where that is not to be shown.
    """
    if not series.points:
        return None
    needs_labels = series.metric.needs_labels
    steps = [
        b.window.end - a.window.end for a, b in zip(series.points, series.points[1:], strict=False)
    ]
    spec = charts.over_time(
        [Moment(p.window.end, p.measure, needs_labels and not p.final) for p in series.points],
        title=chart_title(series),
        unit=series.metric.title,
        every=max(series.spec.every, min(steps, default=0)),
        percent=words.is_share(series.metric),
        reference=series.reference,
        thresholds=rule_words.thresholds(monitor.rules, series.metric, series.spec.size),
        spans=[Span(i.opened, i.resolved, f"#{i.id}") for i in reversed(incidents)],
        marks=marks,
        guesses=[] if estimated is None else guesses(estimated),
    )
    return picture(spec, "metric")


def guesses(estimated: EstimatedSeries) -> list[Guess]:
    """The estimates as a line, those that are not trusted apart."""
    return [
        Guess(p.window.end, p.estimate.measure.value, doubtful=not p.estimate.trusted)
        for p in estimated.points
        if p.estimate is not None and isinstance(p.estimate.measure, Bounded)
    ]


def drift(points: Sequence[DriftPoint], marks: Sequence[Mark] = ()) -> Picture | None:
    """The map of drift; None without any window."""
    if not points:
        return None
    columns = [DriftColumn(point.window, point.shifts) for point in points]
    title = drift_title(telling(points))
    return picture(charts.drift_map(columns, title=title, marks=marks), "drift")


def telling(points: Sequence[DriftPoint]) -> DriftPoint:
    """The newest window of which most columns can be judged, else of 20 rows, else the newest."""

    def told(point: DriftPoint) -> bool:
        few = sum(shift.verdict is Verdict.INSUFFICIENT for shift in point.shifts.values())
        return 2 * few < len(point.shifts)

    def enough(point: DriftPoint) -> bool:
        return point.rows >= ENOUGH_ROWS

    found = (p for test in (told, enough) for p in reversed(points) if test(p))
    return next(found, points[-1])


def drift_title(point: DriftPoint) -> str:
    """Which columns have drifted in a window, as a sentence."""
    drifted = [name for name, shift in point.shifts.items() if shift.verdict is Verdict.DRIFT]
    columns = len(point.shifts)
    if not drifted:
        judged = [s for s in point.shifts.values() if s.verdict is Verdict.NONE]
        if len(judged) == columns:
            return f"No column of {columns} has drifted"
        if not judged:
            return f"Of {columns} columns no one can be judged yet"
        return (
            f"{len(judged)} of {columns} columns have not drifted, the others cannot be judged yet"
        )
    names = ", ".join(drifted[:3]) + (f" and {len(drifted) - 3} more" if len(drifted) > 3 else "")
    has = "has" if len(drifted) == 1 else "have"
    return f"{len(drifted)} of {columns} columns {has} drifted: {names}"


def feature_distribution(view: FeatureView) -> Picture:
    """A feature now over the reference."""
    spec = charts.distribution(view.bins, view.regular, view.reference, view.current)
    return picture(spec, "distribution")


def distances(
    points: Sequence[DriftPoint], feature: str, spec: WindowSpec, marks: Sequence[Mark] = ()
) -> Picture | None:
    """A feature's distance from the reference over time."""
    found = [
        (point.window.end, point.shifts[feature]) for point in points if feature in point.shifts
    ]
    if not found:
        return None
    _, last = found[-1]
    moments = [
        Moment(
            end,
            Undefined(shift.reason, shift.n)
            if shift.verdict is Verdict.INSUFFICIENT
            else Bounded(shift.js_distance, n=shift.n),
        )
        for end, shift in found
    ]
    usual = "" if last.usual is None else f", at most {words.number(last.usual)} in windows like it"
    return picture(
        charts.over_time(
            moments,
            title=f"Distance {words.number(last.js_distance)} from the reference{usual}",
            unit="Jensen–Shannon distance",
            every=spec.every,
            reference=Bounded(EFFECT),
            reference_name="no drift below",
            marks=marks,
        ),
        "metric",
    )


def rates(view: QualityView, feature: str) -> list[Picture]:
    """The shares of a feature over time, of those checks that ever found a row."""
    found: dict[str, list[tuple[int, Measured]]] = {}
    for point in view.points:
        for measured in point.measured:
            if measured.cell.feature == feature and measured.cell.check.share:
                of = found.setdefault(measured.cell.check.name, [])
                of.append((point.window.end, measured))
    return [
        _rate(series, view.spec)
        for series in found.values()
        if any(isinstance(m.measure, Bounded) and m.measure.value > 0 for _, m in series)
    ]


def _rate(series: list[tuple[int, Measured]], spec: WindowSpec) -> Picture:
    _, last = series[-1]
    name, expectation = last.cell.check.title, last.expectation
    title = f"{name}: {value_words(last)}" if isinstance(last.measure, Bounded) else name
    limit = [] if expectation.limit >= 1 or expectation.off else [expectation.limit]
    return picture(
        charts.over_time(
            [Moment(end, m.measure) for end, m in series],
            title=title,
            unit=f"{name}, share of rows",
            every=spec.every,
            percent=True,
            thresholds=[charts.Threshold(v, f"expected up to {words.percent(v)}") for v in limit],
        ),
        "metric",
    )


def moves(history: History) -> list[Mark]:
    """The moves of a model's aliases whose time is known."""
    return [
        Mark(move.moved_at, f"{move.alias} → {move.to_version or 'none'}")
        for move in history.moves
        if not move.first_seen
    ]


def serving(
    points: Sequence[OperationsPoint], marks: Sequence[Mark] = ()
) -> tuple[Picture, Picture] | None:
    """Latencies, and requests with those that failed; None where nothing was served."""
    windows = [
        ServingWindow(
            start=point.window.start,
            end=point.window.end,
            requests=point.counts["requests"],
            failed=point.counts["server_errors"] + point.counts["timeouts"],
            **{
                name: measure.value * 1000 if isinstance(measure, Bounded) else None
                for name, measure in point.latency.items()
            },
        )
        for point in points
    ]
    if not any(window.requests for window in windows):
        return None
    every = points[0].window.end - points[0].window.start
    return (
        picture(
            charts.latencies(windows, title=latency_title(points), every=every, marks=marks),
            "serve",
        ),
        picture(
            charts.requests(windows, title=requests_title(points), marks=marks),
            "serve",
        ),
    )


def evidence(
    detail: IncidentDetail, model: ModelDetail, read: Read, marks: Sequence[Mark] = ()
) -> Picture | None:
    """The picture of the first cause; where it has none, that of the model's headline metric."""
    incident = detail.incident
    if incident.causes and (spec := charts.cause_evidence(incident.causes[0])) is not None:
        # The sentence stands above the chart already.
        shares = incident.causes[0]["evidence"]
        parts = (shares[part] for part in ("bins", "regular", "reference", "current"))
        whole = incident.causes[0]["kind"] not in SPOKEN_OF
        return {
            **picture(spec, "evidence"),
            "alternative": spec["title"],
            "title": largest_change(*parts) if whole else "",
        }
    known = model.monitor.metrics
    rules = {rule.name: rule for rule in model.monitor.rules if rule.metric in known}
    rule = next((rules[e.rule] for e in detail.episodes if e.rule in rules), None)
    named = model.overview.headline.metric.name if rule is None else plain_name(rule.metric)
    size = None if rule is None else rule.window
    # As far back as makes a picture: two weeks, or many windows of the rule's size.
    span = max(14 * DAY, 8 * (size or 0))
    series = read.series(incident.model, named, window=size, span=span)
    return metric(series, model.monitor, [incident], marks)
