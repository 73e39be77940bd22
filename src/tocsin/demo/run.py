"""`tocsin demo`: a real model in a real MLflow, a fault in its data, and Tocsin watching."""

import json
import multiprocessing
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import tocsin
from tocsin.demo.flights import HOME, flights
from tocsin.demo.memory import PeakMemory
from tocsin.demo.model import NAME, URI, train
from tocsin.demo.replay import FAULTY, ask, steps, tell, with_fault
from tocsin.demo.servers import mlflow_server, model_server, tocsin_server
from tocsin.errors import InvalidInputError, StartupError
from tocsin.remote import Remote

MONITOR: dict[str, Any] = {
    "uri": URI,
    "granularity": "15m",
    "windows": ["1h", "24h", "7d"],
    "labels": {"max": "3d"},
    "rules": [
        {
            "alert": "AucLow",
            "expr": {"metric": "roc_auc", "window": "7d", "op": "<", "value": 0.55, "clear": 0.57},
            "min_samples": 300,
            "labels": {"severity": "critical", "category": "performance"},
        },
        {
            "alert": "FeatureDrift",
            "expr": {"metric": "drift", "window": "1h"},
            "keep_firing_for": 4,
            "labels": {"severity": "warning", "category": "drift"},
        },
    ],
}
_CATCH_UP_S = 120.0
_LOOK_EVERY_S = 0.05
CAUSES_THAT_COUNT = 3


@dataclass
class Watch:
    """What was seen of the fault while it was replayed."""

    rows: int = 0
    faulty_rows: int = 0
    faulty_outcomes: int = 0
    detected: dict[str, Any] | None = None
    causes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Period:
    """The days that are replayed, [first, last); on the fault's day distances become kilometres."""

    first: str = "2013-06-01"
    fault: str = "2013-07-15"
    last: str = "2013-08-01"

    def __post_init__(self) -> None:
        days = [date.fromisoformat(day) for day in (self.first, self.fault, self.last)]
        if not date(2013, 5, 1) <= days[0] < days[1] < days[2] <= date(2013, 12, 31):
            raise InvalidInputError(
                f"{self.first}, {self.fault} (the day of the fault) and {self.last} have to "
                "ascend and lie between 2013-05-01, when training ends, and 2013-12-31"
            )


def run(
    console: Console,
    period: Period,
    *,
    port: int | None,
    headless: bool,
    summary: Path | None,
) -> int:
    """Run the demo; 0 when the fault was seen and is among the first causes, else 1."""
    started = time.monotonic()
    # So that the servers are ended when something ends the demo.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as folder, PeakMemory() as memory:
        home = Path(folder)
        console.print("Starting MLflow, and training a model on the flights of January to April")
        with mlflow_server(home / "mlflow") as mlflow_uri:
            # In a process of its own: what training takes is given back.
            feed = home / "feed.parquet"
            _in_process(_train, mlflow_uri, str(feed), period.first, period.last)
            with tocsin_server(home / "data", tracking_uri=mlflow_uri, port=port) as url:
                console.print(f"MLflow runs at {mlflow_uri}, Tocsin at [bold]{url}[/]")
                remote = Remote(url)
                remote.post("models", NAME, "watch", document=MONITOR)
                with model_server(home, URI, tracking_uri=mlflow_uri, tocsin_url=url) as model_url:
                    console.print(f"`tocsin serve -m {URI}` answers at {model_url}")
                    seen = _replay(console, remote, model_url, feed, period)
                    found = _summary(remote, seen, period, started, memory)
                if summary is not None:
                    summary.write_text(json.dumps(found, indent=2) + "\n")
                code = _report(console, found, url)
                if not headless:
                    console.print("The server stays up: press Ctrl-C to end.")
                    _until_interrupted()
    return code


def _train(tracking_uri: str, feed: str, first: str, last: str) -> None:
    """Train, and keep the flights to be replayed in the file `feed`."""
    import pandas as pd

    all_flights = flights()
    train(all_flights, tracking_uri=tracking_uri)
    begin, end = (pd.Timestamp(day, tz=HOME) for day in (first, last))
    replayed = all_flights["scheduled"].between(begin, end, inclusive="left")
    all_flights[replayed].to_parquet(feed, index=False)


