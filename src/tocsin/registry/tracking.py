"""Reaching an MLflow server, quickly or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tocsin.errors import RegistryError, without_credentials

_PROBE_TIMEOUT_S = 5


@dataclass(frozen=True)
class Tracking:
    """A connection to one MLflow server that touches no global of MLflow.

    address: the URI as people may see it, without a password.
    folder: where downloads go; its owner deletes it.
    """

    uri: str
    address: str
    client: Any
    folder: Path

    @classmethod
    def connect(cls, uri: str | None, folder: Path) -> "Tracking":
        """A connection to the server, or to the one that MLflow is configured with.

        Raises: RegistryError within seconds when nobody answers there.
        """
        import mlflow

        uri = (uri or mlflow.get_tracking_uri()).rstrip("/")
        parts = urlsplit(uri)
        address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        if parts.scheme in ("http", "https"):
            probe(f"{address}/health", f"MLflow at {address}")
        with refused(address):
            # The registry is the same server, or the one in MLFLOW_REGISTRY_URI.
            return cls(uri, address, mlflow.MlflowClient(tracking_uri=uri), folder)

    def download(self, artifact_uri: str) -> Path:
        """A local copy of an artifact."""
        from mlflow.artifacts import download_artifacts

        with refused(self.address):
            return Path(
                download_artifacts(
                    artifact_uri=artifact_uri, dst_path=str(self.folder), tracking_uri=self.uri
                )
            )


@contextmanager
def refused(address: str) -> Iterator[None]:
    """Turns what MLflow raises into a RegistryError that names the address."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        # MLflow names the whole URI, and what it says goes to logs, answers and the audit.
        said = without_credentials(f"{address} did not give what was asked for: {error}")
        raise RegistryError(said) from error


def probe(url: str, what: str) -> None:
    """Asks once whether anybody answers at an address.

    MLflow repeats a refused connection or an error of the server for a minute or more (7 retries,
    doubling), by a setting that only the environment of the whole process can change.

    Raises: RegistryError within seconds if nobody does, or only with an error of the server.
    """
    try:
        # Nothing secret is sent: who answers matters only to MLflow's own client, which verifies.
        answer = httpx2.head(url, timeout=_PROBE_TIMEOUT_S, verify=False)
    except httpx2.TimeoutException as error:
        raise RegistryError(
            f"{what} does not answer within {_PROBE_TIMEOUT_S} s; look into its log"
        ) from error
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise RegistryError(
            without_credentials(
                f"{what} cannot be reached ({error}); is it running, is the address right?"
            )
        ) from error
    if answer.is_server_error:
        raise RegistryError(f"{what} answers {answer.status_code}; look into its log")
