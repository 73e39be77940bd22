"""A topic of JSON messages."""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from tocsin.errors import InvalidInputError
from tocsin.sources.base import Batch, Options, Say, Tombstone, Wait, digest, parsed, written
from tocsin.sources.readers import decoded

# What librdkafka calls what it finds out by itself.
_END = KafkaError._PARTITION_EOF  # noqa: SLF001
_EXPIRED = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001
_POLL_S = 0.5
_ASK_S = 3.0
# New partitions are looked for so often while messages never cease.
_PARTITIONS_EVERY_S = 30.0
_AT_ONCE = 1_000
_MOST_BYTES = 16 * 2**20
_SAID_EVERY_S = 60.0


class KafkaSource:
    """Messages by partition and offset; a position is the next offset of every partition.

    Partitions are assigned, not shared out in a group: the server's position is what counts, and it
    lets one import of a name on. Offsets are committed to the group for those who watch its lag.
    """

    def __init__(self, url: str, name: str, options: Options, *, say: Say, wait: Wait) -> None:
        self.name = name
        self._topic, settings = _address(url, options)
        self._most_rows = options.batch_rows
        self._say = say
        self._wait = wait
        self._said_s = -_SAID_EVERY_S
        group = f"tocsin-{digest(self.name)}"
        logger = logging.getLogger(__name__)
        logger.addHandler(logging.NullHandler())
        try:
            self._consumer = Consumer(
                {
                    "group.id": group,
                    **settings,
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "error",
                    "error_cb": self._troubled,
                    "logger": logger,
                }
            )
        except (KafkaException, TypeError, ValueError) as error:
            raise InvalidInputError(f"{self.name} cannot be read: {error}") from error
        self._next: dict[int, int] = {}
        self._assigned: set[int] = set()
        self._caught_up: set[int] = set()

    def batches(self, position: str) -> Iterator[Batch]:
        """The messages that there are now behind a position. Raises: InvalidInputError."""
        offsets = _offsets(position, self.name)
        if offsets != self._next:
            self._next, self._assigned = offsets, set()
        if not self._assign():
            return
        looked_s = time.monotonic()
        done = 0
        gathered = _Gathered(digest(self.name))
        while self._wait(0):
            wanted = min(_AT_ONCE, self._most_rows - len(gathered.records))
            messages = self._consumer.consume(wanted, _POLL_S)
            for message in messages:
                self._take(message, gathered)
            ended = self._caught_up >= self._assigned
            if gathered.records and (
                ended
                or not messages
                or len(gathered.records) >= self._most_rows
                or gathered.size >= _MOST_BYTES
            ):
                done += len(gathered.records)
                yield gathered.batch(self._position(), done, done + self._left())
                gathered = _Gathered(digest(self.name))
            if ended:
                return
            if time.monotonic() - looked_s > _PARTITIONS_EVERY_S:
                looked_s = time.monotonic()
                self._assign()

    def stored(self, position: str) -> None:
        """Tell the group, for those who watch its lag."""
        offsets = _offsets(position, self.name)
        self._consumer.commit(
            offsets=[TopicPartition(self._topic, p, offset) for p, offset in offsets.items()],
            asynchronous=True,
        )

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _take(self, message: Message, gathered: "_Gathered") -> None:
        error = message.error()
        partition = message.partition()
        if error is None:
            assert partition is not None
            self._caught_up.discard(partition)
            self._next[partition] = gathered.add(message) + 1
        elif error.code() == _END:
            self._caught_up.add(partition)
        elif error.code() in _EXPIRED:
            raise InvalidInputError(
                f"{self.name} no longer has offset {self._next.get(partition, 0)} of partition "
                f"{partition}: its messages expired before they were read, or the topic was made "
                "anew; read what there is under another --name"
            )
        elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise InvalidInputError(f"there is no topic {self._topic!r} any more")
        else:
            self._troubled(error)

    def _assign(self) -> bool:
        """Read all partitions there are from where each was; False when the import has to end."""
        partitions = self._partitions()
        if partitions is None:
            return False
        gone = self._next.keys() - partitions
        if gone:
            raise InvalidInputError(
                f"{self.name} no longer has partition {min(gone)}: the topic was made anew; read "
                "what there is under another --name"
            )
        if partitions != self._assigned:
            self._assigned = partitions
            self._caught_up = set()
            self._consumer.assign(
                [
                    TopicPartition(self._topic, p, self._next.get(p, OFFSET_BEGINNING))
                    for p in sorted(partitions)
                ]
            )
        return True

    def _partitions(self) -> set[int] | None:
        while True:
            try:
                found = self._consumer.list_topics(self._topic, timeout=_ASK_S)
            except KafkaException as error:
                self._troubled(error.args[0])
                if not self._wait(1.0):
                    return None
                continue
            topic = found.topics[self._topic]
            if topic.error is None:
                return set(topic.partitions)
            if topic.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise InvalidInputError(f"{self.name}: there is no topic {self._topic!r}")
            self._troubled(topic.error)
            if not self._wait(1.0):
                return None

    def _troubled(self, error: KafkaError) -> None:
        if time.monotonic() - self._said_s >= _SAID_EVERY_S:
            self._said_s = time.monotonic()
            self._say(f"{self.name}: {error.str()}; waiting for it, Ctrl-C ends")

    def _position(self) -> str:
        # A list is short even for hundreds of partitions.
        offsets = [self._next.get(p) for p in range(max(self._next) + 1)]
        return written({"topic": self._topic, "offsets": offsets})

    def _left(self) -> int:
        """About how many messages there are behind those that were taken."""
        left = 0
        for partition in self._assigned:
            known = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), cached=True
            )
            if known is not None:
                left += max(0, known[1] - self._next.get(partition, known[0]))
        return left


class _Gathered:
    """Messages on their way to a batch."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.records: list[Any] = []
        self._ids: list[str] = []
        self._times: list[str | None] = []
        self.size = 0

    def add(self, message: Message) -> int:
        """Take a message's records; its offset."""
        value: bytes | None = message.value()
        offset: int = message.offset()
        content = Tombstone(_key(message)) if value is None else decoded(value)
        records = content if isinstance(content, list) else [content]
        place = f"{self._source}-{message.partition()}-{offset}"
        kind, milliseconds = message.timestamp()
        moment = None if kind == TIMESTAMP_NOT_AVAILABLE else _moment(milliseconds)
        self.records += records
        self._ids += [f"{place}-{i}" for i in range(len(records))]
        self._times += [moment] * len(records)
        self.size += len(value or b"")
        return offset

    def batch(self, position: str, done: int, total: int) -> Batch:
        """All that was taken."""
        return Batch(self.records, self._ids, position, done, total, times=self._times)


def _key(message: Message) -> str | None:
    key = message.key()
    try:
        return key.decode() if isinstance(key, bytes) else key
    except UnicodeDecodeError:
        return None


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def _offsets(position: str, name: str) -> dict[int, int]:
    if not position:
        return {}
    found = parsed(position, name, "topic", "offsets")["offsets"]
    return {partition: offset for partition, offset in enumerate(found) if offset is not None}


def _address(url: str, options: Options) -> tuple[str, dict[str, Any]]:
    """The topic, and settings of the client from `kafka://host:port/topic?name=value`."""
    parts = urlsplit(url)
    topic = options.topic or parts.path.strip("/")
    if not parts.netloc or not topic:
        raise InvalidInputError(
            "a topic needs an address such as kafka://host:9092/topic, or --topic"
        )
    settings: dict[str, Any] = {"bootstrap.servers": parts.netloc.rpartition("@")[2]}
    return topic, settings | dict(parse_qsl(parts.query))
