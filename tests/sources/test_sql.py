"""Databases: rows that share a time, come late, or are of several kinds; and what is refused."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from tests.sources.postgres import PASSWORD
from tests.sources.worlds import Database, numbers, row, source, sqlite

from tocsin.errors import InvalidInputError, StartupError
from tocsin.sources import Batch, Options, opened


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite(tmp_path)
    return str(request.getfixturevalue("postgres_url"))


def read(url: str, position: str = "", **options: Any) -> list[Batch]:
    with closing(source(url, **options)) as opened:
        return list(opened.batches(position))


def rows(batches: list[Batch]) -> list[int]:
    return [n for batch in batches for n in numbers(batch)]


def run(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_an_updated_row_comes_again_with_the_same_id(url: str) -> None:
    world = Database(url, "at")
    world.add(0, 20)
    first = read(url, table=world.name, cursor="at")
    later = datetime.fromisoformat(row(400)["at"])
    with world.engine.begin() as connection:
        connection.execute(world.table.update().where(world.table.c.n == 3).values(at=later))
    (again,) = read(url, first[-1].position, table=world.name, cursor="at")
    assert numbers(again) == [3]
    ids = {n: i for batch in first for n, i in zip(numbers(batch), batch.ids, strict=True)}
    assert list(again.ids) == [ids[3]]


def test_a_view_needs_a_key_and_is_read_by_it(url: str) -> None:
    world = Database(url, "at")
    world.add(0, 20)
    view = f"{world.name}_view"
    run(url, f"CREATE VIEW {view} AS SELECT * FROM {world.name} WHERE n < 10")
    with pytest.raises(InvalidInputError, match=r"has no primary key; name the column .* --key"):
        read(url, table=view, cursor="at")
    assert rows(read(url, table=view, cursor="at", key="n")) == list(range(10))


def test_rows_of_a_time_that_is_not_over_wait_for_the_lag(url: str) -> None:
    world = Database(url, "at")
    now = datetime.now(UTC)
    ages = {1: 3600, 2: 90, 3: 5, 4: -30}
    with world.engine.begin() as connection:
        for n, age in ages.items():
            moment = now - timedelta(seconds=age)
            connection.execute(world.table.insert().values(id=n, n=n, at=moment, word="w"))
    seen = read(url, table=world.name, cursor="at", lag_s=60.0)
    assert rows(seen) == [1, 2]
    assert rows(read(url, seen[-1].position, table=world.name, cursor="at")) == [3, 4]


def test_rows_without_a_cursor_are_never_read(url: str) -> None:
    world = Database(url, "at")
    world.add(0, 2)
    with world.engine.begin() as connection:
        connection.execute(world.table.insert().values(id=9, n=9, at=None, word="w"))
    assert rows(read(url, table=world.name, cursor="at")) == [0, 1]


def test_the_types_of_postgres_become_arrow(postgres_url: str) -> None:
    run(
        postgres_url,
        "CREATE TABLE typed (id uuid PRIMARY KEY, at timestamptz, price numeric, ok boolean, "
        "inputs jsonb, n int, raw bytea)",
        "INSERT INTO typed VALUES ('00000000-0000-0000-0000-000000000001', "
        "'2024-03-01 12:00:00.123456+02', 12.5, true, '{\"a\": 1}', 1, 'x'), "
        "('00000000-0000-0000-0000-000000000002', '2024-03-01 12:00:00.123456+02', null, null, "
        "null, 2, null)",
    )
    (batch,) = read(postgres_url, table="typed", cursor="at")
    assert isinstance(batch.rows, pa.Table)
    first, second = batch.rows.to_pylist()
    assert first["id"] == "00000000-0000-0000-0000-000000000001"
    assert first["at"] == datetime(2024, 3, 1, 10, 0, 0, 123456, UTC)
    assert (first["price"], first["ok"], first["inputs"], first["raw"]) == (
        12.5,
        True,
        {"a": 1},
        None,
    )
    assert second["price"] is None
    assert read(postgres_url, batch.position, table="typed", cursor="at") == []


@pytest.mark.parametrize("cursor", ["id", "price", "day"])
def test_any_column_with_an_order_is_a_cursor(postgres_url: str, cursor: str) -> None:
    table = f"by_{cursor}"
    run(
        postgres_url,
        f"CREATE TABLE {table} (id uuid PRIMARY KEY, price numeric, day date, n int)",
        *(
            f"INSERT INTO {table} VALUES ('00000000-0000-0000-0000-{n:012}', {n // 3}.1, "
            f"date '2024-03-01' + {n // 5}, {n})"
            for n in range(30)
        ),
    )
    whole = read(postgres_url, table=table, cursor=cursor)
    for k, batch in enumerate(whole):
        rest = read(postgres_url, batch.position, table=table, cursor=cursor)
        assert rows(rest) == rows(whole[k + 1 :])
    assert rows(whole) == list(range(30))


def test_a_table_of_another_schema_is_found(postgres_url: str) -> None:
    run(
        postgres_url,
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.scored (n int PRIMARY KEY)",
        "INSERT INTO shop.scored VALUES (1), (2)",
    )
    assert rows(read(postgres_url, table="shop.scored", cursor="n")) == [1, 2]


def test_values_of_several_kinds_in_one_column_come_as_they_are(tmp_path: Path) -> None:
    url = sqlite(tmp_path)
    run(
        url,
        "CREATE TABLE odd (n INTEGER PRIMARY KEY, x)",
        "INSERT INTO odd VALUES (1, 1.5), (2, 'a lot'), (3, NULL), (4, x'00')",
    )
    (batch,) = read(url, table="odd", cursor="n")
    assert [one["x"] for one in batch.rows] == [1.5, "a lot", None, None]


def test_writers_of_sqlite_are_not_held_up_between_batches(tmp_path: Path) -> None:
    url = sqlite(tmp_path)
    world = Database(url, "id")
    world.add(0, 20)
    with closing(world.source()) as opened:
        batches = opened.batches("")
        next(batches)
        with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0) as writer:
            writer.execute(f"INSERT INTO {world.name} (id, n) VALUES (100, 100)")
        writer.close()
        assert rows(list(batches))[-1] == 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": "nowhere", "cursor": "id"}, "there is no table or view 'nowhere'; there are "),
        ({"cursor": "id"}, "needs --table NAME and --cursor COLUMN"),
        ({"table": "TABLE"}, "needs --table NAME and --cursor COLUMN"),
        ({"table": "TABLE", "cursor": "when"}, "no column 'when'; it has id, n, at, word"),
        ({"table": "TABLE", "cursor": "id", "key": "n,who"}, "no column 'who'"),
        ({"table": "TABLE", "cursor": "id", "lag_s": 3.0}, "--lag is a time, but --cursor id"),
    ],
)
def test_what_the_table_lacks_is_said(url: str, options: dict[str, Any], message: str) -> None:
    world = Database(url, "id")
    world.add(0, 1)
    options = {k: world.name if v == "TABLE" else v for k, v in options.items()}
    with pytest.raises(InvalidInputError, match=message):
        read(url, **options)


def test_a_position_by_other_columns_is_refused(url: str) -> None:
    world = Database(url, "id")
    world.add(0, 3)
    position = read(url, table=world.name, cursor="id")[-1].position
    with pytest.raises(InvalidInputError, match="was read by other columns than at, id"):
        read(url, position, table=world.name, cursor="at")


def test_passwords_are_in_no_name_and_no_error(postgres_url: str) -> None:
    with closing(source(postgres_url, table="t", cursor="id")) as opened:
        name = opened.name
    assert name.startswith("postgresql+psycopg://127.0.0.1:")
    assert name.endswith("/postgres#t")
    wrong = postgres_url.replace("hush%2Fhush", "wro%2Fng")
    with pytest.raises(InvalidInputError, match="password authentication failed") as refused:
        read(wrong, table="t", cursor="id")
    for secret in ("wro", PASSWORD, "hush"):
        assert secret not in f"{name} {refused.value}"


def test_a_database_that_comes_back_is_waited_for_when_following(tmp_path: Path) -> None:
    url = sqlite(tmp_path)
    world = Database(url, "id")
    world.add(0, 5)
    path = tmp_path / url.rpartition("/")[2]
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    said: list[str] = []

    def wait(_: float) -> bool:
        blocker.rollback()
        return True

    from tocsin.sources import Options, opened

    options = Options(7, world.name, "id", follow=True)
    with closing(opened(f"{url}?timeout=0", None, options, say=said.append, wait=wait)) as found:
        assert rows(list(found.batches(""))) == list(range(5))
    blocker.close()
    assert len(said) == 1
    assert "database is locked" in said[0]


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("sqlite:///nowhere.db", InvalidInputError, "there is no SQLite file 'nowhere.db'"),
        ("sqlite://", InvalidInputError, "there is no SQLite file"),
        ("nosuch://me:hush@host/x", InvalidInputError, "cannot be read; write it like"),
        ("mysql+pymysql://me:hush@host/x", StartupError, "pip install pymysql"),
        ("postgresql+psycopg://me:hush@host:port/x", InvalidInputError, "cannot be read"),
    ],
)
def test_an_address_of_no_database_is_refused(
    url: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as refused:
        source(url, table="t", cursor="id")
    assert "hush" not in str(refused.value)


def test_rows_without_a_place_in_the_order_are_left_out_and_counted(url: str) -> None:
    name = f"orders_{Path(url).name.replace('.', '_').replace('-', '_')}"
    run(
        url,
        f"CREATE TABLE {name} (n INTEGER, at INTEGER, part INTEGER)",
        f"INSERT INTO {name} VALUES (0, 1, 1), (1, 1, NULL), (2, 1, 2), (3, NULL, 1), (4, 2, 1)",
        f"INSERT INTO {name} VALUES (5, NULL, 3)",
    )
    said: list[str] = []
    options = Options(batch_rows=2, table=name, cursor="at", key="part")
    with closing(opened(url, None, options, say=said.append, wait=lambda _: True)) as found:
        first = list(found.batches(""))
        assert rows(first) == [0, 2, 4]
        assert list(found.batches(first[-1].position)) == []
    assert said == [
        "2 rows are not read, as their --cursor 'at' is null",
        "1 rows are not read, as their --key 'part' is null",
    ]
