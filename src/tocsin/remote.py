"""The running server, as commands see it."""

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

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = httpx2.request(
                method, f"{self.base}/api/v1{path}", timeout=_TIMEOUT_S, **request
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
