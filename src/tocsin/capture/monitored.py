"""What the Tocsin server knows of the model, and what it is told of serving it."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tocsin.client._sender import user_agent
from tocsin.client._wire import model_url
from tocsin.errors import SchemaError
from tocsin.operations import Summary
from tocsin.schema import Schema

TIMEOUT_S = 5.0
# How long a schema is taken as it is, and how soon after a failure it is asked for again.
KNOWN_FOR_S = 60.0
AGAIN_S = 5.0
# Two hours of one version.
MOST_SUMMARIES = 720
_POSTED_AT_ONCE = 200


@dataclass(frozen=True)
class Target:
    """Where predictions go, and which.

    sample: the share of rows to keep, chosen by their ids. exclude: inputs and outputs that are
    left out. transport: in place of the network.
    """

    url: str
    model: str
    sample: float = 1.0
    exclude: frozenset[str] = frozenset()
    spill_dir: str | None = None
    transport: httpx2.BaseTransport | None = field(default=None, repr=False)


class Monitored:
    """The model at the server; asks again by itself, and never raises for a server that is away."""

    def __init__(
        self,
        target: Target,
        say_once: Callable[[str, str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = model_url(target.url, target.model)
        self._target = target
        self._say_once = say_once
        self._now = now
        self._schema: Schema | None = None
        self._ask_at = now()
        self._post_at = now()
        self._summaries: deque[Summary] = deque(maxlen=MOST_SUMMARIES)
        self._http: httpx2.Client | None = None

    @property
    def schema(self) -> Schema | None:
        """The schema of the monitor; None as long as it is not known."""
        if self._now() >= self._ask_at:
            found = self._asked()
            self._schema = found or self._schema
            self._ask_at = self._now() + (AGAIN_S if found is None else KNOWN_FOR_S)
        return self._schema

    def tell(self, summaries: Iterable[Summary]) -> None:
        """Post summaries, the earlier ones that failed first."""
        self._summaries.extend(summaries)
        while self._summaries and self._now() >= self._post_at:
            first = [self._summaries[i] for i in range(min(_POSTED_AT_ONCE, len(self._summaries)))]
            body = [summary.to_dict() for summary in first]
            answer = self._request("POST", "/operations", json=body)
            if answer is None or answer.status_code in (404, 408, 429) or answer.is_server_error:
                self._post_at = self._now() + AGAIN_S
                return
            self._say_refused(answer)
            # Taken, or refused for good.
            for _ in first:
                self._summaries.popleft()

    def _say_refused(self, answer: httpx2.Response) -> None:
        if not answer.is_success:
            self._say_once("costs", f"costs of serving are not taken: HTTP {answer.status_code}")
            return
        try:
            heard = answer.json()
            refused, late = heard.get("refused", 0), heard["late"]
            reason = (heard.get("reasons") or ["too old"])[0]
        except (ValueError, KeyError, AttributeError, TypeError, IndexError):
            self._say_once(
                "costs", f"{self._target.url} does not say what it took; is it a Tocsin?"
            )
            return
        if refused or late:
            self._say_once("costs", f"{refused + late} costs of serving were not taken: {reason}")

    def close(self) -> None:
        """Close the connection."""
        if self._http is not None:
            self._http.close()

    def _asked(self) -> Schema | None:
        answer = self._request("GET", "")
        if answer is None:
            return None
        if answer.status_code == 404:
            self._say_once(
                "unknown",
                f"Tocsin at {self._target.url} does not monitor {self._target.model!r} yet; its "
                f"predictions wait until `tocsin watch models:/{self._target.model}@ALIAS`",
            )
            return None
        try:
            return Schema.from_dict(answer.json()["schema"])
        except (ValueError, KeyError, TypeError, SchemaError):
            self._say_once(
                "strange", f"{self._target.url} answered {answer.status_code}; is it a Tocsin?"
            )
            return None

    def _request(self, method: str, path: str, **body: Any) -> httpx2.Response | None:
        if self._http is None:
            self._http = httpx2.Client(
                transport=self._target.transport,
                timeout=TIMEOUT_S,
                headers={"User-Agent": user_agent()},
            )
        try:
            return self._http.request(method, f"{self._url}{path}", **body)
        except (httpx2.RequestError, OSError) as error:
            self._say_once("away", f"Tocsin at {self._target.url} is away: {type(error).__name__}")
            return None
