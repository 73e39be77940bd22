"""The running server, to which rows are posted until it has them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

import httpx2
import msgspec
import pyarrow as pa

from tocsin.client._transport import (
    MOST_FAULTS,
    backoff_s,
    faulty,
    passing,
    retry_after_s,
)
from tocsin.errors import InvalidInputError
from tocsin.importing.model import Kind, Model
from tocsin.operations import Summary
from tocsin.sources import Say, Wait

_TIMEOUT_S = 120.0
# What a header may have as it is, beside letters and digits; a position is JSON.
_PLAIN = "!#$&'()*+,-./:;<=>?@[]^_`{|}~\""
# Somebody may be watching: a server that is back is not to be waited for much longer.
_LONGEST_REST_S = 5.0
# Of something that stays away it is said so often.
_SAID_EVERY_S = 60.0


@dataclass(frozen=True)
class Stored:
    """What became of a batch. reasons: the first rows that did not fit, and why.

    repeated: the server had it already, from before an answer was lost.
    """

    accepted: int
    quarantined: int
    reasons: tuple[str, ...] = ()
    repeated: bool = False


def encoded(rows: pa.Table | Sequence[Any]) -> tuple[bytes, dict[str, str]]:
    """The body of rows, and its headers."""
    if not isinstance(rows, pa.Table):
        return msgspec.json.encode(rows), {"Content-Type": "application/json"}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue()), {"Content-Type": "application/vnd.apache.arrow.stream"}


class Server:
    """One model of a Tocsin server, as one source of it writes."""

    def __init__(
        self, url: str, model: str, kind: Kind, source: str, *, say: Say, wait: Wait
    ) -> None:
        self._base = url.rstrip("/")
        self._path = f"{self._base}/api/v1/models/{quote(model, safe='')}"
        self._kind = kind
        self._source = source
        self._say = say
        self._wait = wait
        self._http = httpx2.Client(timeout=_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def model(self) -> Model | None:
        """The model that is monitored there; None when the import ended before it answered.

        Raises: InvalidInputError when there is none of the name.
        """
        document = self._document(self._path)
        return None if document is None else Model.from_document(document)

    def position(self) -> str | None:
        """How far the source was read, empty when it never was; None when the import ended."""
        found = self._document(f"{self._path}/sources")
        if found is None:
            return None
        return next((str(s["position"]) for s in found if s["source"] == self._source), "")

    def counts(self) -> dict[str, int] | None:
        """What was counted of the model so far; None while rows wait, or nobody answers."""
        try:
            status = self._http.get(f"{self._base}/api/v1/status")
            summary = self._http.get(f"{self._path}/summary")
        except (httpx2.TransportError, httpx2.InvalidURL):
            return None
        if not (status.is_success and summary.is_success) or _content(status)["waiting_rows"]:
            return None
        return _content(summary)

    def store(self, rows: pa.Table | Sequence[Any], *, after: str, position: str) -> Stored | None:
        """Store rows and move the source; None when the import ended before they were.

        Raises: InvalidInputError when the server refuses them, or others moved the source.
        """
        body, headers = encoded(rows)
        headers |= {
            "Tocsin-Source": _header(self._source),
            "Tocsin-After": _header(after),
            "Tocsin-Position": _header(position),
        }
        response = self._asked(
            lambda: self._http.post(f"{self._path}/{self._kind}", content=body, headers=headers)
        )
        if response is None:
            return None
        content = _content(response)
        if response.status_code == HTTPStatus.CONFLICT:
            if content.get("error", {}).get("position") == position:
                return Stored(0, 0, repeated=True)
            raise InvalidInputError(
                f"another import reads source {self._source!r} of this model at the same time; end "
                "one of them, or give this one another --name"
            )
        self._check(response, content)
        reasons = tuple(str(found["reason"]) for found in content["reasons"])
        return Stored(content["accepted"], content["quarantined"], reasons)

    def add_costs(self, costs: Sequence[Summary]) -> bool:
        """Tell what calls cost; False when the import ended before it was heard.

        Raises: InvalidInputError when the server refuses it.
        """
        told = [cost.to_dict() for cost in costs]
        response = self._asked(lambda: self._http.post(f"{self._path}/operations", json=told))
        if response is None:
            return False
        self._check(response, _content(response))
        return True

    def _document(self, url: str) -> Any:
        response = self._asked(lambda: self._http.get(url))
        if response is None:
            return None
        self._check(response, _content(response))
        return response.json()

    def _check(self, response: httpx2.Response, content: dict[str, Any]) -> None:
        if response.is_success:
            return
        message = content.get("error", {}).get("message")
        if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            message = f"{message or 'the rows are too large for one request'} with --batch-rows"
        raise InvalidInputError(
            message or f"{self._base} answered {response.status_code}; is it a Tocsin server?"
        )

    def _check_faults(self, response: httpx2.Response, faults: int) -> None:
        """Raises: InvalidInputError when the server failed so often that it will again."""
        if faults < MOST_FAULTS:
            return
        told = _content(response).get("error", {}).get("message", "it does not say why")
        batch = (
            "it is not known whether this batch was stored; when the server is mended, the same "
            "command goes on and counts it once"
        )
        asked = response.request.method == "GET"
        raise InvalidInputError(
            f"{self._base} failed {faults} times in a row with {response.status_code} ({told}); "
            + ("try again when it is mended" if asked else batch)
        )

    def _asked(self, ask: Callable[[], httpx2.Response]) -> httpx2.Response | None:
        """The answer, however long the server stays away; None when the import has to end.

        Raises: InvalidInputError when it fails each time.
        """
        attempt, faults, waited_s, said_s = 0, 0, 0.0, -_SAID_EVERY_S
        while True:
            try:
                response = ask()
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
                raise InvalidInputError(f"--url {self._base!r} is no address: {error}") from error
            except httpx2.TransportError as error:
                reason, rest_s = f"does not answer ({error})", None
                faults = 0
            else:
                faults = faults + 1 if faulty(response.status_code) else 0
                self._check_faults(response, faults)
                if not faults and not passing(response.status_code):
                    if attempt:
                        self._say(f"{self._base} answers again")
                    return response
                reason = f"answered {response.status_code}"
                rest_s = retry_after_s(response.headers.get("Retry-After", ""), datetime.now(UTC))
            if waited_s - said_s >= _SAID_EVERY_S:
                self._say(f"{self._base} {reason}; waiting for it, Ctrl-C ends")
                said_s = waited_s
            if rest_s is None:
                rest_s = min(backoff_s(attempt, random.random()), _LONGEST_REST_S)
            if not self._wait(rest_s):
                return None
            waited_s += rest_s
            attempt += 1


def _header(text: str) -> str:
    """Text as a header may have it: ASCII, with all else and % encoded."""
    return quote(text, safe=_PLAIN)


def _content(response: httpx2.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
