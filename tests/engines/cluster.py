"""A real Spark cluster on loopback: a master and two workers, each a process of its own."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
from tests.servers import free_port

_START_S = 90.0
_WORKERS = 2


@contextmanager
def spark_cluster(folder: Path) -> Iterator[str]:
    """The address of the master, while the block lasts."""
    port, page = free_port(), free_port()
    master = f"spark://127.0.0.1:{port}"
    processes = [
        _started(folder, "master.Master", "--host", "127.0.0.1", "--port", str(port),
                 "--webui-port", str(page)),
    ]  # fmt: skip
    try:
        _await(lambda: _alive(page) >= 0, processes, folder)
        for number in range(_WORKERS):
            work = folder / f"worker-{number}"
            processes.append(
                _started(folder, "worker.Worker", master, "--host", "127.0.0.1", "--cores", "1",
                         "--memory", "1g", "--webui-port", "0", "--work-dir", str(work))
            )  # fmt: skip
        _await(lambda: _alive(page) == _WORKERS, processes, folder)
        yield master
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(timeout=30)


def _started(folder: Path, role: str, *arguments: str) -> "subprocess.Popen[bytes]":
    home = Path(pyspark.__file__).parent
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{role}", *arguments]
    environment = {**os.environ, "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}
    with (folder / "spark.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)


def _alive(page: int) -> int:
    """How many workers the master knows, -1 while it does not answer."""
    import json

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/json/", timeout=5) as answer:
            return int(json.load(answer)["aliveworkers"])
    except OSError:
        return -1


def _await(done: "object", processes: "list[subprocess.Popen[bytes]]", folder: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in processes):
            break
        if done():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError((folder / "spark.log").read_text())
