"""Which prediction ids came lately, to tell a client that it repeats itself."""

import threading

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tocsin.values import DAY

# Of each model; a repeat of older ones is found when it is folded, and counted then.
_REMEMBERED = 50_000


class Recent:
    """The last ids of each model, with their day. Any thread may ask."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._most = remembered
        self._lock = threading.Lock()
        self._ids: dict[int, tuple[dict[str, int], dict[str, int]]] = {}

    def forget(self, model: int) -> None:
        """Let go of the ids of a model."""
        with self._lock:
            self._ids.pop(model, None)

    def repeats(self, model: int, predictions: pa.Table) -> NDArray[np.bool_]:
        """(n,) which of these durable predictions came before, on their day or beside it."""
        ids = predictions["prediction_id"].to_pylist()
        days = (predictions["timestamp"].cast(pa.int64()).to_numpy() // DAY).tolist()
        found = np.zeros(len(ids), np.bool_)
        with self._lock:
            young, old = self._ids.get(model, ({}, {}))
            fresh = dict(zip(ids, days, strict=True))
            if (
                len(fresh) == len(ids)
                and young.keys().isdisjoint(ids)
                and old.keys().isdisjoint(ids)
            ):
                young.update(fresh)
            else:
                found = _repeats(ids, days, young, old)
            if len(young) > self._most:
                # Two generations: dropping the older one costs nothing for each id.
                young, old = {}, young
            self._ids[model] = (young, old)
        return found


def _repeats(
    ids: list[str], days: list[int], young: dict[str, int], old: dict[str, int]
) -> NDArray[np.bool_]:
    """Which ids are known, or were a moment ago; the others are known from now on."""
    found = np.zeros(len(ids), np.bool_)
    for row, (name, day) in enumerate(zip(ids, days, strict=True)):
        before = young.get(name, old.get(name))
        if before is not None and abs(before - day) <= 1:
            found[row] = True
        else:
            young[name] = day
    return found
