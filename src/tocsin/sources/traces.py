"""Traces of an MLflow experiment: what was asked and answered, and what people said of it later.

At low volume only: a traced call costs its client some 50 ms, and a search gives at most 500.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import mlflow
from mlflow.exceptions import MlflowException

from tocsin.errors import InvalidInputError
from tocsin.operations import Summary, latency_bin
from tocsin.sources.base import Batch, Options, Say, parsed, written
from tocsin.sources.readers import decoded

_PREFIX = "mlflow-traces:"
# As many as a search of MLflow gives.
_MOST = 500
_PROBE_S = 5.0
# In which tags or metadata a trace may say what made it, the first that is there.
_VERSIONS = ("model_version", "mlflow.modelVersion", "mlflow.modelId")
_Place = tuple[int, str]


class TraceSource:
    """Finished traces by (start, id), or assessments by (last change, id); a position is the last.

    Assessments come to old traces at any time, and MLflow cannot search by their times: all traces
    of the last while are looked through, and those that changed since are given.
    """

    def __init__(
        self,
        what: str,
        name: str | None,
        options: Options,
        *,
        say: Say,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        experiment = what.removeprefix(_PREFIX)
        self._options = options
        self._say = say
        self._clock_s = clock_s
        self._client, address = _client(options.tracking_uri)
        self._experiment = _experiment_id(self._client, experiment, address)
        self.name = name or f"{_PREFIX}{experiment} at {address}"

    def batches(self, position: str) -> Iterator[Batch]:
        """What there is behind a position. Raises: InvalidInputError."""
        place = _place(position, self.name)
        lag_s = self._options.lag_s
        if lag_s and not self._options.follow:
            self._say(f"What is younger than {lag_s:g} s is left for the next time (--lag).")
        try:
            yield from self._assessed(place) if self._options.outcomes else self._made(place)
        except MlflowException as error:
            raise InvalidInputError(f"{self.name} cannot be read: {error.message}") from error

    def stored(self, position: str) -> None:
        """MLflow need not know."""

    def close(self) -> None:
        """There is nothing to let go of."""

    def _made(self, place: _Place) -> Iterator[Batch]:
        until = self._until()
        done = failed = 0
        while page := self._page_behind(place, until):
            info = page[-1].info
            place = info.request_time, info.trace_id
            good = [trace for trace in page if str(trace.info.state) == "OK"]
            failed += len(page) - len(good)
            done += len(good)
            ids = [trace.info.trace_id for trace in good]
            rows, costs = [_prediction(t) for t in good], [_cost(t) for t in page if _ended(t)]
            yield Batch(rows, ids, _at(place), done, None, costs=costs)
        if failed:
            self._say(f"{failed:,} traces failed or were not finished and were left out")

    def _page_behind(self, place: _Place, until: int) -> Sequence[Any]:
        """The next traces: by their place, as pages of MLflow shift when a trace is deleted."""
        token = None
        while True:
            found = self._search(place[0], until, token, include_spans=True)
            rest = [t for t in found if (t.info.request_time, t.info.trace_id) > place]
            token = found.token
            if rest or not token:
                return rest

    def _assessed(self, place: _Place) -> Iterator[Batch]:
        until = self._until()
        since = int((self._clock_s() - self._options.lookback_s) * 1000)
        found: dict[_Place, tuple[str, Any, Any]] = {}
        token = None
        while True:
            page = self._search(since, 2**62, token, include_spans=False)
            for trace in page:
                for said in trace.info.assessments:
                    at = said.last_update_time_ms, said.assessment_id
                    if place < at and at[0] <= until and self._is_outcome(said):
                        found[at] = (trace.info.trace_id, said.name, _value(said))
            token = page.token
            if not token:
                break
        self._check_one_name({name for _, name, _ in found.values()})
        order = sorted(found)
        rows = self._options.batch_rows
        for start in range(0, len(order), rows):
            part = order[start : start + rows]
            records = [_outcome(at, found[at][0], found[at][2]) for at in part]
            ids = [assessment for _, assessment in part]
            yield Batch(records, ids, _at(part[-1]), start + len(part), len(order))

    def _search(self, since: int, until: int, token: str | None, *, include_spans: bool) -> Any:
        return self._client.search_traces(
            locations=[self._experiment],
            filter_string=f"timestamp_ms >= {since} AND timestamp_ms <= {until}",
            order_by=["timestamp_ms ASC"],
            max_results=min(self._options.batch_rows, _MOST) if include_spans else _MOST,
            page_token=token,
            include_spans=include_spans,
        )

    def _until(self) -> int:
        """Younger ones may still get company that began before them."""
        return int((self._clock_s() - self._options.lag_s) * 1000)

    def _is_outcome(self, said: Any) -> bool:
        if said.valid is False or (said.expectation is None and said.feedback is None):
            return False
        if self._options.outcome is None:
            return said.expectation is not None
        return bool(said.name == self._options.outcome)

    def _check_one_name(self, names: set[str]) -> None:
        if len(names) > 1:
            raise InvalidInputError(
                f"{self.name} has expectations of several names, {', '.join(sorted(names))}; say "
                "which one is the outcome with --outcome"
            )


def _client(uri: str | None) -> tuple[Any, str]:
    """MLflow's client, and its address without a password.

    Raises: InvalidInputError within seconds where nobody answers; the client itself tries minutes.
    """
    uri = (uri or mlflow.get_tracking_uri()).rstrip("/")
    parts = urlsplit(uri)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.scheme in ("http", "https"):
        try:
            # Nothing secret is sent; who answers matters only to MLflow's client, which verifies.
            httpx2.head(f"{address}/health", timeout=_PROBE_S, verify=False)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise InvalidInputError(
                f"MLflow at {address} cannot be reached ({error}); name it with --tracking-uri"
            ) from error
    return mlflow.MlflowClient(tracking_uri=uri), address


def _experiment_id(client: Any, experiment: str, address: str) -> str:
    try:
        found = client.get_experiment_by_name(experiment)
        if found is None and experiment.isdigit():
            found = client.get_experiment(experiment)
    except MlflowException as error:
        raise InvalidInputError(f"experiment {experiment!r} of {address}: {error}") from error
    if found is None:
        raise InvalidInputError(f"MLflow at {address} has no experiment {experiment!r}")
    return str(found.experiment_id)


def _prediction(trace: Any) -> dict[str, Any]:
    """One flat record, so that `--column` can name its parts."""
    info = trace.info
    row = _columns(trace.data.request, "input") | _columns(trace.data.response, "output")
    version = _version(info)
    row |= {"prediction_id": info.trace_id, "timestamp": _moment(info.request_time)}
    return row if version is None else {**row, "model_version": version}


def _ended(trace: Any) -> bool:
    return str(trace.info.state) in ("OK", "ERROR")


def _cost(trace: Any) -> Summary:
    """One call, told from all others by the trace: read again it counts once all the same."""
    info = trace.info
    duration_ms = info.execution_duration or 0
    start = info.request_time * 1_000
    counts = {"requests": 1, "rows": 1}
    if str(info.state) == "ERROR":
        counts = {"requests": 1, "server_errors": 1}
    return Summary(
        process=info.trace_id,
        sequence=0,
        start=start,
        end=start + max(duration_ms, 1) * 1_000,
        model_version=_version(info) or "",
        counts=counts,
        latencies={latency_bin(duration_ms / 1_000): 1},
    )


def _version(info: Any) -> str | None:
    given = {**info.trace_metadata, **info.tags}
    return next((given[name] for name in _VERSIONS if name in given), None)


def _columns(text: str | None, otherwise: str) -> dict[str, Any]:
    """What a call was given, or gave: by name, or all under one name.

    Lists of one are what is in them, and so is one argument that holds a whole row.

    >>> _columns('{"model_input": [{"age": 3, "sex": "f"}]}', "input")
    {'age': 3, 'sex': 'f'}
    >>> _columns('{"p": [0.5]}', "output"), _columns("[0.5]", "output")
    ({'p': 0.5}, {'output': 0.5})
    """
    content = _single(decoded(text.encode()) if text else {})
    if not isinstance(content, dict):
        return {otherwise: content}
    row = {name: _single(value) for name, value in content.items()}
    inner = next(iter(row.values())) if len(row) == 1 else None
    return inner if isinstance(inner, dict) else row


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _outcome(at: _Place, trace_id: str, value: Any) -> dict[str, Any]:
    return {"prediction_id": trace_id, "timestamp": _moment(at[0]), "actual_outcome": value}


def _value(said: Any) -> Any:
    return said.expectation.value if said.expectation is not None else said.feedback.value


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def _at(place: _Place) -> str:
    return written({"ms": place[0], "id": place[1]})


def _place(position: str, name: str) -> _Place:
    if not position:
        return 0, ""
    found = parsed(position, name, "ms", "id")
    return int(found["ms"]), str(found["id"])
