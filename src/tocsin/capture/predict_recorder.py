"""Behind `tocsin.autolog()`: takes calls of loaded models, learns which they are, logs rows."""

import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from tocsin.capture.background import Background
from tocsin.capture.backlog import MOST_BYTES, Backlog
from tocsin.capture.exchange import Call, Model, UnreadableError, model_of
from tocsin.capture.monitored import Monitored, Target
from tocsin.capture.origin import origin_of
from tocsin.capture.predict_call import (
    PredictCall,
    bytes_of,
    copied,
    part_of,
    parted,
    row_count,
)
from tocsin.capture.row_log import RowLog
from tocsin.errors import RegistryError, without_credentials
from tocsin.values import to_datetime

Times = Sequence[datetime | str]
_AT_ONCE = 200
# Of a large call so much is read at once.
_PART_BYTES = 2 * 2**20
# How soon the registry is asked again which model one is, where it did not say.
_AGAIN_S = 30.0


class Ids(Protocol):
    """Who gives ids and times to rows."""

    def taken(self, rows: int, now: datetime) -> tuple[list[str], list[datetime | str]]:
        """Those of the next rows."""
        ...

    def lose_count(self) -> bool:
        """Give new ids from now on, as nobody knows which row is next; whether any were given."""
        ...


class Before(NamedTuple):
    """What a model is asked with. parts: copies of its rows, in order. rows: None if unknown."""

    parts: list[Any]
    rows: int | None


class Which(NamedTuple):
    """The registered model that a loaded one is; nothing of it keeps that one alive."""

    name: str
    version: str
    inputs: tuple[str, ...]


class _Known(NamedTuple):
    """A loaded model: which it is, or None and when to ask again."""

    pyfunc: "weakref.ref[Any]"
    which: Which | None
    ask_at: float


class PredictRecorder:
    """Records calls of `predict`; nothing that is called here waits or raises."""

    def __init__(self, url: str, model: str | None, sample: float, exclude: frozenset[str]) -> None:
        self._url = url
        self._model = model
        self._sample = sample
        self._exclude = exclude
        self._background = Background(
            "tocsin-autolog",
            self._work,
            pause=lambda seconds: self._backlog.wait(seconds),
            wake=lambda: self._backlog.wake(),
            ended=self._end,
            afresh=self._begin,
        )
        self._begin()

    def _begin(self) -> None:
        self._backlog = Backlog()
        self._known: dict[int, _Known] = {}
        self._logs: dict[str, RowLog] = {}

    def before(self, data: Any) -> Before:
        """The inputs of a call, before the model may change them; never raises."""
        rows: int | None = None
        parts: list[Any] = []
        try:
            rows = row_count(data)
            room = MOST_BYTES
            for part in parted(data, _PART_BYTES):
                # What nobody could keep is not copied.
                room -= bytes_of(part)
                if room < 0:
                    raise UnreadableError("it is too large; of its rows the first are")
                parts.append(copied(part))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not become one of the host
            self._not_recorded(error)
        return Before(parts, rows)

    def record(self, pyfunc: Any, before: Before, result: Any, ids: Ids, now: int) -> None:
        """Keep a call, to be read later; its rows take their ids even where they are not kept."""
        try:
            if before.rows is None:
                if ids.lose_count():
                    self._background.say_once(
                        "ids",
                        "a prediction of an unknown number of rows is not recorded; the ids of its "
                        "log_context are not used any longer",
                    )
                return
            names, times = ids.taken(before.rows, to_datetime(now))
            begin = 0
            for part in before.parts:
                end = begin + row_count(part) if len(before.parts) > 1 else before.rows
                given = result if end - begin == before.rows else part_of(result, begin, end)
                self._keep(pyfunc, part, given, names[begin:end], times[begin:end])
                begin = end
        except Exception as error:  # noqa: BLE001 - a fault of ours must not become one of the host
            self._not_recorded(error)

    def _keep(self, pyfunc: Any, data: Any, result: Any, names: list[str], times: Times) -> None:
        """Raises: UnreadableError."""
        size = bytes_of(data) + bytes_of(result) + 1000
        # Which model it is, is found out later: that takes questions to the registry.
        call = PredictCall(Model("", pyfunc), data, copied(result), names, times, size)
        if self._background.is_closed or not self._backlog.put(call):
            raise UnreadableError("there is no room for it")
        self._background.ensure_running()

    def close(self, timeout_s: float) -> None:
        """Send what waits until the deadline."""
        self._background.close(timeout_s)

    def _not_recorded(self, error: Exception) -> None:
        why = str(error) if isinstance(error, UnreadableError) else type(error).__name__
        self._background.say_once("call", f"a prediction is not recorded: {why}")

    def _work(self) -> None:
        waiting: list[Call] = []
        while calls := self._backlog.take(_AT_ONCE):
            by_name: dict[str, list[Call]] = {}
            models: dict[int, Model] = {}
            for call in calls:
                pyfunc = call.model.pyfunc
                which = self._which(pyfunc)
                if which is None or not isinstance(call, PredictCall):
                    continue
                found = Model(which.version, pyfunc, which.inputs)
                model = models.setdefault(id(pyfunc), found)
                by_name.setdefault(which.name, []).append(replace(call, model=model))
            for name, named in by_name.items():
                log = self._log_of(name)
                if log.is_ready:
                    log.log(named)
                else:
                    waiting += named
        for call in waiting:
            if not self._backlog.put(call):
                self._not_recorded(UnreadableError("there is no room for it"))

    def _log_of(self, name: str) -> RowLog:
        if name not in self._logs:
            say_once = self._background.say_once
            target = Target(self._url, name, self._sample, self._exclude)
            self._logs[name] = RowLog(
                target, Monitored(target, say_once), count=lambda *_, **__: None, say_once=say_once
            )
        return self._logs[name]

    def _which(self, pyfunc: Any) -> Which | None:
        known = self._known.get(id(pyfunc))
        if known is None or known.pyfunc() is not pyfunc:
            known = _Known(weakref.ref(pyfunc), None, 0.0)
        if known.which is None and time.monotonic() >= known.ask_at:
            known = known._replace(which=self._found(pyfunc), ask_at=time.monotonic() + _AGAIN_S)
            alive = {key: k for key, k in self._known.items() if k.pyfunc() is not None}
            self._known = {**alive, id(pyfunc): known}
        return known.which

    def _found(self, pyfunc: Any) -> Which | None:
        from mlflow.exceptions import MlflowException

        try:
            name, version = origin_of(pyfunc, self._model)
        except (RegistryError, MlflowException) as error:
            why = without_credentials(str(error))
            self._background.say_once("origin", f"predictions are not recorded: {why}")
            return None
        return Which(name, version, model_of(pyfunc, version).names)

    def _end(self, timeout_s: float) -> None:
        self._work()
        if left := len(self._backlog):
            self._background.say_once("left", f"{left} calls are not recorded: Tocsin was away")
        for log in self._logs.values():
            log.close(timeout_s)
