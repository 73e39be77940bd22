"""Real servers: in a process of its own, that tests may kill, or in a thread, to look into."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import uvicorn

from tocsin.api.server import application
from tocsin.app import App

_START_S = 60.0
# Tests wait for what comes of their rows.
_AT_ONCE = {"TOCSIN_SEAL_AGE": "0s", "TOCSIN_REVISE_AFTER": "0s"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def serving(app: App) -> Iterator[str]:
    """The address of a server in a thread, its worker beside it."""
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as listening:
        config = uvicorn.Config(
            application(app), log_level="warning", timeout_graceful_shutdown=1, access_log=False
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        while not running.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


class Server:
    """A server on data in `folder`; the port stays the same over restarts."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment
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
        self.stop()

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tocsin", "server", "--data", str(self.folder),
                 "--port", str(self.port)],
                env={**os.environ, **_AT_ONCE, **self._environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                httpx2.get(f"{self.url}/api/v1/status", timeout=5)
            except httpx2.TransportError:
                time.sleep(0.02)
                continue
            return
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        """SIGKILL: nothing in the process can react."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, as a service manager ends it."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=30)

    def get(self, path: str) -> Any:
        answer = httpx2.get(f"{self.url}/api/v1{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def caught_up(self, timeout_s: float = 60.0) -> None:
        """Wait until all rows are folded and all windows evaluated."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            status = self.get("/status")
            if status["waiting_rows"] == 0 and status["changed_models"] == 0:
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "server.log").read_text())
