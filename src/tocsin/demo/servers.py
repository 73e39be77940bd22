"""Real servers, MLflow's and our own, each for as long as a `with` block lasts."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tocsin.errors import StartupError

_HOST = "127.0.0.1"
_LOG_TAIL_LINES = 20
# One worker and no job runner: 0.55 GB instead of 2.9 GB.
_ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Else glibc keeps up to eight heaps a core, each as large as its largest moment.
    "MALLOC_ARENA_MAX": "2",
    # Large arrays go back to the system when they are freed, not into a heap.
    "MALLOC_MMAP_THRESHOLD_": "1000000",
    # The replay waits for the numbers of each step.
    "TOCSIN_SEAL_AGE": "0s",
    "TOCSIN_REVISE_AFTER": "0s",
}


@contextmanager
def mlflow_server(
    folder: Path, *, port: int | None = None, start_timeout_s: float = 60, stop_timeout_s: float = 5
) -> Iterator[str]:
    """The address of an `mlflow server` that keeps its database, artifacts and log in `folder`.

    port: a free one unless given.
    Raises: StartupError with the end of its log when it does not answer in time.
    """
    home = folder.resolve()
    port = _free_port() if port is None else port
    command = [
        *("mlflow", "server", "--workers", "1", "--host", _HOST, "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"),
        *("--artifacts-destination", str(home / "artifacts")),
    ]
    log = home / "mlflow-server.log"
    with _running("MLflow", command, port, log, "/health", start_timeout_s, stop_timeout_s) as url:
        yield url


@contextmanager
def tocsin_server(folder: Path, *, tracking_uri: str, port: int | None = None) -> Iterator[str]:
    """The address of a `tocsin server` on data in `folder`; the port is a free one unless given.

    Raises: StartupError with the end of its log when it does not answer in time.
    """
    port = _free_port() if port is None else port
    command = [
        *("tocsin", "server", "--host", _HOST, "--port", str(port)),
        *("--data", str(folder.resolve()), "--tracking-uri", tracking_uri),
    ]
    log = folder.resolve() / "tocsin-server.log"
    with _running("Tocsin", command, port, log, "/api/v1/status") as url:
        yield url


@contextmanager
def model_server(folder: Path, uri: str, *, tracking_uri: str, tocsin_url: str) -> Iterator[str]:
    """The address of `tocsin serve` for a model of the registry; its log is in `folder`.

    Raises: StartupError with the end of its log when it does not answer in time.
    """
    port = _free_port()
    command = [
        *("tocsin", "serve", "-m", uri, "--host", _HOST, "--port", str(port)),
        *("--tocsin", tocsin_url),
    ]
    log = folder.resolve() / "model-server.log"
    with _running(
        "model", command, port, log, "/health", stop_timeout_s=10, MLFLOW_TRACKING_URI=tracking_uri
    ) as url:
        yield url


@contextmanager
def _running(
    name: str,
    module: list[str],
    port: int,
    log: Path,
    health: str,
    start_timeout_s: float = 60,
    stop_timeout_s: float = 5,
    **environment: str,
) -> Iterator[str]:
    """A Python module as a server in a process group of its own.

    So a Ctrl-C meant for this process does not reach it before the block has ended.
    """
    _refuse_taken(name, port)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *module],
            env={**os.environ, **_ENVIRONMENT, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://{_HOST}:{port}"
        _await_health(name, server, url, health, log, start_timeout_s)
        yield url
    finally:
        _end(server, stop_timeout_s)


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def _refuse_taken(name: str, port: int) -> None:
    # Otherwise whoever listens there would answer /health in our server's name.
    try:
        socket.create_server((_HOST, port)).close()
    except OSError as error:
        raise StartupError(
            f"{name} cannot listen on {_HOST}:{port} ({error.strerror}); choose another port"
        ) from error


def _await_health(
    name: str,
    server: subprocess.Popen[bytes],
    url: str,
    health: str,
    log: Path,
    timeout_s: float,
) -> None:
    deadline = time.monotonic() + timeout_s
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if httpx2.get(f"{url}{health}", timeout=2, trust_env=False).is_success:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    ended = server.poll()
    why = f"did not answer within {timeout_s:g} s" if ended is None else f"ended with code {ended}"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
    raise StartupError(f"the {name} server at {url} {why}; the end of {log} says:\n{tail}")


def _end(server: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Ends the server and all that it started: asks, waits, then kills."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(server, number)
        deadline = time.monotonic() + timeout_s
        while _signal(server, 0) and time.monotonic() < deadline:
            time.sleep(0.05)


def _signal(server: subprocess.Popen[bytes], number: int) -> bool:
    """Whether the server's process group was still there to take the signal."""
    server.poll()  # reaps the leader: a group that holds only a zombie would seem alive
    try:
        os.killpg(server.pid, number)
    except ProcessLookupError:
        return False
    return True
