"""From logged rows to the bytes that the server reads, in the worker's time."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx2

from tocsin.client._plain import finite, plain
from tocsin.client._rows import Encoded, Prediction, Row
from tocsin.errors import InvalidInputError
from tocsin.ids import MAX_ID_LENGTH
from tocsin.values import from_datetime, isoformat

MAX_PORT = 65_535

# Made once: `json.dumps` would make an encoder for each row.
_compact = json.JSONEncoder(
    allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=plain
).encode


def model_url(url: str, model: str) -> str:
    """Where the rows of a model are posted to, without the last part that names their kind.

    Raises: InvalidInputError for an address that no request can be sent to.

    >>> model_url("http://127.0.0.1:8765/", "flight delay")
    'http://127.0.0.1:8765/api/v1/models/flight%20delay'
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError) as error:
        raise InvalidInputError(f"{url!r} is not an address: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or " " in url:
        raise InvalidInputError(
            f"{url!r} is not an address of a Tocsin server; write one such as http://127.0.0.1:8765"
        )
    if parsed.port is not None and not 0 < parsed.port <= MAX_PORT:
        raise InvalidInputError(f"{url!r} has port {parsed.port}; ports go from 1 to {MAX_PORT}")
    if parsed.query or parsed.fragment:
        raise InvalidInputError(f"{url!r} must end before any '?' or '#'")
    if not isinstance(model, str) or model.strip(". ") == "":
        raise InvalidInputError(f"{model!r} is not the name of a model")
    return f"{url.rstrip('/')}/api/v1/models/{quote(model, safe='')}"


def encode_row(row: Row) -> bytes:
    """One row as JSON; NaN and infinities become null, NumPy scalars plain numbers.

    Raises: InvalidInputError when the server could not read it.
    """
    return encode_prediction(*row) if isinstance(row, Prediction) else encode_outcome(*row)


def encode_prediction(
    prediction_id: str,
    timestamp: datetime | str,
    model_version: str,
    inputs: dict[str, Any],
    outputs: dict[str, Any],
) -> bytes:
    """One prediction as JSON. Raises: as `encode_row`."""
    fields = {
        **_identity(prediction_id, timestamp),
        "model_version": model_version,
        "inputs": inputs,
        "outputs": outputs,
    }
    return _written(fields)


def encode_outcome(prediction_id: str, timestamp: datetime | str, actual_outcome: Any) -> bytes:
    """One outcome as JSON. Raises: as `encode_row`."""
    return _written({**_identity(prediction_id, timestamp), "actual_outcome": actual_outcome})


def encoded(encode: Callable[..., bytes], *fields: Any) -> Encoded:
    """What `encode` makes of a row, or why it cannot."""
    try:
        return encode(*fields)
    except Exception as error:  # noqa: BLE001 - a host's value may raise anything when read
        return error


def _identity(prediction_id: str, timestamp: datetime | str) -> dict[str, Any]:
    if not isinstance(prediction_id, str) or not 0 < len(prediction_id) <= MAX_ID_LENGTH:
        raise InvalidInputError(
            f"prediction_id is {described(prediction_id)}, not a text of 1 to {MAX_ID_LENGTH} signs"
        )
    return {"prediction_id": prediction_id, "timestamp": utc_text(timestamp)}


def _written(fields: dict[str, Any]) -> bytes:
    try:
        return to_json(fields)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"a row cannot be written as JSON: {error}") from error


def encode_batch(rows: list[bytes]) -> bytes:
    """The body of a request: the JSON array of encoded rows.

    >>> encode_batch([b"1", b"2"])
    b'[1,2]'
    """
    return b"[" + b",".join(rows) + b"]"


def utc_text(timestamp: datetime | str) -> str:
    """A moment in ISO 8601, UTC, ending in Z.

    Raises: InvalidInputError for anything but an aware datetime or an ISO text with an offset.

    >>> utc_text("2013-01-01T01:00:00+01:00")
    '2013-01-01T00:00:00Z'
    """
    try:
        moment = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else timestamp
    except ValueError as error:
        raise InvalidInputError(
            f"timestamp is {described(timestamp)}, not ISO 8601, such as 2013-01-01T10:30:00Z"
        ) from error
    if not isinstance(moment, datetime):
        raise InvalidInputError(
            f"timestamp is {described(timestamp)}, neither a datetime nor an ISO 8601 text"
        )
    if moment.tzinfo is None:
        raise InvalidInputError("timestamp has no time zone; add one, such as +00:00")
    if type(moment) is datetime and moment.tzinfo is UTC:
        return moment.isoformat()[: -len("+00:00")] + "Z"
    try:
        return isoformat(int(from_datetime(moment)))
    except OverflowError as error:
        raise InvalidInputError("timestamp is out of range") from error


def described(value: Any) -> str:
    """What a value is, and nothing of what it says: errors are logged, and clients send values.

    >>> described("4111"), described(4111)
    ('a str of 4 signs', 'a int')
    """
    kind = f"a {type(value).__name__}"
    return f"{kind} of {len(value)} signs" if isinstance(value, str) else kind


def to_json(value: Any) -> bytes:
    """JSON in UTF-8, with null for every NaN and infinity.

    Raises: TypeError, ValueError or RecursionError for what JSON cannot hold.

    >>> to_json({"delay": float("nan"), "late": True})
    b'{"delay":null,"late":true}'
    """
    try:
        text = _compact(value)
    except ValueError:  # a NaN somewhere: rare, so only then walk the values
        text = _compact(finite(value))
    # Not escaped to ASCII: a lone surrogate then fails here, alone, and not on the
    # server, where it would take its whole batch down with it.
    return text.encode()
