"""Small models in a registry, and processes that serve them."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import uvicorn
from tests.servers import free_port

from tocsin.capture.monitored import Target
from tocsin.capture.serving import Serving, application
from tocsin.model_uri import parse_address

COLUMNS = ["age", "income", "plan"]
PLANS = ["basic", "gold", "pro"]
KINDS = {"age": "numeric", "income": "numeric", "plan": "categorical"}
_START_S = 90.0


def rows(n: int, seed: int) -> pd.DataFrame:
    """Inputs."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(45, 12, n).round(1),
            "income": rng.lognormal(10, 0.5, n).round(2),
            "plan": rng.choice(PLANS, n),
        }
    )


def truth(frame: pd.DataFrame, task: str, seed: int) -> np.ndarray[Any, Any]:
    """What really happened."""
    rng = np.random.default_rng(seed)
    level = (frame["age"] - 45) / 12 + (frame["plan"] == "gold") + rng.normal(0, 1, len(frame))
    if task == "regression":
        return level.to_numpy()
    if task == "multiclass":
        return np.select([level < -0.5, level < 0.8], ["low", "middle"], "high")
    return (level > 0.3).astype(int).to_numpy()


def fitted(task: str) -> Any:
    """A model of the task."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = rows(1_500, 1)
    model = LinearRegression() if task == "regression" else LogisticRegression(max_iter=500)
    columns = make_column_transformer(
        (OneHotEncoder(), ["plan"]), (StandardScaler(), ["age", "income"])
    )
    return make_pipeline(columns, model).fit(frame, truth(frame, task, 2))


def registered(name: str, model: Any, experiment: str | None = None, **options: Any) -> str:
    """Log and register a model where MLflow is set to; its version.

    experiment: by its id; the default one otherwise. Setting it would last beyond a test.
    """
    import mlflow
    from mlflow.models import infer_signature

    frame = rows(200, 3)
    with mlflow.start_run(experiment_id=experiment):
        logged = mlflow.sklearn.log_model(
            model,
            name=name,
            signature=infer_signature(frame, model.predict(frame)),
            pip_requirements=["scikit-learn"],
            **options,
        )
        return str(mlflow.register_model(logged.model_uri, name).version)


def monitor(task: str, **outputs: Any) -> dict[str, Any]:
    return {
        "schema": {
            "task": task,
            "features": [{"name": name, "kind": kind} for name, kind in KINDS.items()],
            "label": "actual",
            **outputs,
        },
        "windows": ["1h"],
    }


@contextmanager
def served(*commands: Sequence[str], log: Path, environment: dict[str, str]) -> Iterator[list[str]]:
    """The addresses of serving processes, started side by side."""
    processes, urls = [], []
    try:
        with log.open("ab") as output:
            for command in commands:
                port = free_port()
                urls.append(f"http://127.0.0.1:{port}")
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", *command, "--port", str(port)],
                        env={**os.environ, **environment},
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                )
        for url, process in zip(urls, processes, strict=True):
            deadline = time.monotonic() + _START_S
            while not _answers(url):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield urls
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)


@contextmanager
def serving_here(name: str, tocsin: str) -> Iterator[str]:
    """The address of a model that is served by a thread of this process."""
    target = Target(tocsin, name)
    app: Any = application(Serving(parse_address(f"models:/{name}@champion"), target))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        until(lambda: running.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        running.should_exit = True
        thread.join()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health", timeout=5).is_success
    except httpx2.TransportError:
        return False


def until(condition: Any, timeout_s: float = 30.0) -> Any:
    """What `condition` gives once it is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.02)
    return found
