"""Behind `tocsin.autolog()`: takes calls of loaded models, learns which they are, logs rows."""

import time
import weakref
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from tocsin.capture.background import Background
from tocsin.capture.backlog import Backlog
from tocsin.capture.exchange import Call, Model, UnreadableError, model_of
from tocsin.capture.monitored import Monitored, Target
from tocsin.capture.origin import origin_of
from tocsin.capture.predict_call import PredictCall, copied, row_count
from tocsin.capture.row_log import RowLog
from tocsin.errors import RegistryError
from tocsin.values import to_datetime

_AT_ONCE = 200
# How soon the registry is asked again which model one is, where it did not say.
_AGAIN_S = 30.0


class Ids(Protocol):
    """Who gives ids and times to rows."""

    def taken(self, rows: int, now: datetime) -> tuple[list[str], list[datetime | str]]:
        """Those of the next rows."""
        ...


class _Known(NamedTuple):
    """A loaded model: which it is, or None and when to ask again."""

    pyfunc: "weakref.ref[Any]"
    origin: tuple[str, Model] | None
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

    def copied(self, data: Any) -> Any:
        """The inputs of a call, before the model may change them; None for what is not recorded."""
        try:
            return copied(data)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not become one of the host
            self._not_recorded(error)
            return None

    def record(self, pyfunc: Any, data: Any, result: Any, ids: Ids, now: int) -> None:
        """Keep a call, to be read later."""
        if data is None:
            return
        try:
            names, times = ids.taken(row_count(data), to_datetime(now))
            # Which model it is, is found out later: that takes questions to the registry.
            unknown = Model("", pyfunc)
            call = PredictCall(unknown, data, copied(result), names, times)
            if not self._background.is_closed and self._backlog.put(call):
                self._background.ensure_running()
            else:
                self._not_recorded(UnreadableError("there is no room for it"))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not become one of the host
            self._not_recorded(error)

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
            for call in calls:
                origin = self._origin(call.model.pyfunc)
                if origin is None or not isinstance(call, PredictCall):
                    continue
                name, model = origin
                named = PredictCall(model, call.data, call.result, call.ids, call.timestamps)
                by_name.setdefault(name, []).append(named)
            for name, found in by_name.items():
                log = self._log_of(name)
                if log.is_ready:
                    log.log(found)
                else:
                    waiting += found
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

    def _origin(self, pyfunc: Any) -> tuple[str, Model] | None:
        known = self._known.get(id(pyfunc))
        if known is None or known.pyfunc() is not pyfunc:
            known = _Known(weakref.ref(pyfunc), None, 0.0)
        if known.origin is None and time.monotonic() >= known.ask_at:
            known = known._replace(origin=self._found(pyfunc), ask_at=time.monotonic() + _AGAIN_S)
            alive = {key: k for key, k in self._known.items() if k.pyfunc() is not None}
            self._known = {**alive, id(pyfunc): known}
        return known.origin

    def _found(self, pyfunc: Any) -> tuple[str, Model] | None:
        from mlflow.exceptions import MlflowException

        try:
            name, version = origin_of(pyfunc, self._model)
        except (RegistryError, MlflowException) as error:
            self._background.say_once("origin", f"predictions are not recorded: {error}")
            return None
        return name, model_of(pyfunc, version)

    def _end(self, timeout_s: float) -> None:
        self._work()
        if left := len(self._backlog):
            self._background.say_once("left", f"{left} calls are not recorded: Tocsin was away")
        for log in self._logs.values():
            log.close(timeout_s)
