"""Traces of a real MLflow: what calls look like there, and what is said of them later."""

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.servers import free_port
from tests.sources.worlds import Traces, going_on

from tocsin.errors import InvalidInputError
from tocsin.sources import Batch, Options, Source, opened
from tocsin.sources.traces import TraceSource

LONG_AGO = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def served(mlflow_uri: str) -> Traces:
    return Traces(mlflow_uri)


def read(source: Source, position: str = "") -> list[Batch]:
    with closing(source) as found:
        return list(found.batches(position))


def records(batches: list[Batch]) -> list[dict[str, Any]]:
    return [dict(row) for batch in batches for row in batch.rows]


@pytest.mark.parametrize(
    ("inputs", "outputs", "row"),
    [
        ({"distance": 3, "carrier": "AA"}, {"p": 0.5}, {"distance": 3, "carrier": "AA", "p": 0.5}),
        ({"row": {"distance": 3}}, 0.5, {"distance": 3, "output": 0.5}),
        ({"model_input": [{"distance": 3}]}, [0.5], {"distance": 3, "output": 0.5}),
        ({"distance": [3]}, {"p": [0.5]}, {"distance": 3, "p": 0.5}),
        ("what", "late", {"input": "what", "output": "late"}),
        (None, None, {}),
    ],
)
def test_what_a_call_was_given_and_gave_is_one_flat_row(served, inputs, outputs, row) -> None:
    trace_id = served.trace(inputs, outputs, start=LONG_AGO, model_version="3")
    served.mlflow.flush_trace_async_logging()
    (batch,) = read(served.opened())
    moment = {"timestamp": LONG_AGO.isoformat()}
    named = {"prediction_id": trace_id, "model_version": "3"}
    assert records([batch]) == [row | moment | named]
    assert batch.ids == [trace_id]


