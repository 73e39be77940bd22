"""The running server, as commands see it."""

import io
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx2

from tocsin.errors import InvalidInputError, StartupError

if TYPE_CHECKING:
    import pyarrow as pa

_TIMEOUT_S = 120.0


class Remote:
    """The REST API at `base`."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def get(self, path: str, **parameters: str) -> Any:
        """The answer to GET. Raises: InvalidInputError, StartupError."""
        return self._ask("GET", path, params=parameters).json()

    def find(self, path: str, **parameters: str) -> Any:
        """The answer to GET, None where nothing is. Raises: InvalidInputError, StartupError."""
        answer = self._answer("GET", path, params=parameters)
        return None if answer.status_code == HTTPStatus.NOT_FOUND else self._good(answer).json()

    def post(self, path: str, document: dict[str, Any]) -> Any:
        """The answer to POST. Raises: InvalidInputError, StartupError."""
        return self._ask("POST", path, json=document).json()

    def put(self, path: str, document: dict[str, Any]) -> Any:
        """The answer to PUT. Raises: InvalidInputError, StartupError."""
        return self._ask("PUT", path, json=document).json()

    def table(self, path: str, **parameters: str) -> tuple["pa.Table", str]:
        """Rows of a reference, and the plan that was made from it.

        Raises: InvalidInputError, StartupError.
        """
        # Most commands need no tables.
        import pyarrow.parquet as pq

        answer = self._ask("GET", path, params=parameters)
        return pq.read_table(io.BytesIO(answer.content)), answer.headers["tocsin-plan"]

    def delete(self, path: str) -> Any:
        """The answer to DELETE. Raises: InvalidInputError, StartupError."""
        return self._ask("DELETE", path).json()

    def _ask(self, method: str, path: str, **request: Any) -> httpx2.Response:
        return self._good(self._answer(method, path, **request))

    def _good(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.is_success:
            return answer
        try:
            message = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = f"{self.base} answered {answer.status_code}; is it a Tocsin server?"
        raise InvalidInputError(message)

    def _answer(self, method: str, path: str, **request: Any) -> httpx2.Response:
        try:
            return httpx2.request(
                method, f"{self.base}/api/v1{path}", timeout=_TIMEOUT_S, **request
            )
        except httpx2.HTTPError as error:
            raise StartupError(
                f"no Tocsin server answers at {self.base} ({error}); start one with "
                "`tocsin server`, or name it with --url"
            ) from error
