"""Which source an argument names."""

import os
import re
from pathlib import Path

from tocsin.errors import InvalidInputError, StartupError
from tocsin.sources.base import Options, Say, Source, Wait
from tocsin.sources.files import FileSource

_SCHEME = re.compile(r"([a-z][a-z0-9+.]*)://", re.IGNORECASE)
_STORES = ("s3", "s3a", "gs", "az", "abfs", "abfss", "file")
_TRACES = "mlflow-traces:"


def shown(what: str) -> str:
    """An address without its user and password, and without parameters.

    >>> shown("postgresql+psycopg://me:secret@db:5432/shop?sslmode=require")
    'postgresql+psycopg://db:5432/shop'
    >>> shown("postgresql://me:p@ss/word@db/x")
    'postgresql://db/x'
    """
    scheme = _SCHEME.match(what)
    if scheme is None:
        return str(Path(what).resolve())
    rest = what[scheme.end() :].split("?", 1)[0]
    # A password may hold anything; rather too much is hidden than a part of it shown.
    return scheme[0] + (rest if rest.startswith("/") else rest.rpartition("@")[2])


def opened(what: str, name: str | None, options: Options, *, say: Say, wait: Wait) -> Source:
    """The source of a file, folder, Delta table, database, topic, or of traces.

    Raises: InvalidInputError when it is none of them, StartupError when a package is missing.
    """
    scheme = _SCHEME.match(what)
    kind = scheme[1].lower() if scheme else None
    traces = what.startswith(_TRACES)
    database = kind is not None and kind not in (*_STORES, "kafka")
    _check(options, database=database, topic=kind == "kafka", traces=traces)
    if traces:
        from tocsin.sources.traces import TraceSource

        return TraceSource(what, name, options, say=say)
    if kind == "kafka":
        return _kafka(what, name, options, say, wait)
    if kind in _STORES or os.path.isdir(os.path.join(what, "_delta_log")):
        from tocsin.sources.delta import DeltaSource

        return DeltaSource(what, name or shown(what), batch_rows=options.batch_rows)
    if kind is not None:
        from tocsin.sources.sql import SqlSource

        return SqlSource(
            what, name or f"{shown(what)}#{options.table}", options, say=say, wait=wait
        )
    return FileSource(
        Path(what), name or shown(what), batch_rows=options.batch_rows, say=say, wait=wait
    )


def _check(options: Options, *, database: bool, topic: bool, traces: bool) -> None:
    said = {
        "--table": options.table is not None,
        "--cursor": options.cursor is not None,
        "--key": options.key is not None,
    }
    odd = next((option for option, is_given in said.items() if is_given), None)
    if odd is not None and not database:
        raise InvalidInputError(f"{odd} is for databases, such as postgresql+psycopg://host/name")
    if options.lag_s > 0 and not (database or traces):
        raise InvalidInputError("--lag is for databases and traces")
    if options.outcome is not None and not (traces and options.outcomes):
        raise InvalidInputError("--outcome is for the --outcomes of mlflow-traces:EXPERIMENT")
    if options.topic is not None and not topic:
        raise InvalidInputError("--topic is for Kafka, such as kafka://host:9092")


def _kafka(what: str, name: str | None, options: Options, say: Say, wait: Wait) -> Source:
    try:
        from tocsin.sources.kafka import KafkaSource
    except ModuleNotFoundError as error:
        raise StartupError(
            f"Kafka needs {error.name}; install it with pip install 'tocsin[kafka]'"
        ) from error
    place = shown(what).rstrip("/")
    if options.topic is not None:
        place = f"{place}/{options.topic}"
    return KafkaSource(what, name or place, options, say=say, wait=wait)
