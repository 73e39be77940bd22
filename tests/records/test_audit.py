"""The chain of records: whatever is changed in it is found, and where."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from tocsin.records import Records, audit
from tocsin.records.audit import Anchor, Deed, Verified
from tocsin.records.tables import audit as table

LENGTH = 6


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a chain of records, whose triggers somebody removed."""
    path = tmp_path_factory.mktemp("audit") / "records.db"
    records = Records(path)
    with records.write() as connection:
        for i in range(LENGTH):
            deed = Deed(
                actor=f"actor {i}",
                auth="none",
                event="alias.set",
                object="models:/late@champion",
                before={"version": str(i)},
                after={"version": str(i + 1), "zoë": [None, True]},
                reason="better",
                evidence={"incident": i},
                config_hash="c" * 64,
            )
            audit.append(connection, deed, now=1_700_000_000_000_000 + i)
    records.close()
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TRIGGER audit_no_update")
        raw.execute("DROP TRIGGER audit_no_delete")
    return path


@pytest.fixture(scope="module")
def records(chain: Path) -> Iterator[Records]:
    opened = Records(chain)
    yield opened
    opened.close()


def found_after(records: Records, *statements: str, anchors: tuple[Anchor, ...] = ()) -> Verified:
    """What verifying tells after some statements, which are undone."""
    with records._engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        found = audit.verified(connection, anchors)
        connection.rollback()
    return found


def anchor(records: Records, seq: int) -> Anchor:
    with records.read() as connection:
        return Anchor(seq, audit.listed(connection, after=seq - 1, limit=1)[0].hash)


def test_a_chain_that_nobody_touched_verifies(records: Records) -> None:
    found = found_after(records, anchors=(anchor(records, 2), anchor(records, LENGTH)))
    assert (found.records, found.fault) == (LENGTH, None)
    assert found.head == anchor(records, LENGTH)


VALUES: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**53 - 1),
    str: st.text(st.characters(min_codepoint=32, max_codepoint=382), max_size=70),
}


@given(seq=st.integers(1, LENGTH), data=st.data())
def test_any_change_of_any_field_of_any_row_is_found_there(
    records: Records, seq: int, data: st.DataObject
) -> None:
    column = data.draw(st.sampled_from([c for c in table.c if c.name != "seq"]))
    with records.read() as connection:
        stored = connection.execute(table.select().where(table.c.seq == seq)).one()
    before = stored._mapping[column.name]
    value = data.draw(VALUES[column.type.python_type].filter(lambda v: v != before))
    with records._engine.connect() as connection:
        connection.execute(table.update().where(table.c.seq == seq).values({column.name: value}))
        found = audit.verified(connection)
        connection.rollback()
    assert found.fault is not None
    assert found.fault.seq == seq


@pytest.mark.parametrize("seq", range(1, LENGTH))
def test_a_removed_row_is_found(records: Records, seq: int) -> None:
    found = found_after(records, f"DELETE FROM audit WHERE seq = {seq}")
    assert found.fault is not None
    assert (found.fault.seq, "missing" in found.fault.reason) == (seq, True)


def test_a_removed_row_is_found_when_the_rest_is_renumbered(records: Records) -> None:
    found = found_after(
        records,
        "DELETE FROM audit WHERE seq = 3",
        *(f"UPDATE audit SET seq = {i - 1} WHERE seq = {i}" for i in range(4, LENGTH + 1)),
    )
    assert found.fault is not None
    assert found.fault.seq == 3


@pytest.mark.parametrize("first", range(1, LENGTH))
def test_swapped_rows_are_found(records: Records, first: int) -> None:
    found = found_after(
        records,
        f"UPDATE audit SET seq = 99 WHERE seq = {first}",
        f"UPDATE audit SET seq = {first} WHERE seq = {first + 1}",
        f"UPDATE audit SET seq = {first + 1} WHERE seq = 99",
    )
    assert found.fault is not None
    assert found.fault.seq == first


def test_a_cut_off_end_is_found_by_an_anchor_only(records: Records) -> None:
    cut = f"DELETE FROM audit WHERE seq > {LENGTH - 2}"
    assert found_after(records, cut).fault is None
    found = found_after(records, cut, anchors=(anchor(records, LENGTH),))
    assert found.fault is not None
    assert found.fault.seq == LENGTH - 1
    assert "gone" in found.fault.reason


def test_a_chain_that_was_written_anew_is_found_by_an_anchor_only(records: Records) -> None:
    noted = anchor(records, 4)
    with records._engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE seq >= 3")
        for _ in range(3, LENGTH + 1):
            audit.append(connection, Deed("mallory", "none", "x", "y"), now=1)
        assert audit.verified(connection).fault is None
        found = audit.verified(connection, [noted])
        connection.rollback()
    assert found.fault is not None
    assert (found.fault.seq, "another" in found.fault.reason) == (4, True)


def test_a_record_that_was_sealed_anew_is_given_away_by_the_next(records: Records) -> None:
    with records._engine.connect() as connection:
        (third,) = audit.listed(connection, after=2, limit=1)
        forged = {**third.to_dict(), "actor": "mallory"}
        change = {"actor": "mallory", "hash": audit.seal(forged)}
        connection.execute(table.update().where(table.c.seq == 3).values(change))
        found = audit.verified(connection)
        connection.rollback()
    assert found.fault is not None
    assert (found.fault.seq, found.fault.reason) == (4, "it does not follow the record before it")


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'me'", "DELETE FROM audit"])
def test_the_database_itself_refuses_changes(tmp_path: Path, statement: str) -> None:
    records = Records(tmp_path / "records.db")
    with records.write() as connection:
        audit.append(connection, Deed("anna", "none", "x", "y"), now=1)
    with pytest.raises(IntegrityError, match="only ever added to"), records.write() as connection:
        connection.exec_driver_sql(statement)
    records.close()


def test_a_deed_of_a_transaction_that_fails_leaves_no_gap(tmp_path: Path) -> None:
    records = Records(tmp_path / "records.db")

    def fail_half_way() -> None:
        with records.write() as connection:
            audit.append(connection, Deed("anna", "none", "x", "y"), now=1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    with records.write() as connection:
        assert audit.append(connection, Deed("anna", "none", "x", "y"), now=2) == 1
    records.close()


def test_records_are_found_by_object_actor_and_kind_of_event(records: Records) -> None:
    with records.read() as connection:

        def numbers(**wanted: Any) -> list[int]:
            return [r.seq for r in audit.listed(connection, **wanted, limit=3)]

        assert numbers() == [6, 5, 4]
        assert numbers(after=0) == [1, 2, 3]
        assert numbers(before=3) == [2, 1]
        assert numbers(actor="actor 1") == [2]
        assert numbers(event="alias") == [6, 5, 4]
        assert numbers(event="ali") == []
        assert numbers(object_like="late@") == [6, 5, 4]
        assert numbers(object_like="%") == []
