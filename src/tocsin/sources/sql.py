"""A table or view of a database, by a column that grows."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from tocsin.errors import InvalidInputError, StartupError
from tocsin.sources.arrow import rows_of
from tocsin.sources.base import Batch, Options, Say, Wait, digest, parsed, written
from tocsin.sources.cursors import behind, from_json, to_json

_AGAIN_S = 5.0


class SqlSource:
    """Rows in the order of (cursor, key); a position is the last row's.

    The key tells rows of one cursor value apart: the primary key, unless another is named.
    """

    def __init__(self, url: str, name: str, options: Options, *, say: Say, wait: Wait) -> None:
        if options.table is None or options.cursor is None:
            raise InvalidInputError(
                "a database needs --table NAME and --cursor COLUMN: a column that grows, such as "
                "updated_at or id"
            )
        self.name = name
        self._options = options
        self._say = say
        self._wait = wait
        self._engine = _engine(url)
        self._table: sa.Table | None = None
        self._looked_for_nulls = False

    def batches(self, position: str) -> Iterator[Batch]:
        """The rows behind a position. Raises: InvalidInputError."""
        place = self._at(position) if position else None
        done = 0
        while True:
            try:
                for batch in self._batches(place, done):
                    place, done = self._at(batch.position), batch.done
                    yield batch
                return
            except sa.exc.DBAPIError as error:
                reason = " ".join(str(error.orig).split())
                if not (self._options.follow and isinstance(error, sa.exc.OperationalError)):
                    raise InvalidInputError(f"{self.name} cannot be read: {reason}") from error
                self._say(f"{self.name} cannot be read ({reason}); waiting for it, Ctrl-C ends")
                if not self._wait(_AGAIN_S):
                    return

    def stored(self, position: str) -> None:
        """The database need not know."""

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _batches(self, place: Sequence[Any] | None, done: int) -> Iterator[Batch]:
        table = self._reflected()
        order = self._order(table)
        self._say_nulls(table, order)
        total = None if self._options.follow else done + self._count(table, order, place)
        # A reader would hold up the writers of SQLite while rows are posted: it reads by pages.
        page = self._options.batch_rows if self._engine.dialect.name == "sqlite" else None
        while True:
            found = 0
            for rows in self._read(table, order, place, page):
                found += len(rows)
                done += len(rows)
                batch = self._batch(table, rows, order, done, total)
                place = self._at(batch.position)
                yield batch
            if page is None or found < page:
                return

    def _read(
        self,
        table: sa.Table,
        order: Sequence[sa.Column[Any]],
        place: Sequence[Any] | None,
        page: int | None,
    ) -> Iterator[Sequence[sa.Row[Any]]]:
        """Rows by batches as the database sends them; a page is read before any is given."""
        rows = self._options.batch_rows
        with self._engine.connect() as connection:
            query = self._query(connection, table, order, place).limit(page)
            if page is None:
                connection.execution_options(stream_results=True, max_row_buffer=rows)
                with closing(connection.execute(query)) as result:
                    yield from result.partitions(rows)
                return
            found = connection.execute(query).all()
        if found:
            yield found

    def _count(
        self,
        table: sa.Table,
        order: Sequence[sa.Column[Any]],
        place: Sequence[Any] | None,
    ) -> int:
        with self._engine.connect() as connection:
            query = self._query(connection, table, order, place).order_by(None)
            counted = sa.select(sa.func.count()).select_from(query.subquery())
            return int(connection.execute(counted).scalar() or 0)

    def _say_nulls(self, table: sa.Table, order: Sequence[sa.Column[Any]]) -> None:
        """Tell once how many rows have no place in the order, and so are not read."""
        if self._looked_for_nulls:
            return
        for column in order:
            if not column.nullable:
                continue
            with self._engine.connect() as connection:
                counted = sa.select(sa.func.count()).select_from(table).where(column.is_(None))
                rows = int(connection.execute(counted).scalar() or 0)
            if rows:
                what = "--cursor" if column is order[0] else "--key"
                self._say(f"{rows:,} rows are not read, as their {what} {column.name!r} is null")
        self._looked_for_nulls = True

    def _query(
        self,
        connection: sa.Connection,
        table: sa.Table,
        order: Sequence[sa.Column[Any]],
        place: Sequence[Any] | None,
    ) -> sa.Select[Any]:
        placed = (column.is_not(None) for column in order if column is order[0] or column.nullable)
        query = sa.select(table).where(*placed).order_by(*order)
        if place is not None:
            if len(place) != len(order):
                raise InvalidInputError(
                    f"source {self.name!r} was read by other columns than "
                    f"{', '.join(c.name for c in order)}; name the same, or give it another --name"
                )
            query = query.where(behind(order, place))
        if self._options.lag_s:
            query = query.where(order[0] <= self._until(connection, order[0]))
        return query

    def _until(self, connection: sa.Connection, cursor: sa.Column[Any]) -> Any:
        """The newest cursor to be read: rows that are younger may still get company."""
        moment = datetime.now(UTC) - timedelta(seconds=self._options.lag_s)
        local = moment.astimezone(self._options.zone or UTC)
        if isinstance(cursor.type, sa.DateTime):
            return moment if cursor.type.timezone else local.replace(tzinfo=None)
        newest = connection.execute(sa.select(sa.func.max(cursor))).scalar()
        if newest is None:
            return ""
        try:
            zoned = datetime.fromisoformat(newest).tzinfo is not None
        except (TypeError, ValueError):
            raise InvalidInputError(
                f"--lag is a time, but --cursor {cursor.name} holds {newest!r}"
            ) from None
        text = (moment if zoned else local).strftime("%Y-%m-%dT%H:%M:%S")
        return text if "T" in newest else text.replace("T", " ")

    def _batch(
        self,
        table: sa.Table,
        rows: Sequence[sa.Row[Any]],
        order: Sequence[sa.Column[Any]],
        done: int,
        total: int | None,
    ) -> Batch:
        names = [column.name for column in table.columns]
        keys = [names.index(column.name) for column in order[1:] or order]
        ids = [digest(self.name, *(str(row[i]) for i in keys)) for row in rows]
        content = rows_of(names, [list(values) for values in zip(*rows, strict=True)])
        at = [to_json(rows[-1][names.index(c.name)], c.name) for c in order]
        place = tuple(column.name for column in order)
        return Batch(content, ids, written({"at": at}), done, total, place=place)

    def _at(self, position: str) -> list[Any]:
        return [from_json(value) for value in parsed(position, self.name, "at")["at"]]

    def _reflected(self) -> sa.Table:
        if self._table is None:
            assert self._options.table is not None
            schema, _, name = self._options.table.rpartition(".")
            try:
                self._table = sa.Table(
                    name,
                    sa.MetaData(),
                    schema=schema or None,
                    autoload_with=self._engine,
                    listeners=[("column_reflect", _as_stored)],
                    resolve_fks=False,
                )
            except sa.exc.NoSuchTableError as error:
                inspector = sa.inspect(self._engine)
                known = sorted({*inspector.get_table_names(), *inspector.get_view_names()})
                raise InvalidInputError(
                    f"there is no table or view {self._options.table!r}; there are "
                    f"{', '.join(known) or 'none'}"
                ) from error
        return self._table

    def _order(self, table: sa.Table) -> list[sa.Column[Any]]:
        """The cursor, and what tells rows of one cursor value apart."""
        assert self._options.cursor is not None
        key = self._options.key
        names = key.split(",") if key else [column.name for column in table.primary_key]
        if not names:
            raise InvalidInputError(
                f"{table.name!r} has no primary key; name the column that tells rows with the "
                f"same {self._options.cursor} apart with --key"
            )
        names = [self._options.cursor, *(n for n in names if n != self._options.cursor)]
        missing = next((name for name in names if name not in table.columns), None)
        if missing is not None:
            raise InvalidInputError(
                f"{table.name!r} has no column {missing!r}; it has "
                f"{', '.join(column.name for column in table.columns)}"
            )
        return [table.columns[name] for name in names]


def _engine(url: str) -> sa.Engine:
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    except ModuleNotFoundError as error:
        raise StartupError(
            f"this database needs {error.name}; install it with pip install {error.name}"
        ) from error
    except (sa.exc.ArgumentError, ValueError) as error:
        raise InvalidInputError(
            "the address of the database cannot be read; write it like "
            "postgresql+psycopg://user:password@host:5432/name or sqlite:///file.db"
        ) from error
    file = engine.url.database
    if engine.dialect.name == "sqlite" and (not file or not os.path.exists(file)):
        raise InvalidInputError(f"there is no SQLite file {file!r}")
    return engine


def _as_stored(inspector: sa.Inspector, _: object, column: dict[str, Any]) -> None:
    """SQLite has no times: text is compared as it is written, and read so."""
    moment = isinstance(column["type"], sa.DateTime | sa.Date | sa.Time)
    if moment and inspector.dialect.name == "sqlite":
        column["type"] = sa.String()
