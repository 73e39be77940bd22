"""Laws: whatever server, threads and values do, the books balance and nothing is raised."""

import asyncio
import os
import tempfile
import threading
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.client.conftest import DROPPED, SLOW
from tests.client.test_client import balanced
from tests.client.test_overflow import until

from tocsin.client import AsyncClient, Client

FLUSH_S = 20.0
NOW = {"Retry-After": "0"}
BEHAVIOURS = st.sampled_from(
    [(202, None, {}), (503, {}, NOW), (DROPPED, {}, {}), (SLOW, {}, {}), (429, {}, NOW)]
)
# Not made smaller when they fail: threads do not fail twice in the same way.
slowly = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def behave(loopback: Any, behaviours: list[Any]) -> None:
    loopback.answers[:] = [
        (status, {"accepted": 1} if content is None else content, headers)
        for status, content, headers in behaviours
    ]
    loopback.received.clear()


@slowly
@given(
    behaviours=st.lists(BEHAVIOURS, max_size=12),
    logs=st.lists(st.tuples(st.sampled_from(["one", "many", "table", "bad"]), st.integers(1, 30)),
                  min_size=1, max_size=12),
    threads=st.integers(1, 3),
    spills=st.booleans(),
    flushes=st.booleans(),
)  # fmt: skip
def test_the_books_balance_whatever_the_server_does(
    loopback: Any, behaviours: Any, logs: Any, threads: int, spills: bool, flushes: bool
) -> None:
    behave(loopback, behaviours)
    with tempfile.TemporaryDirectory() as folder:
        options = {"max_queue": 40, "batch_rows": 7, "max_delay_s": 0.0, "model": "late"}
        options |= {"spill_dir": folder if spills else None, "model_version": "3"}
        client = Client(loopback.url, **options)
        ids: list[str] = []

        def log() -> None:
            for how, rows in logs:
                ids.extend(logged(client, how, rows))
                assert balanced(client)

        together = [threading.Thread(target=log) for _ in range(threads)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        if flushes:
            client.flush(FLUSH_S)
        client.close(timeout_s=FLUSH_S if flushes else 0.0)
        until(lambda: client.stats.queued == 0)
        stats = client.stats
        assert balanced(client)
        assert stats.logged == threads * sum(rows for _, rows in logs)
        assert not (stats.spilled and not spills)
        loopback.answers.clear()
        # Files that a thread still sent when its client closed are its own until it ends.
        until(lambda: "tocsin-client" not in {thread.name for thread in threading.enumerate()})
        with Client(loopback.url, **options) as heir:
            until(lambda: heir.stats.recovered >= client.stats.spilled)
        arrived = set(loopback.arrived)
        assert len(arrived) >= len(set(ids)) - stats.dropped
        assert arrived <= set(ids)


def logged(client: Client, how: str, rows: int) -> list[str]:
    if how == "one":
        return [client.log_prediction({"x": 1}, {}) for _ in range(rows)]
    if how == "many":
        return client.log_predictions([{"inputs": {}, "outputs": {}}] * rows)
    if how == "table":
        return client.log_predictions({"x": [1] * rows}, outputs="x")
    client.log_predictions([{"inputs": {"x": object()}, "outputs": {}}] * rows)
    return []


class Hostile:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __eq__(self, _: object) -> bool:
        raise RuntimeError("no comparison")

    def __bool__(self) -> bool:
        raise RuntimeError("neither")

    def __iter__(self) -> Any:
        raise RuntimeError("no iteration")


class HostileDict(dict[str, Any]):
    def keys(self) -> Any:
        raise KeyError("no keys")

    __iter__ = items = values = get = keys


def broken_generator() -> Any:
    yield {"inputs": {}, "outputs": {}}
    raise LookupError("the host's own fault")


ABSURD = [
    None, 0, -1.5, "", "text", b"bytes", [], [None], [[]], {}, {"x": None}, {1, 2}, object(),
    Hostile(), [Hostile()], {"x": Hostile()}, {"inputs": Hostile(), "outputs": {}},
    {"inputs": {}, "outputs": {}, "prediction_id": Hostile()}, HostileDict(x=1),
    {"x": HostileDict(x=1)}, {"inputs": HostileDict(x=1), "outputs": {}}, {("a", 1): 2},
    {Hostile: 1}, float("nan"), float("inf"), 10**400, Decimal("NaN"), 1j, "\ud800", "\0" * 200,
    np.array(1), np.array([[1]]), np.ma.masked, np.array([object()]), pd.NaT, pd.NA,
    pd.DataFrame(), pd.DataFrame({"x": [object()]}), pd.Series([1]), pd.Timestamp.min,
    pd.DataFrame([[1, 2]], columns=["x", "x"]), range(3), iter([]), lambda: 1, Ellipsis, type(None),
]  # fmt: skip


@pytest.mark.parametrize("first", range(len(ABSURD)))
def test_absurd_values_never_raise_and_are_counted(first: int, loopback: Any, connect: Any) -> None:
    client = connect(loopback.url, max_delay_s=0.0)
    one = ABSURD[first]
    client.log_predictions(broken_generator())
    for other in ABSURD[::6]:
        for a, b in ((one, other), (other, one)):
            client.log_prediction(a, b)
            client.log_predictions(a, b)
    client.log_prediction({}, {}, one, one)
    client.log_prediction({"x": one}, {"x": one})
    client.log_predictions([one, {"inputs": one, "outputs": one}])
    client.log_outcome(one, one, one)
    client.log_outcomes(one)
    client.log_outcomes([one])
    client.log_outcomes({"prediction_id": one, "actual_outcome": one})
    client.log_prediction({}, {}, "the last")
    client.flush(FLUSH_S)
    assert client.stats.queued == 0
    assert balanced(client)
    assert "the last" in loopback.arrived


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_forks_at_any_moment_lose_nothing_of_parent_or_child(loopback: Any, connect: Any) -> None:
    client = connect(loopback.url, batch_rows=5, max_delay_s=0.001)
    stop = threading.Event()
    logged_ids: list[str] = []

    def log() -> None:
        while not stop.is_set():
            logged_ids.append(client.log_prediction({}, {}))
            stop.wait(0.0005)

    thread = threading.Thread(target=log)
    thread.start()
    children = 4
    for number in range(children):
        child = os.fork()
        if child == 0:
            client.log_prediction({}, {}, f"child {number}")
            os._exit(0 if client.flush(FLUSH_S) and client.stats.sent == 1 else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    stop.set()
    thread.join()
    assert client.flush(FLUSH_S)
    expected = Counter([*logged_ids, *(f"child {number}" for number in range(children))])
    assert Counter(loopback.arrived) == expected


def test_packed_bodies_arrive_as_they_were_logged(loopback: Any, connect: Any) -> None:
    client = connect(loopback.url, compress=True)
    ids = client.log_predictions({"x": list(range(1000))}, outputs=())
    client.log_outcome("a", 1)
    assert client.flush(FLUSH_S)
    assert [headers.get("Content-Encoding") for headers in loopback.headers] == ["gzip", None]
    assert loopback.arrived == [*ids, "a"]
    assert int(loopback.headers[0]["Content-Length"]) < 50_000


def test_a_server_that_asks_for_a_rest_gets_it(loopback: Any, connect: Any) -> None:
    loopback.answers.append((503, {}, {"Retry-After": "1"}))
    client = connect(loopback.url, max_delay_s=0.0)
    began = time.monotonic()
    client.log_prediction({}, {})
    assert client.flush(FLUSH_S)
    assert time.monotonic() - began >= 1.0
    assert len(loopback.received) == 2


def test_the_asyncio_client_sends_without_holding_up_the_loop(loopback: Any, gate: Any) -> None:
    async def serve() -> tuple[list[str], bool]:
        async with AsyncClient(loopback.url, model="late", model_version="3") as client:
            ids = [client.log_prediction({"x": x}, {}) for x in range(3)]
            ids += client.log_predictions({"x": [1, 2]}, outputs="x")
            return ids, await client.flush()

    async def waits() -> int:
        client = AsyncClient(loopback.url, model="late", model_version="3", transport=gate)
        client.log_prediction({}, {})
        flush = asyncio.create_task(client.flush())
        turns = 0
        while not gate.reached.is_set() or turns < 10:
            turns += 1
            await asyncio.sleep(0)
        gate.opened.set()
        assert await flush
        await client.aclose()
        client.log_prediction({}, {})
        assert client.stats.dropped == 1
        return turns

    ids, flushed = asyncio.run(serve())
    assert flushed
    assert loopback.arrived == ids
    assert asyncio.run(waits()) >= 10


def test_a_cancelled_flush_holds_up_neither_the_loop_nor_its_end(gate: Any) -> None:
    async def serve() -> AsyncClient:
        client = AsyncClient("http://tocsin.test", model="late", model_version="3", transport=gate)
        client.log_prediction({}, {})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.flush(timeout_s=3600.0), 0.05)
        return client

    client = asyncio.run(serve())
    gate.opened.set()
    until(lambda: client.stats.sent == 1)
    asyncio.run(client.aclose())
