"""Behind a served model: takes its calls without waiting, and sends their rows and its counts."""

from tocsin.capture.background import Background
from tocsin.capture.backlog import MOST_BYTES, MOST_CALLS, Backlog
from tocsin.capture.exchange import Call
from tocsin.capture.meter import Meter
from tocsin.capture.monitored import Monitored, Target
from tocsin.capture.row_log import RowLog

_AT_ONCE = 200


class Recorder:
    """Records the calls of one served model; nothing that is called here waits or raises."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._serving = ""
        self._background = Background(
            "tocsin-capture",
            self._work,
            pause=lambda seconds: self._backlog.wait(seconds),
            wake=lambda: self._backlog.wake(),
            ended=self._end,
            afresh=self._begin,
        )
        self._begin()

    def _begin(self) -> None:
        say_once = self._background.say_once
        self._backlog = Backlog()
        self._meter = Meter()
        if self._serving:
            self._meter.serve(self._serving)
        self._monitored = Monitored(self._target, say_once)
        self._log = RowLog(
            self._target, self._monitored, count=self._meter.count, say_once=say_once
        )

    def serve(self, version: str) -> None:
        """Say which version answers from now on."""
        self._serving = version
        self._meter.serve(version)
        self._background.ensure_running()

    def answered(self, version: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._meter.answered(version, status, seconds)
        self._background.ensure_running()

    def record(self, call: Call) -> None:
        """Keep a call, to be read later; counts it where there is no room."""
        if self._background.is_closed or not self._backlog.put(call):
            self.dropped(call.model.version)

    def dropped(self, version: str) -> None:
        """Count a call that is not kept."""
        self._meter.count(version, dropped=1)
        self._background.say_once("dropped", "a request is not recorded: there is no room for it")

    def failed(self, error: Exception) -> None:
        """Count a fault of capture itself."""
        self._background.say_once("fault", f"a fault in capture: {type(error).__name__}")
        self._meter.count(self._serving, unreadable=1)

    def close(self, timeout_s: float) -> None:
        """Send what waits until the deadline; what comes later is not recorded."""
        self._background.close(timeout_s)

    def _work(self) -> None:
        if len(self._backlog) and self._log.is_ready:
            while calls := self._backlog.take(_AT_ONCE):
                self._log.log(calls)
        self._log.count_settled()
        self._monitored.tell(self._meter.summaries())

    def _end(self, timeout_s: float) -> None:
        self._work()
        for call in self._backlog.take(MOST_CALLS, MOST_BYTES):
            self.dropped(call.model.version)
        self._log.close(timeout_s)
        self._monitored.tell(self._meter.summaries(at_once=True))
        self._monitored.close()
