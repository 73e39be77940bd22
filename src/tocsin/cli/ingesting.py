"""What `tocsin ingest` is given, and what it shows while it works."""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from types import FrameType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tocsin.errors import InvalidInputError, TocsinError
from tocsin.importing import Columns, Kind, Report, Server, run
from tocsin.sources import Batch, Options, opened

_LINE_EVERY_S = 5.0
_MOST_REASONS = 5
# Rows are counted after they were accepted; for that it waits so long.
_COUNTED_S = 5.0
_LOOK_S = 0.2


def columns_of(options: Sequence[str], zone: str | None) -> Columns:
    """`timestamp=event_time` and a zone as columns.

    Raises: InvalidInputError for an option of another form, or a zone that nobody knows.
    """
    names: dict[str, str] = {}
    for option in options:
        name, given, theirs = option.partition("=")
        if not given or not name or not theirs:
            raise InvalidInputError(
                f"--column {option!r} has to be NAME=COLUMN, such as timestamp=event_time"
            )
        names[name] = theirs
    try:
        return Columns(names, None if zone is None else ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError(
            f"--timezone {zone!r} is not known; write one such as UTC or Europe/Berlin"
        ) from error


class Interrupt:
    """Set by Ctrl-C or SIGTERM: the batch in flight is finished, then it ends."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def came(self) -> bool:
        """Whether somebody wants an end."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Rest; False once it came."""
        return not self._event.wait(seconds)

    @contextmanager
    def caught(self) -> Iterator[None]:
        """While the block lasts; a second Ctrl-C ends at once."""

        def handle(number: int, frame: FrameType | None) -> None:
            if self.came and number == signal.SIGINT:
                signal.default_int_handler(number, frame)
            self._event.set()

        before = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Shown:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f}/s"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("ingest", total=None, rows=0, rate=0.0)
        self._began_s = self._said_s = time.monotonic()

    @contextmanager
    def live(self) -> Iterator[None]:
        """While the block lasts."""
        with self._bar:
            yield

    def update(self, batch: Batch, report: Report) -> None:
        """A batch is stored."""
        now_s = time.monotonic()
        rate = report.rows / max(now_s - self._began_s, 1e-3)
        self._bar.update(
            self._task, completed=batch.done, total=batch.total, rows=report.rows, rate=rate
        )
        if not self._console.is_terminal and now_s - self._said_s >= _LINE_EVERY_S:
            self._said_s = now_s
            share = f" ({100 * batch.done // batch.total} %)" if batch.total else ""
            self._console.print(f"{report.rows:,} rows{share}, {rate:,.0f} rows/s", markup=False)

    def say(self, message: str) -> None:
        """Tell what it waits for."""
        self._console.print(message, markup=False, highlight=False)


def _repeated(server: Server, interrupt: Interrupt, before: dict[str, int] | None) -> int | None:
    """How many repeats were found since, if the server has counted all soon."""
    deadline_s = time.monotonic() + _COUNTED_S
    while before is not None and time.monotonic() < deadline_s:
        after = server.counts()
        if after is not None:
            return after.get("repeated", 0) - before.get("repeated", 0)
        if not interrupt.wait(_LOOK_S):
            break
    return None


def _summarize(shown: Shown, report: Report, kind: Kind, repeated: int | None) -> None:
    for line in summary(report, kind, repeated):
        shown.say(line)


def summary(report: Report, kind: str, repeated: int | None) -> Iterator[str]:
    """What was done, a line each."""
    if not report.rows:
        yield "There is nothing new."
        return
    yield f"Read {report.rows:,} rows; accepted {report.accepted:,} {kind}."
    if repeated:
        yield f"{repeated:,} rows repeat an id and were not counted again."
    if report.absent:
        yield f"Not there, and so null: {', '.join(report.absent)}; --column says other names."
    if report.stored_before:
        yield f"{report.stored_before:,} rows were stored already, by this import or another one."
    if report.unlabelled:
        yield f"{report.unlabelled:,} rows have no outcome yet and were left out."
    if report.tombstones:
        yield f"{report.tombstones:,} messages without a value took nothing back and were left out."
    if report.timeless:
        yield f"{report.timeless:,} rows have no time and were left out."
    if report.quarantined:
        yield f"{report.quarantined:,} rows do not fit and are in quarantine, such as:"
        for reason, _ in report.reasons.most_common(_MOST_REASONS):
            yield f"  {reason}"


def ingested(
    console: Console,
    what: str,
    model: str,
    kind: Kind,
    *,
    name: str | None,
    columns: Columns,
    options: Options,
    every_s: float | None,
    url: str,
) -> None:
    """Bring the rows of a source to the server, and say what became of them.

    Raises: TocsinError when the source cannot be read or the server refuses.
    """
    interrupt, shown, report = Interrupt(), Shown(console), Report()
    with (
        interrupt.caught(),
        closing(opened(what, name, options, say=shown.say, wait=interrupt.wait)) as source,
        # Predictions and outcomes of one place are read apart from each other.
        Server(
            url, model, kind, f"{kind}:{source.name}", say=shown.say, wait=interrupt.wait
        ) as server,
    ):
        before = server.counts()
        known = server.model()
        if known is None:
            shown.say("Ended before the server answered; nothing was read.")
            return
        columns.check(known)
        try:
            with shown.live():
                run(
                    source,
                    server,
                    known,
                    kind,
                    columns,
                    every_s=every_s,
                    wait=interrupt.wait,
                    progress=shown.update,
                    report=report,
                )
        except TocsinError:
            if report.rows:
                shown.say("Before it failed:")
                _summarize(shown, report, kind, None)
            raise
        _summarize(shown, report, kind, _repeated(server, interrupt, before))
        if interrupt.came:
            shown.say("Ended as asked; the same command goes on from here.")
