"""How many requests may wait for MLflow at once, so that the others never do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tocsin.errors import UnavailableError

_MOST = 2
_RETRY_S = 10.0


class Asking:
    """A few places for those who ask MLflow, which may hang for minutes."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(_MOST)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place until the block ends. Raises: UnavailableError at once when all are taken."""
        if not self._places.acquire(blocking=False):
            raise UnavailableError(
                f"{_MOST} requests wait for MLflow already, and nothing was done; look whether it "
                "answers, and try again",
                retry_after_s=_RETRY_S,
            )
        try:
            yield
        finally:
            self._places.release()
