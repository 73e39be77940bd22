"""One request to the server, and what its answer means for the rows in it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx2

FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 30.0
MAX_RETRY_AFTER_S = 3600.0
# A server that is away, busy or told to wait answers these, or something above 501, which proxies
# have many of their own of; in time it takes the same rows.
_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_FAULTS = frozenset({HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.NOT_IMPLEMENTED})
# A fault of the server may pass as well, or come with these very rows each time: after so many
# answers in a row, over half a minute or so, it is worth to ask whether it takes others.
MOST_FAULTS = 10


@dataclass(frozen=True)
class Accepted:
    """The server has the rows; `quarantined` of them do not fit the schema, for these reasons."""

    quarantined: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """The server will never take these rows.

    fault: it does not say so, but fails at them each time, and takes others.
    """

    reason: str
    fault: bool = False


@dataclass(frozen=True)
class TryAgain:
    """The server may take these rows later; `after_s` is when, if it said so.

    fault: it failed in a way that these rows may be the cause of.
    """

    reason: str
    after_s: float | None = None
    fault: bool = False


Answer = Accepted | Refused | TryAgain


def post(
    http: httpx2.Client,
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Answer:
    """Send a batch once."""
    try:
        response = http.post(url, content=content, headers=dict(headers))
    except (httpx2.RequestError, OSError) as error:
        return TryAgain(f"{type(error).__name__}: {error}")
    return answer(response, now())


def answer(response: httpx2.Response, now: datetime) -> Answer:
    """What a response means.

    >>> response = httpx2.Response(400, json={"error": {"message": "row 3 has no id"}})
    >>> answer(response, now=datetime(2013, 1, 1, tzinfo=UTC))
    Refused(reason='400: row 3 has no id', fault=False)
    """
    status = response.status_code
    if response.is_success:
        return _acknowledgement(response)
    reason = f"{status}: {_error_message(response)}"
    if faulty(status) or passing(status):
        after_s = retry_after_s(response.headers.get("Retry-After", ""), now)
        return TryAgain(reason, after_s, faulty(status))
    return Refused(reason)


def faulty(status: int) -> bool:
    """Whether a server says that it failed, and neither it nor a proxy that it is away or busy.

    >>> faulty(500), faulty(503), faulty(521), faulty(422)
    (True, False, False, False)
    """
    return status in _FAULTS


def passing(status: int) -> bool:
    """Whether a server is away or busy: nothing is wrong with the rows.

    >>> passing(429), passing(503), passing(521), passing(500), passing(422)
    (True, True, True, False, False)
    """
    return status in _BUSY or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and not faulty(status))


def retry_after_s(header: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, at most an hour; None where it says nothing.

    Source: RFC 9110, section 10.2.3.

    >>> retry_after_s("120", now=datetime(2013, 1, 1, tzinfo=UTC))
    120.0
    """
    text = header.strip()
    if text.isdecimal():
        # Nine digits are 31 years; more could overflow a float.
        return min(float(text[-9:]) if len(text) <= 9 else MAX_RETRY_AFTER_S, MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000" means UTC of unknown origin
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), MAX_RETRY_AFTER_S)


def backoff_s(attempt: int, draw: float) -> float:
    """How long to rest after failed attempt number `attempt` (from 0): full jitter.

    draw: uniform in [0, 1).
    Source: Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015.

    >>> [backoff_s(attempt, 1.0) for attempt in (0, 1, 2, 1000)]
    [0.2, 0.4, 0.8, 30.0]
    """
    return draw * min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(attempt, 16))


def _acknowledgement(response: httpx2.Response) -> Accepted | Refused:
    content = _content(response)
    if "accepted" not in content:
        return Refused(
            f"{response.status_code}: the answer is not one of Tocsin's; is the address right?"
        )
    quarantined = content.get("quarantined")
    reasons = content.get("reasons")
    return Accepted(
        quarantined if isinstance(quarantined, int) else 0,
        tuple(map(str, reasons)) if isinstance(reasons, list) else (),
    )


def _error_message(response: httpx2.Response) -> str:
    error = _content(response).get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or response.reason_phrase or "no reason given")


def _content(response: httpx2.Response) -> dict[str, Any]:
    try:
        content = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
