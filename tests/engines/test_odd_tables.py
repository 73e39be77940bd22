"""Tables as people have them: read alike by every engine, or refused with a name and a remedy."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.engines.made import GRANULARITY, HORIZON, START, Made, assert_same, expected, made

from tocsin.engines import Engine, LocalEngine, Source, reference_rows
from tocsin.errors import InvalidInputError
from tocsin.profiles import EVERYTHING, Plan, plan_from_reference
from tocsin.schema import Task
from tocsin.values import DAY

ROWS = made(Task.BINARY, 60)
Change = Callable[[pa.Table], pa.Table]
UTC = pa.timestamp("us", "UTC")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return made(Task.BINARY).plan()


@pytest.fixture
def local() -> Iterator[Engine]:
    engine = LocalEngine(2)
    yield engine
    engine.close()


@pytest.fixture(params=["local", "spark"])
def either(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(request.param)
    return engine


def changed(table: pa.Table, name: str, change: Callable[[Any], Any]) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, change(table[name]))


def cast(name: str, kind: pa.DataType) -> Change:
    return lambda table: changed(table, name, lambda values: values.cast(kind, safe=False))


def constant(name: str, value: Any, kind: pa.DataType | None = None) -> Change:
    def change(table: pa.Table) -> pa.Table:
        values = pa.array([value] * table.num_rows, kind)
        if name not in table.column_names:
            return table.append_column(name, values)
        return changed(table, name, lambda _: values)

    return change


def dictionary(name: str) -> Change:
    return lambda table: changed(table, name, lambda v: v.combine_chunks().dictionary_encode())


def numbered(table: pa.Table) -> pa.Table:
    """Ids as whole numbers; null where they are none."""
    texts = table["prediction_id"].to_pylist()
    found = pa.array([int(t[3:]) if t.startswith("id-") else None for t in texts], pa.int64())
    return changed(table, "prediction_id", lambda _: found)


def bare_text(table: pa.Table) -> pa.Table:
    return changed(table, "prediction_id", lambda v: pc.replace_substring(v, "id-", ""))


def nanoseconds(table: pa.Table) -> pa.Table:
    def change(values: pa.ChunkedArray) -> pa.ChunkedArray:
        nanos = pc.add(pc.multiply(values.cast(pa.int64()), 1_000), 7)
        return nanos.cast(pa.timestamp("ns", "UTC"))

    return changed(table, "timestamp", change)


def same(table: pa.Table) -> pa.Table:
    return table


def half(change: Change) -> Callable[[pa.Table], list[pa.Table]]:
    return lambda table: [table.slice(0, 30), change(table.slice(30))]


def source(folder: Path, predictions: Any, outcomes: Any, **more: Any) -> Source:
    """The changed rows in files of their own."""
    names: list[tuple[str, ...]] = []
    for name, tables in (("p", predictions(ROWS.predictions)), ("o", outcomes(ROWS.outcomes))):
        found = []
        for i, table in enumerate(tables if isinstance(tables, list) else [tables]):
            found.append(str(folder / f"{name}{i}.parquet"))
            pq.write_table(table, found[-1])
        names.append(tuple(found))
    return Source(names[0], names[1], HORIZON, **more)


# What is read as the plain rows are.
ALIKE: dict[str, tuple[Any, Any]] = {
    "no zone": (cast("timestamp", pa.timestamp("us")), same),
    "no zone in one of two files": (half(cast("timestamp", pa.timestamp("us"))), same),
    "whole ids, and text": (numbered, bare_text),
    "text, and whole ids": (bare_text, numbered),
    "whole ids in one of two files": (lambda t: [numbered(t.slice(0, 30)), bare_text(t.slice(30))],
                                      bare_text),
    "small whole ids": (numbered, lambda t: cast("prediction_id", pa.int32())(numbered(t))),
    "large text": (half(cast("country", pa.large_string())), cast("label", pa.large_string())),
    "large text as ids": (half(cast("prediction_id", pa.large_string())), same),
    "dictionaries": (half(dictionary("country")), dictionary("label")),
    "dictionaries as ids": (half(dictionary("prediction_id")), dictionary("prediction_id")),
    "numbers of two widths": (half(cast("net worth", pa.float64())), same),
    "numbers as text": (cast("p", pa.string()), same),
    "an empty file among them": (lambda t: [t, t.slice(0, 0)], lambda t: [t.slice(0, 0), t]),
    "another order of columns": (half(lambda t: t.select(t.column_names[::-1])), same),
    "columns that nobody wants": (constant("extra", {"a": [1]}), constant("filename", "x")),
    "names that the engine uses": (
        lambda t: constant("filename", "x")(constant("number", 7)(constant("first", 1)(t))), same),
}  # fmt: skip
ONLY_LOCAL: dict[str, tuple[Any, Any]] = {"nanoseconds": (nanoseconds, nanoseconds)}


@pytest.mark.parametrize("name", [*ALIKE, *ONLY_LOCAL])
def test_such_a_table_is_read_as_the_plain_one_is(
    local: Engine, tmp_path: Path, plan: Plan, name: str
) -> None:
    where = source(tmp_path, *(ALIKE | ONLY_LOCAL)[name])
    days = local.days(where, ROWS.schema)
    assert sum(int(text.split(":")[1]) for text in days.values()) == 60
    assert_same(local.profile(where, ROWS.schema, plan, GRANULARITY, days), expected(ROWS, plan))


def everything_odd(table: pa.Table) -> list[pa.Table]:
    """Several files that differ in all that may differ."""
    later = cast("net worth", pa.float64())(cast("timestamp", pa.timestamp("us"))(table.slice(30)))
    return [numbered(table.slice(0, 30)), bare_text(later), table.slice(0, 0)]


def test_spark_reads_them_so_as_well(spark: Engine, tmp_path: Path, plan: Plan) -> None:
    where = source(tmp_path, everything_odd, bare_text)
    days = spark.days(where, ROWS.schema)
    assert sum(int(text.split(":")[1]) for text in days.values()) == 60
    assert_same(spark.profile(where, ROWS.schema, plan, GRANULARITY, days), expected(ROWS, plan))


def test_files_of_any_name_are_read(either: Engine, tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "a b 'q' \"d\" [x] 100% %20 {y,z} * ü ?"
    folder.mkdir()
    where = source(folder, half(same), same)
    assert_same(
        either.profile(where, ROWS.schema, plan, GRANULARITY, either.days(where, ROWS.schema)),
        expected(ROWS, plan),
    )


def test_rows_without_an_id_are_no_repeats_of_each_other(
    either: Engine, tmp_path: Path, plan: Plan
) -> None:
    def change(table: pa.Table) -> pa.Table:
        return changed(
            table, "prediction_id", lambda v: pa.array([None, *v.to_pylist()[1:]], v.type)
        )

    def twice(table: pa.Table) -> pa.Table:
        first = table.slice(0, 60)
        return pa.concat_tables([change(first), change(first.slice(0, 1))])

    where = source(tmp_path, twice, same)
    found = either.profile(where, ROWS.schema, plan, GRANULARITY, either.days(where, ROWS.schema))
    everything = [p for key, p in found.items() if key.segment == EVERYTHING]
    assert sum(float(p.total("n")) for p in everything) == 61


def test_a_column_that_some_files_lack_is_null_there(
    either: Engine, tmp_path: Path, plan: Plan
) -> None:
    nothing = ROWS.predictions.slice(30).drop_columns(["amount", "model_version"])
    where = source(tmp_path, half(lambda _: nothing), same)
    found = either.profile(where, ROWS.schema, plan, GRANULARITY, either.days(where, ROWS.schema))
    empty = pa.nulls(nothing.num_rows, pa.float64())
    table = pa.concat_tables(
        [
            ROWS.predictions.slice(0, 30),
            nothing.append_column("amount", empty),
        ],
        promote_options="permissive",
    )
    filled = changed(table, "model_version", lambda v: v.fill_null("unknown"))
    assert_same(found, expected(replace(ROWS, predictions=filled), plan))


def test_many_files_are_read_as_one(local: Engine, tmp_path: Path, plan: Plan) -> None:
    rows = made(Task.BINARY, 500)
    where = replace(rows.source(tmp_path), predictions=())
    names = []
    for i in range(rows.predictions.num_rows):
        names.append(str(tmp_path / f"{i:03}.parquet"))
        pq.write_table(rows.predictions.slice(i, 1), names[-1])
    where = replace(where, predictions=tuple(names))
    days = local.days(where, rows.schema)
    assert_same(local.profile(where, rows.schema, plan, GRANULARITY, days), expected(rows, plan))


def test_not_all_rows_are_in_memory_at_once(tmp_path: Path, plan: Plan) -> None:
    rows = made(Task.BINARY, 100_000)
    pq.write_table(rows.predictions, tmp_path / "p.parquet", row_group_size=2_500)
    where = Source((str(tmp_path / "p.parquet"),), (), HORIZON)
    engine, own = LocalEngine(1), pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(own)
    try:
        days = engine.days(where, rows.schema)
        engine.profile(where, rows.schema, plan, GRANULARITY, days)
    finally:
        pa.set_memory_pool(before)
        engine.close()
    assert 0 < own.max_memory() < rows.predictions.nbytes / 3


def test_row_groups_of_other_days_are_not_read(
    local: Engine, tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = source(tmp_path, lambda t: [t.slice(i, 5) for i in range(0, 60, 5)], same)
    days = sorted(local.days(where, ROWS.schema))
    read: list[int] = []
    group = pq.ParquetFile.read_row_group

    def noted(file: pq.ParquetFile, *given: Any, **more: Any) -> pa.Table:
        read.append(1)
        return group(file, *given, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
    found = local.profile(where, ROWS.schema, plan, GRANULARITY, days[:1])
    assert len(read) < 8
    monkeypatch.undo()
    wanted = {k: p for k, p in expected(ROWS, plan).items() if k.bucket < START + DAY}
    assert_same(found, wanted)


def nulls(name: str) -> Change:
    return lambda t: changed(t, name, lambda v: pa.array([None, *v.to_pylist()[1:]], v.type))


def twin(table: pa.Table) -> pa.Table:
    return constant("Timestamp", 0, UTC)(table)


def mapped(table: pa.Table) -> pa.Table:
    return constant("amount", {"a": 1.0})(table)


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "text as time": (cast("timestamp", pa.string()), same, r"column 'timestamp' of .* is string"),
    "whole numbers as time": (cast("timestamp", pa.int64()), same, "is int64, but has to be a t"),
    "text as time of outcomes": (same, cast("timestamp", pa.string()), "'timestamp' of .* is str"),
    "no time": (nulls("timestamp"), same, "1 predictions have no 'timestamp'"),
    "no time in one file": (half(lambda t: t.drop_columns(["timestamp"])), same, "have no 'timest"),
    "fractions as ids": (lambda t: cast("prediction_id", pa.float64())(numbered(t)), numbered,
                         "is double, but large ids are not told apart"),
    "bytes, and text": (cast("prediction_id", pa.binary()), same, "ids are binary here and .*stri"),
    "nested ids": (constant("prediction_id", {"a": "x"}), same, "an id has to be text or a number"),
    "names that differ in case": (twin, same, "columns 'timestamp' and 'Timestamp'"),
    "names that differ in case by file": (
        half(lambda t: t.rename_columns({"amount": "Amount"})), same, "'amount' and 'Amount'"),
    "a feature that is missing": (lambda t: t.drop_columns(["amount"]), same, "lack amount; they"),
    "a feature that is nested": (mapped, same, "'amount' of .* is struct.* has to be a number"),
    "a feature of text": (constant("amount", "much"), same, "'amount' is text, and not all of it"),
    "a time as whole number": (cast("opened", pa.int64()), same, "'opened' of .* is int64"),
    "scores beyond 1": (constant("p", 1.5), same, "score 'p' lies between 1.5 and 1.5"),
    "scores of text": (constant("p", "high"), same, "score 'p' is text, and not all of it"),
    "a label of no class": (same, constant("label", "maybe"), "'maybe', which is none of no, yes"),
}  # fmt: skip


def refusal(engine: Engine, where: Source, plan: Plan, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        engine.profile(where, ROWS.schema, plan, GRANULARITY, engine.days(where, ROWS.schema))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", list(REFUSED))
def test_such_a_table_is_refused_in_one_sentence(
    local: Engine, tmp_path: Path, plan: Plan, name: str
) -> None:
    predictions, outcomes, message = REFUSED[name]
    refusal(local, source(tmp_path, predictions, outcomes), plan, message)


@pytest.mark.parametrize(
    "name", ["text as time", "no time", "bytes, and text", "names that differ in case by file",
             "a feature that is nested", "a feature of text"]
)  # fmt: skip
def test_spark_refuses_it_so_as_well(spark: Engine, tmp_path: Path, plan: Plan, name: str) -> None:
    predictions, outcomes, message = REFUSED[name]
    refusal(spark, source(tmp_path, predictions, outcomes), plan, message)


def test_what_is_no_parquet_is_named(either: Engine, tmp_path: Path, plan: Plan) -> None:
    where = source(tmp_path, same, same)
    (tmp_path / "o0.parquet").write_bytes(b"id,label\n1,yes\n" * 10)
    refusal(either, where, plan, "o0.parquet")


def test_spark_has_no_nanoseconds_and_says_so(spark: Engine, tmp_path: Path, plan: Plan) -> None:
    refusal(spark, source(tmp_path, nanoseconds, same), plan, "NANOS.*write microseconds, or use t")


def test_a_column_in_the_names_of_folders_is_not_passed_over(
    either: Engine, tmp_path: Path, plan: Plan
) -> None:
    folder = tmp_path / "model_version=1"
    folder.mkdir()
    where = source(folder, lambda t: t.drop_columns(["model_version"]), same)
    refusal(either, where, plan, "'model_version' is in the names of folders and not in the files")


def test_classes_that_a_multiclass_model_does_not_have_are_named(
    local: Engine, tmp_path: Path
) -> None:
    rows = made(Task.MULTICLASS, 60)
    odd = constant("label", "zebra")(rows.outcomes)
    where = Made(rows.schema, rows.predictions, odd).source(tmp_path)
    with pytest.raises(InvalidInputError, match="'zebra', which is none of a, b, c"):
        local.days(where, rows.schema)


def test_labels_may_be_booleans_numbers_or_text(local: Engine, tmp_path: Path) -> None:
    schema = replace(ROWS.schema, positive="1", negative="0", ratios=())
    said = [text == "yes" for text in ROWS.outcomes["label"].to_pylist()]
    was = [text == "yes" for text in ROWS.predictions["said"].to_pylist()]
    plain = Made(schema, ROWS.predictions, ROWS.outcomes)
    found = {}
    for name, kind in {
        "b": pa.bool_(),
        "i": pa.int8(),
        "f": pa.float64(),
        "t": pa.string(),
    }.items():
        plain = replace(
            plain,
            outcomes=changed(ROWS.outcomes, "label", lambda _, k=kind: pa.array(said).cast(k)),
            predictions=changed(ROWS.predictions, "said", lambda _, k=kind: pa.array(was).cast(k)),
        )
        where = plain.source(tmp_path / name)
        labels = pa.array(np.arange(60) % 2)
        first = plain.predictions.slice(0, 60).append_column("truth", labels)
        rows = reference_rows(schema, first)
        own = plan_from_reference(schema, rows.rows, rows.labels)
        days = local.days(where, schema)
        found[name] = local.profile(where, schema, own, GRANULARITY, days)
        assert_same(found[name], found["b"])
    total = [p for key, p in found["b"].items() if key.segment == EVERYTHING]
    assert sum(float(p.total("labelled")) for p in total) == 57