def test_a_decorated_function_is_read_as_it_was_called(
    served: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MLflow leaves it to the whole process, and to those that it starts.
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    served.mlflow.set_experiment(served.name)

    @served.mlflow.trace
    def predict(distance: float, carrier: str) -> dict[str, float]:
        return {"p": distance / 10 + len(carrier)}

    predict(3.0, carrier="AA")
    served.mlflow.flush_trace_async_logging()
    (found,) = records(read(served.opened()))
    assert (found["distance"], found["carrier"], found["p"]) == (3.0, "AA", 2.3)


def test_a_call_costs_its_time_or_fails(served: Traces) -> None:
    failed = served.trace({"n": 1}, None, status="ERROR", start=LONG_AGO)
    done = served.trace({"n": 2}, {}, start=LONG_AGO, model_version="3")
    served.mlflow.flush_trace_async_logging()
    costs = {cost.process: cost for batch in read(served.opened()) for cost in batch.costs}
    assert costs.keys() == {failed, done}
    assert costs[failed].counts == {"requests": 1, "server_errors": 1}
    assert costs[done].counts == {"requests": 1, "rows": 1}
    assert (costs[done].model_version, costs[failed].model_version) == ("3", "")
    assert sum(costs[done].latencies.values()) == 1
    assert costs[done].start == int(LONG_AGO.timestamp() * 1e6) < costs[done].end


def test_what_failed_is_left_out_and_said(served: Traces) -> None:
    served.trace({"n": 1}, None, status="ERROR")
    served.add(2, 3)
    said: list[str] = []
    options = Options(tracking_uri=served.uri)
    source = opened(f"mlflow-traces:{served.name}", None, options, say=said.append, wait=going_on)
    assert [row["n"] for row in records(read(source))] == [2]
    assert said == ["1 traces failed or were not finished and were left out"]


def test_many_traces_of_one_moment_are_all_read(served: Traces) -> None:
    for n in range(20):
        served.trace({"n": n}, {}, start=LONG_AGO)
    served.mlflow.flush_trace_async_logging()
    batches = read(served.opened(batch_rows=3))
    assert sorted(row["n"] for row in records(batches)) == list(range(20))
    rest = read(served.opened(batch_rows=3), batches[2].position)
    assert records(rest) == records(batches[3:])


def test_younger_ones_wait(served: Traces) -> None:
    served.add(0, 1)
    said: list[str] = []
    options = Options(tracking_uri=served.uri, lag_s=3_600.0)
    what = f"mlflow-traces:{served.name}"
    assert read(opened(what, None, options, say=said.append, wait=going_on)) == []
    assert said == ["What is younger than 3600 s is left for the next time (--lag)."]
    assert len(records(read(served.opened()))) == 1


def said_of(served: Traces, trace_id: str, name: str, value: Any) -> Any:
    return served.mlflow.log_feedback(trace_id=trace_id, name=name, value=value)


@pytest.fixture
def judged(served: Traces) -> tuple[Traces, list[str]]:
    """Three traces, of which one has an expectation."""
    ids = [served.trace({"n": n}, {}) for n in range(3)]
    served.mlflow.flush_trace_async_logging()
    served.mlflow.log_expectation(trace_id=ids[0], name="late", value=1)
    return served, ids


def outcomes(served: Traces, position: str = "", **options: Any) -> list[Batch]:
    return read(served.opened(outcomes=True, **options), position)


def test_what_is_said_of_old_traces_later_is_found_and_nothing_twice(judged) -> None:
    served, ids = judged
    first = outcomes(served)
    assert [(r["prediction_id"], r["actual_outcome"]) for r in records(first)] == [(ids[0], 1)]
    position = first[-1].position
    assert outcomes(served, position) == []
    served.mlflow.log_expectation(trace_id=ids[2], name="late", value=0)
    served.mlflow.log_expectation(trace_id=ids[1], name="late", value=1)
    later = records(outcomes(served, position))
    assert [(r["prediction_id"], r["actual_outcome"]) for r in later] == [(ids[2], 0), (ids[1], 1)]
    assert later[0]["timestamp"] <= later[1]["timestamp"]


def test_an_expectation_that_is_changed_comes_again(judged) -> None:
    served, ids = judged
    first = outcomes(served)
    client = served.mlflow.MlflowClient()
    (trace,) = client.search_traces(
        locations=[client.get_experiment_by_name(served.name).experiment_id],
        filter_string=f"request_id = '{ids[0]}'",
    )
    (old,) = trace.info.assessments
    corrected = served.mlflow.entities.Expectation(name="late", value=0)
    served.mlflow.update_assessment(
        trace_id=ids[0], assessment_id=old.assessment_id, assessment=corrected
    )
    (record,) = records(outcomes(served, first[-1].position))
    assert (record["prediction_id"], record["actual_outcome"]) == (ids[0], 0)


def test_feedback_is_an_outcome_only_if_it_is_named(judged) -> None:
    served, ids = judged
    said_of(served, ids[1], "was late", value=True)
    said_of(served, ids[2], "tone", value="kind")
    assert len(records(outcomes(served))) == 1
    (record,) = records(outcomes(served, outcome="was late"))
    assert (record["prediction_id"], record["actual_outcome"]) == (ids[1], True)


def test_expectations_of_several_names_have_to_be_told_apart(judged) -> None:
    served, ids = judged
    served.mlflow.log_expectation(trace_id=ids[1], name="delay", value=12)
    with pytest.raises(InvalidInputError, match="several names, delay, late; say which"):
        outcomes(served)
    assert len(records(outcomes(served, outcome="delay"))) == 1


def test_traces_beyond_the_look_back_are_not_looked_through(judged) -> None:
    served, _ = judged
    options = Options(tracking_uri=served.uri, outcomes=True, lookback_s=60.0)

    def seen_after(delay: timedelta) -> list[Batch]:
        what = f"mlflow-traces:{served.name}"
        source = TraceSource(
            what,
            None,
            options,
            say=lambda _: None,
            clock_s=lambda: time.time() + delay.total_seconds(),
        )
        return read(source)

    assert len(records(seen_after(timedelta(0)))) == 1
    assert seen_after(timedelta(hours=1)) == []


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    options = Options(tracking_uri=f"http://me:secret@127.0.0.1:{free_port()}")
    began_s = time.monotonic()
    with pytest.raises(InvalidInputError, match="cannot be reached") as told:
        opened("mlflow-traces:served", None, options, say=lambda _: None, wait=going_on)
    assert time.monotonic() - began_s < 30
    assert "secret" not in str(told.value)


def test_an_experiment_that_is_not_there_is_named(mlflow_uri: str) -> None:
    options = Options(tracking_uri=mlflow_uri)
    with pytest.raises(InvalidInputError, match="no experiment 'nowhere'"):
        opened("mlflow-traces:nowhere", None, options, say=lambda _: None, wait=going_on)


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        ("rows.csv", {"outcome": "late", "outcomes": True}, "--outcome is for"),
        ("mlflow-traces:x", {"outcome": "late"}, "--outcome is for"),
        ("rows.csv", {"lag_s": 1.0}, "--lag is for"),
        ("mlflow-traces:x", {"table": "t"}, "--table is for"),
    ],
)
def test_options_of_other_sources_are_refused(what, options, words) -> None:
    with pytest.raises(InvalidInputError, match=words):
        opened(what, None, Options(**options), say=lambda _: None, wait=going_on)
