"""Results back to MLflow: numbers of windows, reports of incidents, states of versions."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, parse_monitor
from tocsin.drift import Shift
from tocsin.errors import InvalidInputError, RegistryError
from tocsin.estimation import estimate_of, names
from tocsin.model_uri import parse_address
from tocsin.profiles import EVERYTHING
from tocsin.records import Records, alerts, evaluations, models, published
from tocsin.records.alerts import Incident
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.registry.results import ResultPoint, Results, plain_name
from tocsin.service.grouped import cause_document
from tocsin.service.series import measured_series
from tocsin.service.versions import drift_of_version
from tocsin.service.windows import spec_of
from tocsin.values import Bounded, Measure, WindowSpec, format_duration, isoformat

# Evaluations of one step: what is in memory, and what is done again after a crash.
_STEP = 200
_EVALUATIONS = "evaluations"
_Points = dict[str, list[ResultPoint]]


class Publish:
    """Sends what is new since the stored position; what was sent twice is there once."""

    def __init__(self, records: Records, results: Results) -> None:
        self._records = records
        self._results = results

    def publish(self) -> None:
        """Send all that is new of every model. Raises: RegistryError that tells what was not."""
        if not self._results.is_named:
            return
        with self._records.read() as connection:
            names = models.names(connection)
        failures = []
        for name in names:
            try:
                self._publish(name)
            except RegistryError as error:
                failures.append(f"results of {name}: {error}")
        if failures:
            raise RegistryError("; ".join(failures))

    def _publish(self, name: str) -> None:
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            monitor = parse_monitor(name, record.monitor)
            if monitor.model_uri is None or not monitor.publish:
                return
            known = published.positions(connection, record.id)
        position = int(known.get(_EVALUATIONS, 0))
        while (moved := self._step(record, monitor, position)) > position:
            position = moved
        self._incidents(record, monitor, known)

    def _step(self, record: ModelRecord, monitor: Monitor, position: int) -> int:
        """Send the numbers of some windows; the position after them."""
        with self._records.read() as connection:
            found, last = evaluations.recorded_after(connection, record.id, position, _STEP)
            points = _points(connection, record, monitor, found)
        for version, numbers in points.items():
            self._results.log(self._results.run_of(record.name, version), numbers)
        if last > position:
            self._remember(record.id, _EVALUATIONS, str(last))
        return last

    def _incidents(self, record: ModelRecord, monitor: Monitor, known: dict[str, str]) -> None:
        with self._records.read() as connection:
            # The oldest first: what is said last of a version is of its newest.
            incidents = alerts.list_incidents(connection, model_id=record.id)[::-1]
            news = [i for i in incidents if known.get(_topic(i)) != _state(i)]
            versions = {i.id: known.get(_version_topic(i)) for i in incidents}
            opened = {
                i.id: _version_of(connection, record, i) or monitor.version
                for i in news
                if versions[i.id] is None
            }
        for number, version in opened.items():
            # Later windows may be of another version, which an incident of before is not about.
            self._remember(record.id, f"version of incident/{number}", version)
        if not news:
            return
        versions |= opened
        # First of all, so that a failure below has it said again.
        self._tag(monitor, [(i, versions[i.id]) for i in incidents], {i.id for i in news})
        for incident in news:
            run = self._results.run_of(record.name, versions[incident.id] or monitor.version)
            self._results.attach(
                run, f"incidents/{incident.id}", _report(incident), _text(incident)
            )
            self._remember(record.id, _topic(incident), _state(incident))

    def _tag(
        self,
        monitor: Monitor,
        blamed: Sequence[tuple[Incident, str | None]],
        news: set[int],
    ) -> None:
        """Say at the versions of news how they are, as far as the registry has them.

        blamed: all incidents, the oldest first, with their versions.
        """
        assert monitor.model_uri is not None
        try:
            registered = parse_address(monitor.model_uri).name
        except InvalidInputError:
            # It is kept elsewhere: its numbers are of use in MLflow all the same.
            return
        there = {v.version for v in self._results.state(registered).versions}
        for version in there & {version for i, version in blamed if i.id in news}:
            mine = [i for i, of in blamed if of == version]
            still = [i for i in mine if i.resolved is None]
            tags = {
                "tocsin.status": "incident" if still else "resolved",
                "tocsin.incident": str((still or mine)[-1].id),
            }
            self._results.set_tags(registered, version, tags)

    def _remember(self, model_id: int, topic: str, position: str) -> None:
        with self._records.write() as connection:
            if models.is_there(connection, model_id):
                published.set_position(connection, model_id, topic, position)


def _points(
    connection: Connection, record: ModelRecord, monitor: Monitor, found: Sequence[Evaluation]
) -> _Points:
    """The numbers of windows by version: those stored, or each version's own where several met.

    Windows of a day, or of the longest size there is, end to end: a run of a year has 365 steps,
    which MLflow draws; those that overlap would be 24 times as many and say the same.
    """
    spec = spec_of(monitor, None)
    newest = {
        e.window.end: e
        for e in found
        if e.rows and e.window.end - e.window.start == spec.size and e.window.end % spec.size == 0
    }
    points: _Points = {}
    for end, e in sorted(newest.items()):
        if len(e.versions) == 1:
            (version,) = e.versions
            numbers = _of_window(monitor, spec, end, e.rows, e.measures, e.shifts)
            points.setdefault(version, []).extend(numbers)
            points[version].extend(_estimates(monitor, spec, end, e.estimates))
    mixed = [e for _, e in sorted(newest.items()) if len(e.versions) > 1]
    for version in sorted({version for e in mixed for version in e.versions}):
        some = [e for e in mixed if version in e.versions]
        numbers = _of_version(connection, record, monitor, spec, some, version)
        points.setdefault(version, []).extend(numbers)
    return points


def _of_version(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    spec: WindowSpec,
    found: Sequence[Evaluation],
    version: str,
) -> Iterator[ResultPoint]:
    series = measured_series(
        connection,
        record,
        monitor,
        list(monitor.metrics.values()),
        spec,
        found,
        EVERYTHING,
        version,
    )
    drift = drift_of_version(connection, record, monitor, spec, found, version)
    for i, point in enumerate(drift):
        measures = {name: one.points[i].measure for name, one in series.items()}
        yield from _of_window(monitor, spec, point.window.end, point.rows, measures, point.shifts)


def _of_window(
    monitor: Monitor,
    spec: WindowSpec,
    end: int,
    rows: int,
    measures: Mapping[str, Measure],
    shifts: Mapping[str, Shift],
) -> Iterator[ResultPoint]:
    def point(name: str, value: float) -> Iterator[ResultPoint]:
        if isfinite(value):
            yield ResultPoint(f"{spec.name}/{name}", value, end)

    yield from point("rows", rows)
    # What is made for rules has names that MLflow does not take.
    known = set(monitor.metrics)
    for name, measure in measures.items():
        if name in known and isinstance(measure, Bounded):
            # MLflow takes no @; `recall_score@0.3` is `recall_score:0.3`.
            plain = plain_name(name.replace("@", ":"))
            yield from point(plain, measure.value)
            if name == monitor.metrics.headline and None not in (measure.low, measure.high):
                assert measure.low is not None
                assert measure.high is not None
                yield from point(f"{plain}/low", measure.low)
                yield from point(f"{plain}/high", measure.high)
    for name, shift in shifts.items():
        yield from point(f"js_distance/{plain_name(name)}", shift.js_distance)
        yield from point(f"psi/{plain_name(name)}", shift.psi)


def _estimates(
    monitor: Monitor, spec: WindowSpec, end: int, kept: Mapping[str, Any]
) -> Iterator[ResultPoint]:
    """What was estimated before labels; the interval of the headline, and whether to trust it."""
    for name in names(kept):
        estimate = estimate_of(kept, name)
        if estimate is None or not isinstance(estimate.measure, Bounded):
            continue
        plain = f"{spec.name}/estimated/{plain_name(name.replace('@', ':'))}"
        measure = estimate.measure
        yield ResultPoint(plain, measure.value, end)
        if name == monitor.metrics.headline:
            assert measure.low is not None
            assert measure.high is not None
            yield ResultPoint(f"{plain}/low", measure.low, end)
            yield ResultPoint(f"{plain}/high", measure.high, end)
            yield ResultPoint(f"{plain}/trusted", float(estimate.trusted), end)


def _version_of(connection: Connection, record: ModelRecord, incident: Incident) -> str | None:
    """The version that made most predictions of the window that opened an incident, if known."""
    ends = (incident.opened, incident.window_end)
    found = evaluations.at(connection, record.id, incident.window_size, ends)
    window = found.get(incident.opened) or found.get(incident.window_end)
    versions = {} if window is None else window.versions
    return max(versions, key=lambda version: versions[version]) if versions else None


def _topic(incident: Incident) -> str:
    return f"incident/{incident.id}"


def _version_topic(incident: Incident) -> str:
    return f"version of incident/{incident.id}"


def _state(incident: Incident) -> str:
    told = f"{incident.title}/{len(incident.causes)}"
    return f"{incident.window_end}/{incident.resolved}/{told}"


def _report(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "model": incident.model,
        "severity": incident.severity,
        "title": incident.title,
        "opened": isoformat(incident.opened),
        "resolved": None if incident.resolved is None else isoformat(incident.resolved),
        "window": format_duration(incident.window_size),
        "window_end": isoformat(incident.window_end),
        "causes": [cause_document(cause) for cause in incident.causes],
    }


def _text(incident: Incident) -> str:
    over = "open" if incident.resolved is None else f"over at {isoformat(incident.resolved)}"
    causes = "\n".join(
        f"{i}. {cause['sentence']} ({cause['window']} until {cause['window_end']})"
        for i, cause in enumerate(map(cause_document, incident.causes), 1)
    )
    return (
        f"# {incident.model}: {incident.title}\n\n"
        f"Incident {incident.id}, {incident.severity}, since {isoformat(incident.opened)}, "
        f"{over}.\n\n"
        f"{causes or 'No cause stands out.'}\n"
    )
