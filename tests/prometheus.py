"""A real Prometheus and a real Alertmanager, as Debian has them, on loopback."""

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.servers import free_port

_START_S = 60.0


def program(name: str) -> str:
    """Where a program is; tests that want it fail where it is not, so that nobody misses them."""
    found = shutil.which(name)
    if found is None:
        raise AssertionError(
            f"these tests want {name}: apt install prometheus prometheus-alertmanager"
        )
    return found


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """The address of an Alertmanager that tells nobody."""
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    port = free_port()
    arguments = [
        program("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _running(arguments, f"http://127.0.0.1:{port}", folder / "alertmanager.log") as url:
        yield url


@contextmanager
def prometheus(folder: Path, target: str, rules: str = "") -> Iterator[str]:
    """The address of a Prometheus that scrapes `target` (HOST:PORT) each second."""
    (folder / "rules.yml").write_text(rules or "groups: []\n")
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        "rule_files: [rules.yml]\n"
        f"scrape_configs: [{{job_name: tocsin, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    port = free_port()
    arguments = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with _running(arguments, f"http://127.0.0.1:{port}", folder / "prometheus.log") as url:
        yield url


@contextmanager
def _running(arguments: Sequence[str], url: str, log: Path) -> Iterator[str]:
    with log.open("wb") as told:
        process = subprocess.Popen(arguments, stdout=told, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + _START_S
        while not _ready(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text())
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/-/ready", timeout=5).is_success
    except httpx2.TransportError:
        return False
