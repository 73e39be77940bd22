"""An object store: a real S3 API in a process of its own, on this machine only."""

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx2
import pytest
from tests.servers import free_port

_START_S = 60.0
_numbers = count()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables by which the store is reached."""
    log_path = tmp_path_factory.mktemp("store") / "log"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _await(url, process, log_path)
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "unseen-key",
            "AWS_REGION": "us-east-1",
        }
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def bucket(store: dict[str, str]) -> str:
    """A bucket that nobody else has."""
    name = f"bucket-{next(_numbers)}"
    httpx2.put(f"{store['AWS_ENDPOINT_URL']}/{name}").raise_for_status()
    return name


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx2.get(url, timeout=5)
        except httpx2.TransportError:
            time.sleep(0.05)
            continue
        return
    raise AssertionError(log.read_text())
