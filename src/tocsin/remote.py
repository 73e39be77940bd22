"""The running server, as commands see it."""

import getpass
import json
from pathlib import Path
from typing import Any

import httpx2

from tocsin.errors import InvalidInputError, StartupError

_TIMEOUT_S = 120.0


class Remote:
    """The REST API at `base`."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def get(self, path: str, **parameters: str) -> Any:
        """The answer to GET. Raises: InvalidInputError, StartupError."""
        return self._ask("GET", path, params=parameters)

    def post(self, path: str, document: dict[str, Any]) -> Any:
        """The answer to POST. Raises: InvalidInputError, StartupError."""
        return self._ask("POST", path, json=document)

    def delete(self, path: str) -> Any:
        """The answer to DELETE. Raises: InvalidInputError, StartupError."""
        return self._ask("DELETE", path)

    def put_table(self, path: str, document: dict[str, Any], *, reference: Path) -> Any:
        """The answer to PUT with a document and a Parquet file.

        Raises: InvalidInputError, StartupError.
        """
        try:
            table = reference.read_bytes()
        except OSError as error:
            raise InvalidInputError(f"the reference {reference} cannot be read: {error}") from error
        return self._ask(
            "PUT",
            path,
            data={"request": json.dumps(document)},
            files={"reference": (reference.name, table)},
        )

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = httpx2.request(
                method,
                f"{self.base}/api/v1{path}",
                timeout=_TIMEOUT_S,
                headers={"x-tocsin-actor": user_name().encode("ascii", "replace").decode()},
                **request,
            )
        except httpx2.HTTPError as error:
            raise StartupError(
                f"no Tocsin server answers at {self.base} ({error}); start one with "
                "`tocsin server`, or name it with --url"
            ) from error
        if answer.is_success:
            return answer.json()
        try:
            message = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = f"{self.base} answered {answer.status_code}; is it a Tocsin server?"
        raise InvalidInputError(message)


def user_name() -> str:
    """Who runs this, as the system knows them; a container may know nobody."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
