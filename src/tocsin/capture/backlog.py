"""Calls between the threads that serve and the one that reads them: bounded, and never waiting."""

import threading
from collections import deque

from tocsin.capture.exchange import Call

MOST_CALLS = 20_000
MOST_BYTES = 64 * 2**20
# What is read together: as rows it takes about sixteen times as much.
MOST_AT_ONCE_BYTES = 2 * 2**20
# From so many on the reader does not wait for its next look.
CROWD = 500


class Backlog:
    """First in, first out; what does not fit is refused."""

    def __init__(self, most_calls: int = MOST_CALLS, most_bytes: int = MOST_BYTES) -> None:
        self._most_calls = most_calls
        self._most_bytes = most_bytes
        self._waiting: deque[Call] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._crowded = threading.Event()

    def put(self, call: Call) -> bool:
        """Take a call; False when there is no room."""
        with self._lock:
            if len(self._waiting) >= self._most_calls or self._bytes + call.size > self._most_bytes:
                return False
            self._waiting.append(call)
            self._bytes += call.size
            if len(self._waiting) == CROWD:
                self._crowded.set()
        return True

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, most: int, most_bytes: int = MOST_AT_ONCE_BYTES) -> list[Call]:
        """The oldest calls, at most so many, and of so many bytes unless it is one; or none."""
        taken: list[Call] = []
        with self._lock:
            while self._waiting and len(taken) < most:
                size = self._waiting[0].size
                if taken and size > most_bytes:
                    break
                taken.append(self._waiting.popleft())
                self._bytes -= size
                most_bytes -= size
        return taken

    def wait(self, seconds: float) -> None:
        """Rest, unless calls crowd or the reader is woken.

        A call by itself wakes nobody: the reader's work would then meet the next request.
        """
        self._crowded.wait(seconds)
        self._crowded.clear()

    def wake(self) -> None:
        """End the rest of the reader."""
        self._crowded.set()
