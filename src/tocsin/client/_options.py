"""The options of a client, checked once when it is made: later nothing may raise."""

import os
from collections.abc import Callable
from pathlib import Path

import httpx2

from tocsin.client._delivery import Target
from tocsin.client._queue import Limits
from tocsin.client._sender import Route, user_agent
from tocsin.client._spill import CAN_SPILL, Spill
from tocsin.client._wire import model_url
from tocsin.errors import InvalidInputError


def checked_version(model_version: str | None) -> str | None:
    """The version; None of a client without. Raises: InvalidInputError for what is no text."""
    if model_version is None:
        return None
    if not isinstance(model_version, str) or not model_version:
        raise InvalidInputError(f'model_version {model_version!r} is not a text such as "3"')
    return model_version


def limits(max_queue: int, batch_rows: int, max_delay_s: float, *, spills: bool) -> Limits:
    """How much may wait. Raises: InvalidInputError for limits that let nothing through."""
    if min(max_queue, batch_rows) < 1:
        raise InvalidInputError(
            f"max_queue {max_queue} and batch_rows {batch_rows} must be 1 or more"
        )
    if max_delay_s < 0:
        raise InvalidInputError(f"max_delay_s {max_delay_s} must not be negative")
    return Limits(max_queue, batch_rows, max_delay_s, spills)


def route(
    url: str,
    model: str,
    request_timeout_s: float,
    transport: httpx2.BaseTransport | None,
    *,
    compress: bool,
) -> Route:
    """Where bodies go. Raises: InvalidInputError for an address that none can be sent to."""
    base = model_url(url, model)
    if request_timeout_s <= 0:
        raise InvalidInputError(f"request_timeout_s {request_timeout_s} must be more than 0")

    def open_http() -> httpx2.Client:
        return httpx2.Client(
            transport=transport,
            timeout=request_timeout_s,
            headers={"User-Agent": user_agent()},
        )

    return Route(base, open_http, compress)


def target(
    route: Route,
    exit_timeout_s: float,
    spill: Callable[[], Spill] | None,
) -> Target:
    """The whole of it. Raises: InvalidInputError for a negative deadline."""
    if exit_timeout_s < 0:
        raise InvalidInputError(f"exit_timeout_s {exit_timeout_s} must not be negative")
    return Target(route, exit_timeout_s, spill)


def spill_opener(
    spill_dir: str | os.PathLike[str] | None, model: str, max_spill_bytes: int
) -> Callable[[], Spill] | None:
    """Opens the queue on disk; None where there shall be none.

    The folder is not touched here: a disk that is away now may be back when it is needed.
    Raises: InvalidInputError for what is no folder's name.
    """
    if spill_dir is None:
        return None
    if not CAN_SPILL:
        raise InvalidInputError("spill_dir needs the file locks of POSIX; leave it out here")
    if max_spill_bytes < 1:
        raise InvalidInputError(f"max_spill_bytes {max_spill_bytes} must be 1 or more")
    try:
        folder = Path(spill_dir)
    except TypeError as error:
        raise InvalidInputError(f"spill_dir {spill_dir!r} is not the path of a folder") from error
    return lambda: Spill(folder.absolute(), model, max_spill_bytes)
