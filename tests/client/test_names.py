"""Outcomes by the names that services give their fields, from clients without a version."""

from typing import Any

import pytest

from tocsin.client import Client

NAMES = [
    {"prediction_id": "a", "actual_outcome": 1},
    {"request_id": "a", "label": 1},
    {"inferenceId": "a", "actual_outcome": 1},
    {"inference_id": "a", "label": 1},
    {"request_id": "a", "prediction_id": None, "actual_outcome": None, "label": 1},
]


@pytest.fixture
def client(script: Any) -> Any:
    server = script()
    with Client("http://tocsin.test", model="late", transport=server) as opened:
        yield opened, server


@pytest.mark.parametrize("record", NAMES)
@pytest.mark.parametrize("form", ["record", "records"])
def test_records_may_use_the_names_that_the_server_reads(
    client: Any, record: dict[str, Any], form: str
) -> None:
    opened, server = client
    moment = "2013-05-01T00:00:00Z"
    record = {**record, "outcome_timestamp": moment}
    opened.log_outcomes(record if form == "record" else [record])
    assert opened.flush()
    assert server.bodies == [[{"prediction_id": "a", "timestamp": moment, "actual_outcome": 1}]]


@pytest.mark.parametrize("record", NAMES[:4])
def test_tables_may_use_them_too(client: Any, record: dict[str, Any]) -> None:
    opened, server = client
    moment = "2013-05-01T00:00:00Z"
    columns = {**record, "outcome_timestamp": moment}
    opened.log_outcomes({name: [value] * 2 for name, value in columns.items()})
    assert opened.flush()
    assert server.bodies == [[{"prediction_id": "a", "timestamp": moment, "actual_outcome": 1}] * 2]


def test_an_outcome_without_a_label_is_refused_with_the_names(client: Any) -> None:
    opened, server = client
    opened.log_outcomes([{"request_id": "a"}])
    opened.log_outcomes({"request_id": ["a"]})
    opened.flush()
    assert opened.stats.rejected == 2
    assert server.requests == []
    opened.log_outcomes([{"request_id": "a"}])
    assert "no 'actual_outcome' (nor label)" in (opened.stats.last_error or "")


def test_a_prediction_needs_a_version_from_somewhere(client: Any) -> None:
    opened, server = client
    opened.log_prediction({"x": 1}, {"p": 0.5})
    opened.log_predictions([{"inputs": {"x": 1}, "outputs": {"p": 0.5}}])
    opened.log_predictions({"x": [1], "p": [0.5]}, ["p"])
    assert not opened.flush()
    assert (opened.stats.rejected, server.requests) == (3, [])
    assert "needs a model_version: give it to the Client" in (opened.stats.last_error or "")

    opened.log_prediction({"x": 1}, {"p": 0.5}, model_version="3")
    opened.log_predictions([{"inputs": {}, "outputs": {"p": 0.5}, "model_version": "4"}])
    opened.log_predictions({"x": [1], "p": [0.5], "model_version": ["5"]}, ["p"])
    assert opened.flush()
    assert [row["model_version"] for body in server.bodies for row in body] == ["3", "4", "5"]
