"""The composition root: settings in, every service wired to its adapters out."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from tocsin.errors import DataInUseError, InvalidInputError, StartupError
from tocsin.lake import Lake, folder_at
from tocsin.metrics import Metric, register
from tocsin.notify import Outside
from tocsin.records import Records, models, outbox
from tocsin.records.outbox import Receiver
from tocsin.registry import Registry
from tocsin.registry.results import Results
from tocsin.service.alert import Alerting
from tocsin.service.aliases import Aliases
from tocsin.service.asking import Asking
from tocsin.service.audit import Audit
from tocsin.service.backtest import Backtest
from tocsin.service.clock import Clock, wall_clock
from tocsin.service.configure import Configure
from tocsin.service.data_quality import DataQuality
from tocsin.service.delete import Delete
from tocsin.service.deliver import Deliver
from tocsin.service.drafts import Drafts
from tocsin.service.erase import Erase
from tocsin.service.evaluate import Evaluate
from tocsin.service.fold import Due, Fold
from tocsin.service.follow_files import FollowFiles
from tocsin.service.importance import Importances
from tocsin.service.ingest import Ingest
from tocsin.service.mlflow_webhook import MlflowWebhook
from tocsin.service.multivariate import Multivariate
from tocsin.service.notify import Notify
from tocsin.service.operations import Operations
from tocsin.service.outgoing import Outgoing
from tocsin.service.people import People
from tocsin.service.picture import Picture
from tocsin.service.profile_source import ProfileSource
from tocsin.service.prometheus_rules import PrometheusRules
from tocsin.service.publish import Publish
from tocsin.service.quarantine import Quarantine
from tocsin.service.read import Read
from tocsin.service.rebuild import Rebuild
from tocsin.service.receivers import Receivers
from tocsin.service.register import Register
from tocsin.service.retain import Retain
from tocsin.service.room import Room
from tocsin.service.routing import Routings
from tocsin.service.silences import Silences
from tocsin.service.telemetry import Telemetry
from tocsin.service.trouble import Trouble
from tocsin.service.watch_self import WatchSelf
from tocsin.settings import Settings, secret
from tocsin.values import SECOND
from tocsin.watcher import Watcher
from tocsin.worker import Worker

# The entry points by which packages bring metrics of their own.
_METRICS = "tocsin.metrics"
_KEY_BYTES = 32
_LOOK_AT_FILES_S = 1.0
# How often Tocsin looks at itself.
_LOOK_EVERY_S = 10.0
# delta-rs makes a host name of a table's path, and these may not be in one.
_NOT_IN_PATHS = frozenset("[]^|")


@dataclass(frozen=True, eq=False)
class App:
    """All that a face of Tocsin needs."""

    settings: Settings
    records: Records
    register: Register
    configure: Configure
    drafts: Drafts
    ingest: Ingest
    room: Room
    quarantine: Quarantine
    erase: Erase
    delete: Delete
    fold: Fold
    evaluate: Evaluate
    rebuild: Rebuild
    retain: Retain
    profile_source: ProfileSource
    importances: Importances
    multivariate: Multivariate
    quality: DataQuality
    receivers: Receivers
    routings: Routings
    silences: Silences
    notify: Notify
    deliver: Deliver
    outgoing: Outgoing
    operations: Operations
    backtest: Backtest
    people: People
    read: Read
    audit: Audit
    aliases: Aliases
    asking: Asking
    webhook: MlflowWebhook
    worker: Worker
    watcher: Watcher
    publisher: Watcher
    follower: Watcher | None
    self_watcher: Watcher
    telemetry: Telemetry
    prometheus_rules: PrometheusRules


@contextmanager
def opened(settings: Settings, clock: Clock = wall_clock) -> Iterator[App]:
    """The application on the settings' data, to itself until the block ends.

    Raises: DataInUseError when another server has the data, StartupError when it cannot be written.
    """
    _register_metrics()
    with _locked(settings.data):
        records = Records(settings.data / "records.db")
        place = folder_at(settings.lake or str(settings.data / "lake"), settings.lake_options)
        lake = Lake(place)
        with records.write() as connection:
            # Whoever rebuilt before is no more.
            models.rebuild_ended(connection)
            _check_formats(settings.data, models.names_of_other_formats(connection))
            if "log" not in {receiver.name for receiver in outbox.all_receivers(connection)}:
                outbox.set_receiver(connection, Receiver("log", "log", {}))
        due = Due(settings.seal_rows, settings.seal_age)
        fold = Fold(records, lake, clock, due)
        trouble = Trouble()
        notify = Notify(records, clock, settings.url, trouble)
        evaluate = Evaluate(records, Alerting(notify), clock, revise_after=settings.revise_after)
        outside = Outside(
            settings.allow_networks,
            secrets=secret,
            folders=settings.secrets,
            mail=settings.mail,
        )
        read = Read(records, lake)
        deliver = Deliver(records, clock, outside, picture=Picture(read).of)
        rebuild = Rebuild(records, lake, clock)
        retain = Retain(records, lake, clock)
        hash_key = settings.hash_key or _hash_key(settings.data / "hash.key")
        every_s = settings.registry_every / SECOND
        uri = settings.tracking_uri if settings.publish else None
        publish = Publish(records, Results(uri))
        aliases = Aliases(records, Registry(settings.tracking_uri), clock)
        disks = (settings.data, Path(place.path)) if place.local else (settings.data,)
        room = Room(records, disks, trouble, most_bytes=settings.inbox_bytes)
        ingest = Ingest(records, clock, room, hash_key)
        watch_self = WatchSelf(
            records,
            clock,
            outside,
            base_url=settings.url,
            heartbeat_url=settings.heartbeat_url,
            behind=evaluate.behind,
            failing=trouble.failing,
        )
        forgetting = (ingest.forget, fold.forget, evaluate.forget, retain.forget)
        delete = Delete(records, lake, clock, forgetting)
        register = Register(records, lake, clock, hash_key)
        configure = Configure(records, register, delete, lake, clock, settings.tracking_uri)
        worker = Worker(rebuild, fold, evaluate, retain, delete, notify, deliver, trouble)
        yield App(
            settings=settings,
            records=records,
            register=register,
            configure=configure,
            drafts=Drafts(records, register),
            ingest=ingest,
            room=room,
            quarantine=Quarantine(records, lake, clock, hash_key),
            erase=Erase(records, clock, hash_key),
            delete=delete,
            fold=fold,
            evaluate=evaluate,
            rebuild=rebuild,
            retain=retain,
            profile_source=ProfileSource(records, lake, clock),
            importances=Importances(records, lake, clock),
            multivariate=Multivariate(records, lake),
            quality=DataQuality(records, clock),
            receivers=Receivers(records, outside, clock, settings.url),
            routings=Routings(records, clock),
            silences=Silences(records, clock),
            notify=notify,
            deliver=deliver,
            outgoing=Outgoing(records, clock),
            operations=Operations(records, clock),
            read=read,
            backtest=Backtest(records),
            people=People(records, clock),
            audit=Audit(records),
            aliases=aliases,
            asking=Asking(),
            webhook=MlflowWebhook(records, clock, settings.webhook_secret),
            watcher=Watcher("registry", aliases.look_at_all, every_s=every_s),
            publisher=Watcher("results", publish.publish, every_s=every_s),
            follower=_follower(configure, settings),
            self_watcher=Watcher(
                "itself", lambda: watch_self.look(alive=worker.is_alive()), every_s=_LOOK_EVERY_S
            ),
            prometheus_rules=PrometheusRules(records),
            telemetry=Telemetry(records, watch_self, deliver),
            worker=worker,
        )
        records.close()


def _follower(configure: Configure, settings: Settings) -> Watcher | None:
    """What looks whether the files of monitors changed, where there are any."""
    if not settings.config:
        return None
    files = FollowFiles(configure, settings.config)
    every_s = _LOOK_AT_FILES_S
    return Watcher("configuration", files.look, every_s=every_s, longest_s=every_s)


def _hash_key(path: Path) -> bytes:
    """The key of the hashes of personal data, made on first use; without it they stay hashes.

    Raises: StartupError for a key that is not whole: others could guess what its hashes hide.
    """
    if not path.exists():
        unfinished = path.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        made = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise StartupError(
            f"{path} has {len(key)} bytes, fewer than the {_KEY_BYTES} of a key; put back the one "
            "that was, or remove it if no monitor hashes anything"
        )
    return key


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
