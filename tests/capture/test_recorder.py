"""From calls to what a Tocsin server is sent, without a network."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import numpy as np
import pytest
from tests.capture.world import until

from tocsin.capture.backlog import Backlog
from tocsin.capture.exchange import Model
from tocsin.capture.http_call import HttpCall
from tocsin.capture.meter import EVERY, Meter, resident_bytes
from tocsin.capture.monitored import MOST_SUMMARIES, Monitored, Target
from tocsin.capture.recorder import Recorder
from tocsin.capture.scores import Budget
from tocsin.operations import Summary
from tocsin.values import SECOND


class Pyfunc:
    """A classifier of one number, as MLflow wraps it."""

    class metadata:  # noqa: N801 - what MLflow calls it
        flavors: dict[str, Any] = {"python_function": {}}  # noqa: RUF012

        @staticmethod
        def get_input_schema() -> None:
            return None

    classes_ = np.array([0, 1])

    def __init__(self) -> None:
        self.asked: list[int] = []

    def get_raw_model(self) -> "Pyfunc":
        return self

    def predict_proba(self, frame: Any) -> Any:
        self.asked.append(len(frame))
        score = frame["x"].to_numpy() / 10
        return np.column_stack([1 - score, score])


def schema(**changes: Any) -> dict[str, Any]:
    features = [{"name": "x", "kind": "numeric"}]
    known = {"task": "binary", "features": features, "score": "p", "prediction": None}
    return {**known, "label": "y", **changes}


@dataclass
class Tocsin:
    """A server: what it was sent, and what it says of the model."""

    schema: dict[str, Any] | None = field(default_factory=schema)
    away: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)
    summaries: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.away:
            raise httpx2.ConnectError("away")
        if request.method == "GET":
            if self.schema is None:
                return httpx2.Response(404, json={"error": {"message": "no such model"}})
            return httpx2.Response(200, json={"schema": self.schema})
        found = json.loads(request.content)
        if request.url.path.endswith("/operations"):
            self.summaries += found
            return httpx2.Response(200, json={"added": len(found), "repeated": 0, "late": 0})
        self.rows += found
        return httpx2.Response(202, json={"accepted": len(found), "quarantined": 0})

    def count(self, name: str) -> int:
        return sum(summary["counts"].get(name, 0) for summary in self.summaries)


def call(pyfunc: Any, *values: float, name: str = "r") -> HttpCall:
    body = {"dataframe_records": [{"x": value, "secret": "s"} for value in values]}
    answer = {"predictions": [int(value > 5) for value in values]}
    return HttpCall(
        Model("3", pyfunc),
        name,
        "application/json",
        (json.dumps(body).encode(),),
        (json.dumps(answer).encode(),),
        0,
    )


@pytest.fixture
def tocsin() -> Tocsin:
    return Tocsin()


Made = Callable[..., Recorder]


@pytest.fixture
def recorder(tocsin: Tocsin) -> Iterator[Made]:
    made: list[Recorder] = []

    def make(**options: Any) -> Recorder:
        transport = httpx2.MockTransport(tocsin)
        made.append(Recorder(Target("http://tocsin", "m", transport=transport, **options)))
        made[-1].serve("3")
        return made[-1]

    yield make
    for one in made:
        one.close(5.0)


def test_rows_are_logged_with_probabilities_that_the_answer_lacks(
    tocsin: Tocsin, recorder: Made
) -> None:
    pyfunc, log = Pyfunc(), recorder()
    for i in range(5):
        log.record(call(pyfunc, 2, 8, name=f"r{i}"))
    log.close(5.0)

    assert len(tocsin.rows) == 10
    assert tocsin.rows[1]["prediction_id"] == "r0-1"
    assert tocsin.rows[1]["outputs"] == {"p": 0.8, "prediction": 1}
    assert tocsin.rows[1]["model_version"] == "3"
    assert sum(pyfunc.asked) == 10
    assert tocsin.count("captured") == tocsin.count("rows") == 10


def test_probabilities_are_not_asked_for_where_nobody_wants_them(
    tocsin: Tocsin, recorder: Made
) -> None:
    tocsin.schema = schema(score=None, prediction="said")
    pyfunc, log = Pyfunc(), recorder()
    log.record(call(pyfunc, 8))
    log.close(5.0)

    assert pyfunc.asked == []
    assert tocsin.rows[0]["outputs"] == {"said": 1}


def test_excluded_columns_never_leave(tocsin: Tocsin, recorder: Made) -> None:
    log = recorder(exclude=frozenset({"secret"}))
    log.record(call(Pyfunc(), 8))
    log.close(5.0)

    assert tocsin.rows[0]["inputs"] == {"x": 8}


def test_a_sample_is_kept_and_the_rest_counted(tocsin: Tocsin, recorder: Made) -> None:
    pyfunc, log = Pyfunc(), recorder(sample=0.25)
    log.record(call(pyfunc, *([5.0] * 400)))
    log.close(5.0)

    assert 60 < len(tocsin.rows) < 140
    assert tocsin.count("sampled_out") == 400 - len(tocsin.rows)
    assert sum(pyfunc.asked) == len(tocsin.rows)


def test_calls_wait_for_a_server_that_is_away(
    tocsin: Tocsin, recorder: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.capture.monitored.AGAIN_S", 0.01)
    tocsin.away = True
    log = recorder()
    log.record(call(Pyfunc(), 8))
    tocsin.away = False
    until(lambda: tocsin.rows)

    assert tocsin.rows[0]["prediction_id"] == "r-0"


def test_calls_that_nobody_took_are_counted_at_the_end(
    tocsin: Tocsin, recorder: Made, caplog: pytest.LogCaptureFixture
) -> None:
    tocsin.schema = None
    log = recorder()
    log.record(call(Pyfunc(), 8))
    log.close(5.0)

    assert tocsin.rows == []
    assert tocsin.count("dropped") == 1
    assert "does not monitor 'm' yet" in caplog.text


def test_a_request_that_cannot_be_read_is_counted_and_said_without_its_text(
    tocsin: Tocsin, recorder: Made, caplog: pytest.LogCaptureFixture
) -> None:
    log = recorder()
    bad = HttpCall(Model("3", Pyfunc()), "r", "application/json", (b"{4111",), (b"{}",), 0)
    for one in (bad, bad, call(Pyfunc(), 8)):
        log.record(one)
    log.close(5.0)

    assert (tocsin.count("unreadable"), len(tocsin.rows)) == (2, 1)
    assert "4111" not in caplog.text
    assert caplog.text.count("is not recorded") == 1


@pytest.mark.parametrize("beside", [{"timestamps": ["4111 1111"]}, {"request_ids": ["4111" * 40]}])
def test_rows_that_cannot_be_sent_are_lost_and_said_without_their_values(
    tocsin: Tocsin, recorder: Made, caplog: pytest.LogCaptureFixture, beside: dict[str, Any]
) -> None:
    log, good = recorder(), call(Pyfunc(), 8)
    body = json.dumps({**json.loads(good.request[0]), **beside}).encode()
    for one in (replace(good, request=(body,)), good):
        log.record(one)
    log.close(5.0)

    assert [tocsin.count(name) for name in ("rows", "captured", "dropped")] == [2, 1, 1]
    assert "cannot be sent" in caplog.text
    assert "4111" not in caplog.text


def test_one_call_whose_scores_fail_does_not_spoil_the_others(
    tocsin: Tocsin, recorder: Made
) -> None:
    pyfunc, log = Pyfunc(), recorder()
    odd = call(pyfunc, 1, name="odd")
    odd = HttpCall(odd.model, "odd", odd.content_type, (b'{"dataframe_records": [{"z": 1}]}',),
                   (b'{"predictions": [1]}',), 0)  # fmt: skip
    for one in (call(pyfunc, 2), odd, call(pyfunc, 8, name="s")):
        log.record(one)
    log.close(5.0)

    assert {row["prediction_id"]: row["outputs"]["p"] for row in tocsin.rows} == {
        "r-0": 0.2,
        "s-0": 0.8,
    }
    # Without a probability there is nothing of it that the monitor knows.
    assert tocsin.count("dropped") == 1


def test_nothing_is_taken_after_the_end(tocsin: Tocsin, recorder: Made) -> None:
    log = recorder()
    log.close(5.0)
    log.record(call(Pyfunc(), 8))
    log.close(5.0)
    assert tocsin.rows == []


def test_the_backlog_refuses_what_does_not_fit() -> None:
    one = call(None, 1.0)
    backlog = Backlog(most_calls=2)
    assert [backlog.put(one) for _ in range(3)] == [True, True, False]
    assert len(backlog.take(10)) == 2
    assert backlog.put(one)
    assert not Backlog(most_bytes=one.size - 1).put(one)


def test_a_budget_is_a_share_of_the_time_that_passes() -> None:
    at = [0.0]
    budget = Budget(share=0.1, burst_s=1.0, now=lambda: at[0])
    assert budget.is_left
    budget.spend(2.0)
    assert not budget.is_left
    at[0] = 9.9
    assert not budget.is_left
    at[0] = 10.1
    assert budget.is_left


@dataclass
class Process:
    """A process whose clock and costs are told."""

    now: int = 1_000 * SECOND
    cpu_s: float = 0.0
    set_by: int = 0

    def meter(self) -> Meter:
        return Meter(
            lambda: self.now + self.set_by,
            lambda: self.cpu_s,
            lambda: 7,
            lambda: self.now / SECOND,
        )


def test_a_summary_is_cut_at_every_tenth_second() -> None:
    process = Process()
    meter = process.meter()
    meter.serve("1")
    meter.answered("1", 200, 0.005)
    meter.answered("1", 400, 0.5)
    meter.answered("1", 504, 9.0)
    process.now += EVERY - SECOND
    early = meter.summaries()
    process.now += SECOND
    process.cpu_s = 2.5
    (cut,) = meter.summaries()

    assert early == []
    assert dict(cut.counts) == {
        "requests": 3, "client_errors": 1, "timeouts": 1, "cpu_us": 2_500_000, "serving_us": EVERY,
    }  # fmt: skip
    assert sum(cut.latencies.values()) == 3
    assert (cut.start, cut.end, cut.rss_bytes) == (1_000 * SECOND, 1_010 * SECOND, 7)


def test_an_idle_process_is_heard_of_and_numbers_go_on() -> None:
    process = Process()
    meter = process.meter()
    meter.serve("1")
    process.now += EVERY
    first = meter.summaries()
    meter.answered("1", 200, 0.1)
    meter.serve("2")
    meter.answered("2", 200, 0.1)
    process.now += EVERY
    second = meter.summaries()

    assert [s.counts.get("requests", 0) for s in first] == [0]
    assert {s.model_version: s.counts.get("serving_us", 0) for s in second} == {"1": 0, "2": EVERY}
    assert [s.sequence for s in first + second] == [0, 1, 2]
    assert len({s.process for s in first + second}) == 1


@pytest.mark.parametrize("jump", [-3_000 * SECOND, 10**6 * SECOND])
def test_a_clock_that_is_set_makes_no_span_longer(jump: int) -> None:
    process = Process(now=10_000 * SECOND)
    meter = process.meter()
    meter.serve("1")
    process.now += 4 * SECOND
    process.set_by = jump
    early = meter.summaries()
    process.now += 6 * SECOND
    (first,) = meter.summaries()
    process.now += EVERY
    (second,) = meter.summaries()

    assert early == []
    assert first.start == 10_000 * SECOND
    assert second.start == 10_010 * SECOND + jump
    assert [s.end - s.start for s in (first, second)] == [EVERY, EVERY]
    assert [s.counts["serving_us"] for s in (first, second)] == [EVERY, EVERY]


def test_counts_of_many_threads_are_all_there() -> None:
    process = Process()
    meter = process.meter()

    def work() -> None:
        for _ in range(2_000):
            meter.answered("1", 200, 0.01)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (cut,) = meter.summaries(at_once=True)
    assert cut.counts["requests"] == sum(cut.latencies.values()) == 8_000


def test_the_memory_of_a_process_is_known() -> None:
    assert 10 * 2**20 < resident_bytes() < 2**40


def test_summaries_are_sent_again_until_they_are_taken(tocsin: Tocsin) -> None:
    at = [0.0]
    target = Target("http://tocsin", "m", transport=httpx2.MockTransport(tocsin))
    told: list[str] = []
    monitored = Monitored(target, lambda topic, _: told.append(topic), now=lambda: at[0])
    many = [Summary("p", i, 0, 1, "1", {"requests": 1}) for i in range(MOST_SUMMARIES + 10)]
    tocsin.away = True
    monitored.tell(many[:1])
    tocsin.away = False
    monitored.tell(many[1:])
    at[0] = 100.0
    monitored.tell([])

    # The oldest are given up, and nothing is sent twice.
    assert [summary["sequence"] for summary in tocsin.summaries] == list(
        range(10, MOST_SUMMARIES + 10)
    )
    assert told == ["away"]


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (422, {"error": {}}, "HTTP 422"),
        (200, {"added": 0, "late": 0, "refused": 1, "reasons": ["is ahead"]}, "is ahead"),
        (200, {"added": 0, "late": 1}, "too old"),
        (200, [], "does not say"),
    ],
)
def test_summaries_that_are_not_taken_are_told(status: int, body: Any, what: str) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, json=body))
    told: list[str] = []
    monitored = Monitored(
        Target("http://tocsin", "m", transport=transport), lambda _, message: told.append(message)
    )
    monitored.tell([Summary("p", 0, 0, 1, "1")])
    monitored.tell([])
    (message,) = told
    assert what in message
