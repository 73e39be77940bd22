"""Everything that is set from outside, read once; nothing else reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tocsin.errors import StartupError


@dataclass(frozen=True)
class Settings:
    """How one Tocsin server runs.

    data: the folder of records and lake. url: how people reach the server, for links in messages.
    tracking_uri: the MLflow server, None for MLflow's own default.
    """

    data: Path
    host: str
    port: int
    url: str
    tracking_uri: str | None


def settings(
    environment: Mapping[str, str] = os.environ,
    *,
    data: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    tracking_uri: str | None = None,
) -> Settings:
    """Settings from arguments, else from `TOCSIN_*` variables, else the defaults.

    Raises: StartupError when a variable cannot be read.
    """
    host = host or environment.get("TOCSIN_HOST", "127.0.0.1")
    port = port if port is not None else _port(environment.get("TOCSIN_PORT", "8765"))
    return Settings(
        data=data or Path(environment.get("TOCSIN_DATA", "tocsin-data")),
        host=host,
        port=port,
        url=environment.get("TOCSIN_URL", f"http://{host}:{port}").rstrip("/"),
        tracking_uri=tracking_uri or environment.get("MLFLOW_TRACKING_URI"),
    )


def secret(name: str) -> str | None:
    """The secret in a variable of the environment."""
    return os.environ.get(name)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise StartupError(f"TOCSIN_PORT is {text!r}; it has to be a port number such as 8765")
    return int(text)
