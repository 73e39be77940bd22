"""Opening the records database, and its two kinds of transaction."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import sqlalchemy as sa
from alembic.config import Config
from sqlalchemy.engine import Connection

from tocsin.errors import UnavailableError

_MIGRATIONS = Path(__file__).parent / "migrations"
# Only another program can hold the lock so long: a backup, or somebody who looks into the file.
_BUSY_TIMEOUT_MS = 5_000


class Records:
    """The records database; its schema is brought up to date when it is opened."""

    def __init__(self, path: Path) -> None:
        # Errors are logged and shown: without the values of rows.
        self._engine = sa.create_engine(f"sqlite:///{path}", hide_parameters=True)
        sa.event.listen(self._engine, "connect", _set_pragmas)
        sa.event.listen(self._engine, "begin", _begin)
        # SQLite has one writer: waiting for it here is fair, waiting inside SQLite is not.
        self._writer = threading.Lock()
        self._migrate()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing.

        Raises: UnavailableError when the disk or another program keeps it from that.
        """
        with _told(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and undone when it raises.

        Raises: UnavailableError when the disk or another program keeps it from that.
        """
        with (
            _told(),
            self._writer,
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def forget(self) -> None:
        """Leave nothing of what was deleted, in the write-ahead log either.

        Raises: UnavailableError when somebody still reads what was before.
        """
        with _told(), self._writer:
            connection = self._engine.raw_connection()
            try:
                cursor = connection.cursor()
                busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                cursor.close()
            finally:
                connection.close()
        if busy:
            raise UnavailableError(
                "the write-ahead log of the records database cannot be emptied while somebody "
                "reads it; end long reads of records.db"
            )

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self.write() as connection:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the database as ours: a full disk, a lock that another program holds."""
    try:
        yield
    except sa.exc.OperationalError as error:
        raise UnavailableError(f"the records database cannot be used: {error.orig}") from error


def _set_pragmas(connection: Any, _record: object) -> None:
    # Transactions begin where `_begin` says so, not where the driver guesses.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten: rows that wait here may have to be erased.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
