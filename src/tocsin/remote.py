"""The running server, as commands see it."""

import getpass
import io
import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2

from tocsin.errors import ConfigurationError, InvalidInputError, StartupError

if TYPE_CHECKING:
    import pyarrow as pa

_TIMEOUT_S = 120.0


class Remote:
    """The REST API at `base`."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def get(self, *parts: str, **parameters: str) -> Any:
        """The answer to GET of the path of these parts. Raises: InvalidInputError, StartupError."""
        return self._ask("GET", parts, params=parameters).json()

    def find(self, *parts: str, **parameters: str) -> Any:
        """The answer to GET, None where nothing is. Raises: InvalidInputError, StartupError."""
        answer = self._answer("GET", parts, params=parameters)
        return None if answer.status_code == HTTPStatus.NOT_FOUND else self._good(answer).json()

    def post(self, *parts: str, document: dict[str, Any] | None = None, **parameters: str) -> Any:
        """The answer to POST. Raises: InvalidInputError, StartupError."""
        return self._ask("POST", parts, params=parameters, json=document).json()

    def put(self, *parts: str, document: dict[str, Any]) -> Any:
        """The answer to PUT. Raises: InvalidInputError, StartupError."""
        return self._ask("PUT", parts, json=document).json()

    def table(self, *parts: str, **parameters: str) -> tuple["pa.Table", str]:
        """Rows of a reference, and the plan that was made from it.

        Raises: InvalidInputError, StartupError.
        """
        # Most commands need no tables.
        import pyarrow.parquet as pq

        answer = self._ask("GET", parts, params=parameters)
        return pq.read_table(io.BytesIO(answer.content)), answer.headers["tocsin-plan"]

    def recent(self, *parts: str, **parameters: str) -> tuple["pa.Table", int, int]:
        """Recent rows, and from when to when they are.

        Raises: InvalidInputError, StartupError.
        """
        import pyarrow.parquet as pq

        answer = self._ask("GET", parts, params=parameters)
        start, end = (int(answer.headers[f"tocsin-{name}"]) for name in ("start", "end"))
        return pq.read_table(io.BytesIO(answer.content)), start, end

    def delete(self, *parts: str) -> Any:
        """The answer to DELETE. Raises: InvalidInputError, StartupError."""
        return self._ask("DELETE", parts).json()

    def put_table(self, *parts: str, document: dict[str, Any], reference: Path) -> Any:
        """The answer to PUT with a document and a Parquet file.

        Raises: InvalidInputError, StartupError.
        """
        try:
            table = reference.read_bytes()
        except OSError as error:
            raise InvalidInputError(f"the reference {reference} cannot be read: {error}") from error
        return self._ask(
            "PUT",
            parts,
            data={"request": json.dumps(document)},
            files={"reference": (reference.name, table)},
        ).json()

    def put_tables(
        self, *parts: str, document: dict[str, Any], tables: Iterable[bytes], **parameters: str
    ) -> Any:
        """The answer to PUT with a document and tables as Parquet.

        Raises: InvalidInputError, StartupError.
        """
        files = [("references", (f"{i}.parquet", table)) for i, table in enumerate(tables)]
        data = {"document": json.dumps(document)}
        return self._ask("PUT", parts, params=parameters, data=data, files=files).json()

    def address(self, *parts: str) -> str:
        """Where the API has this."""
        return f"{self.base}/api/v1{path_of(*parts)}"

    def _ask(self, method: str, parts: Sequence[str], **request: Any) -> httpx2.Response:
        return self._good(self._answer(method, parts, **request))

    def _good(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.is_success:
            return answer
        try:
            error = answer.json()["error"]
            message, faults = error["message"], error.get("faults")
        except (ValueError, KeyError, TypeError):
            message = f"{self.base} answered {answer.status_code}; is it a Tocsin server?"
            faults = None
        if faults:
            raise ConfigurationError(message, faults)
        raise InvalidInputError(message)

    def _answer(self, method: str, parts: Sequence[str], **request: Any) -> httpx2.Response:
        try:
            return httpx2.request(
                method,
                self.address(*parts),
                timeout=_TIMEOUT_S,
                headers={"x-tocsin-actor": user_name().encode("ascii", "replace").decode()},
                **request,
            )
        except httpx2.HTTPError as error:
            raise StartupError(
                f"no Tocsin server answers at {self.base} ({error}); start one with "
                "`tocsin server`, or name it with --url"
            ) from error


def path_of(*parts: str) -> str:
    """A path of parts, whatever is in them: a name may have what means something in an address.

    >>> path_of("models", "late#old", "erase"), path_of("models", "..")
    ('/models/late%23old/erase', '/models/%2E%2E')
    """
    return "".join(f"/{_quoted(part)}" for part in parts)


def _quoted(part: str) -> str:
    # Dots alone would name the folder or the one above it.
    return quote(part, safe="") if part.strip(".") else part.replace(".", "%2E")


def user_name() -> str:
    """Who runs this, as the system knows them; a container may know nobody."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
