"""The migrations and the tables say the same; transactions are whole."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from tocsin.records import Records, alerts
from tocsin.records.database import _MIGRATIONS
from tocsin.records.given_ids import next_id
from tocsin.records.tables import incidents, metadata, news, notices, receivers
from tocsin.records.tables import outbox as outbox_table
from tocsin.rules import Phase, State


@contextmanager
def migrated(path: Path, revision: str) -> Iterator[Connection]:
    """A database as it was at a revision, to be filled."""
    engine = sa.create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)
        yield connection
    engine.dispose()


def test_the_migrations_make_exactly_the_declared_tables(tmp_path: Path) -> None:
    records = Records(tmp_path / "records.db")
    with records.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    records.close()


def test_opening_twice_migrates_once(tmp_path: Path) -> None:
    Records(tmp_path / "records.db").close()
    Records(tmp_path / "records.db").close()


def test_a_write_that_raises_leaves_nothing_behind(tmp_path: Path) -> None:
    records = Records(tmp_path / "records.db")

    def fail_half_way() -> None:
        with records.write() as connection:
            connection.execute(receivers.insert().values(name="a", kind="log", options={}))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    with records.read() as connection:
        assert connection.execute(receivers.select()).all() == []
    records.close()


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    records = Records(tmp_path / "records.db")
    with records.read() as connection:
        full, wal = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "journal_mode")
        )
    assert (full, wal) == (2, "wal")
    records.close()


def test_ids_that_were_given_before_they_were_remembered_are_not_given_again(
    tmp_path: Path,
) -> None:
    with migrated(tmp_path / "records.db", "0009") as connection:
        # As the table was then; all columns that may not be null.
        then = sa.Table("outbox", sa.MetaData(), autoload_with=connection)
        filled = {
            c.name: 0 if c.name == "payload" else c.type.python_type()
            for c in then.c
            if not c.nullable
        }
        for number in (1, 2, 3):
            connection.execute(then.insert().values(filled | {"id": number}))
    records = Records(tmp_path / "records.db")
    with records.write() as connection:
        assert next_id(connection, outbox_table) == 4
        assert next_id(connection, incidents) == 1
        assert next_id(connection, incidents) == 2
    records.close()


def test_alerts_that_were_firing_before_histories_go_on(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with migrated(path, "0015") as connection:
        for instance, phase, since, streak, last in (
            ("a", "firing", 70, 0, 90),
            ("b", "pending", 90, 1, 90),
            ("c", "inactive", None, 0, None),
        ):
            connection.execute(
                sa.text(
                    "INSERT INTO alert_states (model_id, rule, instance, phase, since, streak, "
                    "last_window) VALUES (1, 'Low', :instance, :phase, :since, :streak, :last)"
                ),
                {
                    "instance": instance,
                    "phase": phase,
                    "since": since,
                    "streak": streak,
                    "last": last,
                },
            )
    records = Records(path)
    with records.read() as connection:
        found = {instance: h for (_, instance), h in alerts.tracked(connection, 1).items()}
    assert found["a"].base == State(Phase.FIRING, since=70, fired=70)
    assert found["b"].base == State(Phase.PENDING, since=90, streak=1)
    assert found["c"].base == State()
    assert (found["a"].first, found["a"].letters) == (90, "")
    records.close()


def test_what_was_told_before_there_were_groups_is_remembered_as_told(tmp_path: Path) -> None:
    with migrated(tmp_path / "records.db", "0017") as connection:
        then = sa.MetaData()
        then.reflect(connection)

        def add(to: str, **values: object) -> None:
            table = then.tables[to]
            usual = {"JSON": {}, "BLOB": b"", "BOOLEAN": False}
            filled = {
                c.name: usual.get(str(c.type), "" if c.type.python_type is str else 0)
                for c in table.c
                if not c.nullable
            }
            connection.execute(table.insert().values(filled | values))

        add("models", id=1, name="late")
        add("incidents", id=1, model_id=1)
        for number, resolved in (("a", None), ("b", 7)):
            add("episodes", id=number * 36, model_id=1, incident_id=1, resolved=resolved, fired=5)
        for i, (number, receiver) in enumerate((("a", "log"), ("a", "mail"), ("b", "log")), 1):
            fired = {"message_id": f"{number * 36}.fired", "created_at": 6}
            add("outbox", id=i, receiver=receiver, **fired)
    records = Records(tmp_path / "records.db")
    with records.write() as connection:
        told = connection.execute(sa.select(notices)).all()
        assert {(row.episode_id[0], row.receiver, row.told, row.told_at) for row in told} == {
            ("a", "log", True, 6),
            ("a", "mail", True, 6),
        }
        assert next_id(connection, news) == 2
    records.close()


def test_the_causes_that_an_incident_had_are_those_of_its_newest_alert_by_then(
    tmp_path: Path,
) -> None:
    path = tmp_path / "records.db"
    with migrated(path, "0020") as connection:
        connection.execute(
            sa.text(
                "INSERT INTO incidents (id, model_id, severity, title, opened, opened_at, "
                "window_size, window_end, causes) VALUES (7, 1, 'warning', 'Low', 10, 10, 5, 30, "
                """'[{"kind": "nulls", "score": 0.7}]')"""
            )
        )
        for name, fired in (("a", 10), ("b", 20), ("c", 40)):
            connection.execute(
                sa.text(
                    "INSERT INTO episodes (id, model_id, incident_id, rule, instance, severity, "
                    "category, started, fired, text) VALUES (:name, 1, 7, 'Drift', :name, "
                    "'warning', '', :fired, :fired, '')"
                ),
                {"name": name, "fired": fired},
            )
    records = Records(path)
    with records.read() as connection:
        found = {e.instance: e for e in alerts.episodes_of(connection, 7)}
        stored = connection.execute(sa.text("SELECT causes FROM incidents")).scalar_one()
    cause = {"kind": "nulls", "score": 0.7, "window_size": 5, "window_end": 30}
    assert {name: e.causes for name, e in found.items()} == {"a": [], "b": [cause], "c": []}
    assert {e.title for e in found.values()} == {"Low"}
    assert json.loads(stored) == [cause | {"alert": "Drift", "instance": "b"}]
    records.close()
