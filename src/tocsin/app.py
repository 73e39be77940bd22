"""The composition root: settings in, every service wired to its adapters out."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from tocsin.errors import DataInUseError, InvalidInputError, StartupError
from tocsin.lake import Lake
from tocsin.metrics import Metric, register
from tocsin.records import Records, models, outbox
from tocsin.records.outbox import Receiver
from tocsin.service.alert import Alerting
from tocsin.service.clock import Clock, wall_clock
from tocsin.service.deliver import Deliver
from tocsin.service.evaluate import Evaluate
from tocsin.service.fold import Fold
from tocsin.service.ingest import Ingest
from tocsin.service.profile_source import ProfileSource
from tocsin.service.read import Read
from tocsin.service.rebuild import Rebuild
from tocsin.service.receivers import Receivers
from tocsin.service.register import Register
from tocsin.settings import Settings, secret
from tocsin.worker import Worker

# The entry points by which packages bring metrics of their own.
_METRICS = "tocsin.metrics"
# delta-rs makes a host name of a table's path, and these may not be in one.
_NOT_IN_PATHS = frozenset("[]^|")


@dataclass(frozen=True, eq=False)
class App:
    """All that a face of Tocsin needs."""

    settings: Settings
    records: Records
    register: Register
    ingest: Ingest
    fold: Fold
    evaluate: Evaluate
    rebuild: Rebuild
    profile_source: ProfileSource
    receivers: Receivers
    deliver: Deliver
    read: Read
    worker: Worker


@contextmanager
def opened(settings: Settings, clock: Clock = wall_clock) -> Iterator[App]:
    """The application on the settings' data, to itself until the block ends.

    Raises: DataInUseError when another server has the data, StartupError when it cannot be written.
    """
    _register_metrics()
    with _locked(settings.data):
        records = Records(settings.data / "records.db")
        lake = Lake(settings.data / "lake")
        with records.write() as connection:
            _check_formats(settings.data, models.names_of_other_formats(connection))
            if "log" not in {receiver.name for receiver in outbox.all_receivers(connection)}:
                outbox.set_receiver(connection, Receiver("log", "log", {}))
        fold = Fold(records, lake, clock)
        evaluate = Evaluate(records, Alerting(settings.url), clock)
        deliver = Deliver(records, clock, secret)
        rebuild = Rebuild(records, lake, clock)
        yield App(
            settings=settings,
            records=records,
            register=Register(records, lake, clock),
            ingest=Ingest(records, clock),
            fold=fold,
            evaluate=evaluate,
            rebuild=rebuild,
            profile_source=ProfileSource(records, lake, clock),
            receivers=Receivers(records),
            deliver=deliver,
            read=Read(records, lake),
            worker=Worker(rebuild, fold, evaluate, deliver),
        )
        records.close()


def _check_formats(data: Path, others: list[str]) -> None:
    if others:
        raise StartupError(
            f"the data in {data} was written by another version of Tocsin, whose profiles of "
            f"{', '.join(others)} cannot be read; go back to that version, or begin in a new "
            "folder with --data"
        )


def _register_metrics() -> None:
    """Register the metrics of packages that are installed beside Tocsin."""
    for point in entry_points(group=_METRICS):
        try:
            metric = point.load()
            if not isinstance(metric, Metric):
                raise InvalidInputError(f"{point.value} is no tocsin.metrics.Metric")
            register(metric)
        except (ImportError, AttributeError, InvalidInputError) as error:
            raise StartupError(
                f"metric {point.name!r} of an installed package cannot be used: {error}; mend or "
                "remove the package"
            ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    odd = sorted(set(str(folder.resolve())) & _NOT_IN_PATHS)
    if odd:
        raise StartupError(
            f"the data folder {folder} has {' '.join(odd)} in its path, which Delta Lake cannot "
            "handle; choose another with --data"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+")
    except OSError as error:
        raise StartupError(f"the data folder {folder} cannot be written: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise DataInUseError(
                f"another Tocsin (process {lock.read().strip() or 'unknown'}) works on {folder}; "
                "stop it, or give this one another folder with --data"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
