"""What capture costs a served model: the same requests to MLflow's server and to `tocsin serve`."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import numpy as np
import pandas as pd

from benchmarks.sdk import sink
from benchmarks.table import Bar, Row

REQUESTS, QUICK_REQUESTS, WARM = 6_000, 1_000, 200
FEATURES = 20
NAME = "bench"
LEAST = round(1 / 1.03, 3)
_START_S = 120.0


def comparisons(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Requests of one row and of a hundred, in turn to either server."""
    folder.mkdir()
    store = f"sqlite:///{folder / 'mlflow.db'}"
    model = _registered(folder, store)
    with ExitStack() as stack:
        url = stack.enter_context(sink())
        environment = {
            **os.environ,
            "MLFLOW_TRACKING_URI": store,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "__pyfunc_model_path__": str(model),
        }
        plain = stack.enter_context(
            _serving(
                "-m", "uvicorn", "--no-access-log", "--log-level", "warning",
                "mlflow.pyfunc.scoring_server.app:app", environment=environment,
            )
        )  # fmt: skip
        captured = stack.enter_context(
            _serving(
                "-m", "tocsin", "serve", "-m", f"models:/{NAME}/1", "--tocsin", url,
                environment=environment,
            )
        )  # fmt: skip
        for rows in (1, 100):
            number = (QUICK_REQUESTS if quick else REQUESTS) // (1 if rows == 1 else 5)
            ours, others = _seconds(captured, plain, rows, number)
            for name, share, bar in (
                ("median", 0.5, Bar(least=LEAST) if rows == 1 else None),
                ("95th percentile", 0.95, None),
                ("99th percentile", 0.99, None),
            ):
                at = int(number * share)
                yield Row(
                    f"/invocations of {rows} row(s), {name}",
                    number,
                    sorted(ours)[at] * number,
                    "mlflow's server",
                    sorted(others)[at] * number,
                    bar,
                )


def _seconds(captured: str, plain: str, rows: int, number: int) -> tuple[list[float], list[float]]:
    """Seconds of each request, in turn to either server, the first of each pair by turns."""
    rng = np.random.default_rng(0)
    columns = [f"x{i}" for i in range(FEATURES)]
    body = {
        "dataframe_split": {"columns": columns, "data": rng.normal(size=(rows, FEATURES)).tolist()}
    }
    taken: dict[str, list[float]] = {captured: [], plain: []}
    with httpx2.Client(timeout=60) as http:
        for i in range(number + WARM):
            for url in (captured, plain) if i % 2 else (plain, captured):
                begin = time.perf_counter()
                answer = http.post(f"{url}/invocations", json=body)
                seconds = time.perf_counter() - begin
                assert answer.is_success, answer.text
                if i >= WARM:
                    taken[url].append(seconds)
    return taken[captured], taken[plain]


def _registered(folder: Path, store: str) -> Path:
    """Where the files are of a model that is registered as version 1 of `NAME`."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        rng.normal(size=(2_000, FEATURES)), columns=[f"x{i}" for i in range(FEATURES)]
    )
    model = LogisticRegression().fit(frame, frame["x0"] > 0)
    mlflow.set_tracking_uri(store)
    mlflow.create_experiment(NAME, artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment(NAME)
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name=NAME,
            signature=infer_signature(frame, model.predict(frame)),
            pip_requirements=["scikit-learn"],
        )
        mlflow.register_model(logged.model_uri, NAME)
    return Path(mlflow.artifacts.download_artifacts(logged.model_uri, dst_path=str(folder)))


@contextmanager
def _serving(*command: str, environment: dict[str, str]) -> Iterator[str]:
    """The address of a server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *command, "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            try:
                if httpx2.get(f"{url}/health", timeout=5).is_success:
                    break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()
