"""A real PostgreSQL on loopback, in a folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from tests.servers import free_port

PASSWORD = "hush/hush"
_START_S = 60.0


@contextmanager
def postgres() -> Iterator[str]:
    """Its address for SQLAlchemy, while the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-postgres-"))
    port = free_port()
    (folder / "password").write_text(PASSWORD)
    if os.geteuid() == 0:  # which PostgreSQL refuses to be
        for path in (folder, folder / "password"):
            shutil.chown(path, "nobody")
    data = folder / "data"
    _run("initdb", "-D", str(data), "-U", "tocsin", "-A", "scram-sha-256", "-E", "UTF8",
         "--no-locale", "--pwfile", str(folder / "password"), "--no-sync")  # fmt: skip
    server = subprocess.Popen(
        [str(_program("postgres")), "-D", str(data), "-p", str(port), "-F",
         "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **_unprivileged(),
    )  # fmt: skip
    try:
        _await(port, server)
        yield f"postgresql+psycopg://tocsin:hush%2Fhush@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
        shutil.rmtree(folder)


def _program(name: str) -> Path:
    """From the path, or where Debian hides it."""
    found = shutil.which(name)
    known = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if found is None and not known:
        raise AssertionError(f"these tests want PostgreSQL: there is no {name}")
    return Path(found) if found is not None else known[-1]


def _unprivileged() -> dict[str, Any]:
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(_program(name)), *arguments],
        capture_output=True, text=True, check=False, cwd="/", **_unprivileged(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _await(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(
                host="127.0.0.1", port=port, user="tocsin", password=PASSWORD, dbname="postgres"
            ).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
            continue
        return
    raise AssertionError("PostgreSQL did not start")
