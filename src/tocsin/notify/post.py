"""An HTTP POST to a receiver: to a checked address, without redirects, in bounded time."""

import time
from collections.abc import Mapping
from http import HTTPStatus

import httpx2

from tocsin.errors import DeliveryError
from tocsin.notify.guard import target
from tocsin.notify.message import Outside

TIMEOUT_S = 15.0
_WORTH_REPEATING = {408, 425, 429}
# A receiver may ask to be left alone, but not for good.
_LONGEST_WAIT_S = 3600.0
# As much of an answer as is told when it refuses, and as is read at all.
_MOST_TOLD = 200
_MOST_ANSWER = 256 * 1024


def post(
    url: str, body: bytes, headers: Mapping[str, str], outside: Outside, *, spoken: str
) -> httpx2.Response:
    """The answer to a body, if it was taken.

    spoken: what the receiver is called where the address holds a secret.
    Raises: DeliveryError, without the address where that is secret.
    """
    return asked("POST", url, body, headers, outside, spoken=spoken)


def asked(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    outside: Outside,
    *,
    spoken: str,
) -> httpx2.Response:
    """As `post`, of any method."""
    found = target(url, outside)
    parsed = httpx2.URL(url)
    try:
        with httpx2.Client(
            timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, verify=outside.verify
        ) as client:
            request = client.build_request(
                method,
                # To the address that was checked; the name goes into the header and the handshake.
                parsed.copy_with(host=found.address),
                content=body,
                headers={**headers, "host": parsed.netloc.decode()},
                extensions={"sni_hostname": found.host},
            )
            answer = _read(client, request, deadline_s=time.monotonic() + TIMEOUT_S)
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        # Whoever could not be connected to has taken nothing.
        unsent = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout))
        raise DeliveryError(
            f"{spoken} could not be reached: {type(error).__name__}",
            permanent=False,
            maybe_taken=not unsent,
        ) from error
    if not answer.is_success:
        raise refused(spoken, answer)
    return answer


def _read(client: httpx2.Client, request: httpx2.Request, deadline_s: float) -> httpx2.Response:
    """The whole answer, unless it is too long or drips: a lease must outlast it."""
    answer = client.send(request, stream=True)
    try:
        parts = bytearray()
        for part in answer.iter_raw():
            parts += part
            if len(parts) > _MOST_ANSWER or time.monotonic() > deadline_s:
                break
        return httpx2.Response(
            answer.status_code,
            headers={k: v for k, v in answer.headers.items() if k != "content-encoding"},
            content=bytes(parts),
        )
    finally:
        answer.close()


def refused(spoken: str, answer: httpx2.Response) -> DeliveryError:
    """What an answer that takes nothing means."""
    status = answer.status_code
    permanent = 300 <= status < 500 and status not in _WORTH_REPEATING
    after = answer.headers.get("retry-after", "")
    said = " ".join(answer.text.split())[:_MOST_TOLD]
    return DeliveryError(
        f"{spoken} answered {status}" + (f": {said}" if said else ""),
        permanent=permanent,
        retry_after_s=min(float(after), _LONGEST_WAIT_S) if after.isdecimal() else None,
        gone=status == HTTPStatus.GONE,
    )