def _in_process(work: Any, *arguments: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise StartupError("the demo's model could not be trained; the reason is above")


def _replay(console: Console, remote: Remote, model_url: str, file: Path, period: Period) -> Watch:
    import pandas as pd

    fault = pd.Timestamp(period.fault, tz=HOME)
    first, last = pd.Timestamp(period.first, tz=HOME), pd.Timestamp(period.last, tz=HOME)
    feed = with_fault(pd.read_parquet(file), fault)
    version = remote.get("models", NAME)["version"]
    seen = Watch()
    faulty_ids = set(feed.loc[feed["scheduled"] >= fault, "flight_id"])
    counted = TextColumn("{task.completed:,} flights")
    columns = (TextColumn("{task.description}"), BarColumn(), counted, TimeElapsedColumn())
    with (
        tocsin.Client(remote.base, model=NAME, model_version=version) as client,
        httpx2.Client(timeout=_CATCH_UP_S) as http,
        Progress(*columns, console=console) as progress,
    ):
        task = progress.add_task("Replaying 2013", total=len(feed))
        for step in steps(feed, first, last, fault):
            ask(http, model_url, step)
            tell(client, step)
            if not client.flush():
                raise StartupError(f"the replay could not be sent: {client.stats.last_error}")
            seen.rows += len(step.predictions)
            # What was known when matters from the fault on; before it, a week may be on its way.
            if step.until > fault or step.until.weekday() == 0:
                _caught_up(http, remote.base, seen.rows)
            seen.faulty_rows += int((step.predictions["scheduled"] >= fault).sum())
            seen.faulty_outcomes += int(step.outcomes["flight_id"].isin(faulty_ids).sum())
            progress.update(
                task, advance=len(step.predictions), description=f"{step.until:%d %B %Y, %H:%M}"
            )
            if seen.detected is None and step.until > fault:
                _look(remote, seen, fault.isoformat())
                if seen.detected is not None:
                    progress.console.print(_seen_sentence(seen))
    return seen


def _caught_up(http: httpx2.Client, url: str, rows: int) -> None:
    """Wait until so many predictions have come, and everything was folded and evaluated."""
    deadline = time.monotonic() + _CATCH_UP_S
    while time.monotonic() < deadline:
        status = http.get(f"{url}/api/v1/status").json()
        if status["waiting_rows"] == 0 and status["changed_models"] == 0:
            counted = http.get(f"{url}/api/v1/models/{NAME}/summary").json()
            # The served model's predictions are recorded a moment after it has answered.
            if counted.get("predictions", 0) + counted.get("quarantined", 0) >= rows:
                return
        time.sleep(_LOOK_EVERY_S)
    raise StartupError(f"the server did not catch up within {_CATCH_UP_S:.0f} s; see its log")


def _look(remote: Remote, seen: Watch, fault: str) -> None:
    """Whether an alert on the faulty feature has fired since the fault began."""
    import pandas as pd

    for short in remote.get("incidents", model=NAME, open="true"):
        incident = remote.get("incidents", str(short["id"]))
        for alert in incident["alerts"]:
            since = pd.Timestamp(alert["fired"]) >= pd.Timestamp(fault)
            if alert["instance"] == FAULTY and since:
                seen.detected = {
                    "event_time": alert["fired"],
                    "rows_after": seen.faulty_rows,
                    "before_labels": seen.faulty_outcomes == 0,
                }
                seen.causes = incident["causes"]
                return


def _seen_sentence(seen: Watch) -> str:
    assert seen.detected is not None
    when = "before" if seen.detected["before_labels"] else "after"
    why = seen.causes[0]["sentence"] if seen.causes else "no cause found"
    return (
        f"Seen after {seen.detected['rows_after']} flights, {when} the first of them had landed: "
        f"{why}"
    )


def _summary(
    remote: Remote, seen: Watch, period: Period, started: float, memory: PeakMemory
) -> dict[str, Any]:
    counted = remote.get("models", NAME, "summary")
    keys = ("kind", "feature", "segment", "score", "verdict")
    return {
        "rows": seen.rows,
        "outcomes_joined": counted["joined"],
        "windows_evaluated": counted["windows_evaluated"],
        "alerts": counted["alerts"],
        "fault": {"kind": "unit", "feature": FAULTY, "start": period.fault},
        "detected": seen.detected,
        "causes": [{key: cause[key] for key in keys} for cause in seen.causes],
        "seconds": round(time.monotonic() - started, 1),
        "peak_rss_mb": memory.peak_mb,
    }


def _report(console: Console, found: dict[str, Any], url: str) -> int:
    console.print(
        f"{found['rows']:,} predictions, {found['outcomes_joined']:,} outcomes joined, "
        f"{found['windows_evaluated']:,} windows evaluated in {found['seconds']:.0f} s, "
        f"{found['peak_rss_mb']:,} MB at most; alerts: {found['alerts']}"
    )
    first = [cause["feature"] for cause in found["causes"][:CAUSES_THAT_COUNT]]
    if found["detected"] is None:
        console.print("[bold red]The fault was not seen.[/]")
        return 1
    if FAULTY not in first:
        console.print(f"[bold red]The fault was seen, but its cause is not among {first}.[/]")
        return 1
    console.print(f"See {url}/models/{NAME} and {url}/incidents")
    return 0


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
