"""An HTTP POST to a receiver: to a checked address, without redirects, in bounded time."""

from collections.abc import Mapping

import httpx2

from tocsin.errors import DeliveryError
from tocsin.notify.guard import target
from tocsin.notify.message import Outside

TIMEOUT_S = 15.0
_WORTH_REPEATING = {408, 425, 429}
# A receiver may ask to be left alone, but not for good.
_LONGEST_WAIT_S = 3600.0
# As much of an answer as is told when it refuses.
_MOST_TOLD = 200


def post(
    url: str, body: bytes, headers: Mapping[str, str], outside: Outside, *, spoken: str
) -> httpx2.Response:
    """The answer to a body, if it was taken.

    spoken: what the receiver is called where the address holds a secret.
    Raises: DeliveryError, without the address where that is secret.
    """
    found = target(url, outside)
    parsed = httpx2.URL(url)
    try:
        with httpx2.Client(
            timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, verify=outside.verify
        ) as client:
            request = client.build_request(
                "POST",
                # To the address that was checked; the name goes into the header and the handshake.
                parsed.copy_with(host=found.address),
                content=body,
                headers={**headers, "host": parsed.netloc.decode()},
                extensions={"sni_hostname": found.host},
            )
            answer = client.send(request)
    except httpx2.HTTPError as error:
        raise DeliveryError(
            f"{spoken} could not be reached: {type(error).__name__}", permanent=False
        ) from error
    if not answer.is_success:
        raise refused(spoken, answer)
    return answer


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
    )
