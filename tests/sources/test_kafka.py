"""Kafka: a real broker that goes away, forgets, and grows; messages that are no rows."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.servers import free_port
from tests.sources.broker import Broker
from tests.sources.worlds import BATCH, Topic, numbers, row

from tocsin.errors import InvalidInputError
from tocsin.sources import Batch, Options, Source, Tombstone, opened


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    """A broker that a test may end."""
    with Broker(tmp_path) as running:
        yield running


def source(address: str, *, said: list[str] | None = None, wait: Any = None, **more: Any) -> Source:
    options = Options(**{"batch_rows": BATCH, **more})
    say = (lambda _: None) if said is None else said.append
    return opened(f"kafka://{address}", None, options, say=say, wait=wait or (lambda _: True))


def read(address: str, position: str = "") -> list[Batch]:
    with closing(source(address)) as found:
        return list(found.batches(position))


def rows(batches: list[Batch]) -> list[int]:
    return [n for batch in batches for n in numbers(batch)]


def test_messages_that_are_no_rows_are_handed_on_in_their_place(broker: Broker) -> None:
    world = Topic(broker)
    messages = [b"", b"{", b"\xff", b"null", b"7", b"[]", b'[{"n": 1}, 2]', b'{"n": 3}']
    broker.send(world.name, [(0, message) for message in messages])
    address = f"{broker.address}/{world.name}"
    found = read(address)
    records = [record for batch in found for record in batch.rows]
    assert records == ["", "{", "\\xff", None, 7, {"n": 1}, 2, {"n": 3}]
    assert read(address, found[-1].position) == []


def test_a_message_without_a_value_is_a_tombstone_of_its_key(broker: Broker) -> None:
    world = Topic(broker)
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
    for key in (b"f1", None, b"\xff"):
        producer.produce(world.name, None, key=key, partition=0)
    producer.flush(30)
    world.add(3, 4)
    found = read(f"{broker.address}/{world.name}")
    records = [record for batch in found for record in batch.rows]
    assert records == [Tombstone("f1"), Tombstone(None), Tombstone(None), row(3)]


def test_rows_have_the_time_of_their_message(broker: Broker) -> None:
    world = Topic(broker)
    began = time.time()
    world.add(0, 4)
    for batch in read(f"{broker.address}/{world.name}"):
        for moment in batch.times:
            assert moment is not None
            assert moment.endswith("+00:00")
    assert time.time() - began < 600


def test_the_group_knows_how_far_the_server_is(broker: Broker) -> None:
    world = Topic(broker)
    world.add(0, 30)
    with closing(source(f"{broker.address}/{world.name}?group.id=watched-{world.name}")) as found:
        for batch in found.batches(""):
            found.stored(batch.position)
    consumer = Consumer(
        {"bootstrap.servers": broker.address, "group.id": f"watched-{world.name}", "log_level": 0}
    )
    partitions = [TopicPartition(world.name, p) for p in range(3)]
    committed = {p.partition: p.offset for p in consumer.committed(partitions, timeout=20)}
    consumer.close()
    assert committed == {0: 11, 1: 10, 2: 9}


def test_one_source_goes_on_with_what_comes(broker: Broker) -> None:
    world = Topic(broker)
    with closing(world.source()) as found:
        seen: list[int] = []
        position = ""
        for first in (0, 10, 20):
            world.add(first, first + 10)
            deadline = time.monotonic() + 30
            while len(seen) < first + 10 and time.monotonic() < deadline:
                for batch in found.batches(position):
                    seen += numbers(batch)
                    position = batch.position
        assert sorted(seen) == list(range(30))


def test_a_batch_that_was_not_stored_comes_again(broker: Broker) -> None:
    world = Topic(broker)
    world.add(0, 30)
    with closing(world.source()) as found:
        first = next(found.batches(""))
        again = next(found.batches(""))
        assert len(numbers(first)) > 0
        rest = list(found.batches(again.position))
    assert sorted(numbers(again) + rows(rest)) == list(range(30))


def test_a_broker_that_does_not_answer_is_waited_for(own: Broker) -> None:
    world = Topic(own)
    world.add(0, 20)
    said: list[str] = []
    with closing(source(f"{own.address}/{world.name}?socket.timeout.ms=1000", said=said)) as found:
        batches = found.batches("")
        seen = numbers(next(batches))
        own.freeze()
        thaw = threading.Timer(3, own.thaw)
        thaw.start()
        for batch in batches:
            seen += numbers(batch)
        thaw.join()
    assert sorted(seen) == list(range(20))


def test_a_broker_that_is_away_is_said_and_waited_for(own: Broker) -> None:
    own.kill()
    said: list[str] = []

    started: list[bool] = []

    def wait(_: float) -> bool:
        if said and not started:
            started.append(True)
            own.start()
            own.create("rows", 1)
            own.send("rows", [(0, row(1))])
        return True

    with closing(source(f"{own.address}/rows", said=said, wait=wait)) as found:
        assert rows(list(found.batches(""))) == [1]
    assert "waiting for it, Ctrl-C ends" in said[0]


def test_waiting_for_a_broker_ends_when_the_import_does() -> None:
    said: list[str] = []
    address = f"127.0.0.1:{free_port()}/rows"
    with closing(source(address, said=said, wait=lambda _: not said)) as found:
        assert list(found.batches("")) == []
    assert len(said) == 1


@contextmanager
def librdkafka_broker(messages: int) -> Iterator[str]:
    """The broker that librdkafka tests itself with; its topic `rows` has messages in partition 0.

    It says that an offset is out of range, as Kafka does and the other one does not.
    """
    producer = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    for n in range(messages):
        producer.produce("rows", json.dumps(row(n)), partition=0)
    assert producer.flush(30) == 0
    (found,) = producer.list_topics(timeout=10).brokers.values()
    yield f"{found.host}:{found.port}"


def test_offsets_that_are_gone_are_an_error() -> None:
    with librdkafka_broker(20) as address:
        found = read(f"{address}/rows")
        assert rows(found) == list(range(20))
        assert read(f"{address}/rows", found[-1].position) == []
    with (
        librdkafka_broker(3) as address,
        pytest.raises(InvalidInputError, match="no longer has offset 20 of partition 0"),
    ):
        read(f"{address}/rows", found[-1].position)


def test_partitions_that_are_gone_are_an_error(own: Broker) -> None:
    own.create("rows", 2)
    own.send("rows", [(n % 2, row(n)) for n in range(20)])
    position = read(f"{own.address}/rows")[-1].position
    own.kill()
    own.start()
    own.create("rows", 1)
    with pytest.raises(InvalidInputError, match="no longer has partition 1"):
        read(f"{own.address}/rows", position)


def test_a_topic_that_is_not_there_is_an_error() -> None:
    # The other broker makes every topic that it is asked for.
    with (
        librdkafka_broker(1) as address,
        pytest.raises(InvalidInputError, match="there is no topic 'nowhere'"),
    ):
        read(f"{address}/nowhere")


def test_partitions_that_come_later_are_read_from_their_start(own: Broker) -> None:
    own.create("rows", 1)
    own.send("rows", [(0, row(n)) for n in range(10)])
    position = read(f"{own.address}/rows")[-1].position
    # This broker cannot add partitions: it is made anew with the same messages and more.
    own.kill()
    own.start()
    own.create("rows", 3)
    own.send("rows", [(0, row(n)) for n in range(10)])
    own.send("rows", [(1 + n % 2, row(n)) for n in range(10, 20)])
    assert sorted(rows(read(f"{own.address}/rows", position))) == list(range(10, 20))


@pytest.mark.parametrize(
    ("address", "more", "message"),
    [
        ("", {}, "a topic needs an address"),
        ("127.0.0.1:1", {}, "a topic needs an address"),
        ("127.0.0.1:1/x?no.such=1", {}, "No such configuration property"),
    ],
)
def test_an_address_that_says_too_little_is_refused(
    address: str, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        source(address, **more)


def test_secrets_are_not_in_the_name() -> None:
    with closing(source("127.0.0.1:1/rows?sasl.password=hush&sasl.username=me")) as found:
        assert found.name == "kafka://127.0.0.1:1/rows"
    with closing(source("127.0.0.1:1", topic="rows")) as found:
        assert found.name == "kafka://127.0.0.1:1/rows"
