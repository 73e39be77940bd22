"""What every engine has to do, on threads of this process and on a real Spark cluster."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.engines.made import (
    GRANULARITY,
    HORIZON,
    SCHEMAS,
    START,
    Made,
    assert_same,
    expected,
    made,
)

from tocsin.engines import Engine, LocalEngine, Source
from tocsin.errors import InvalidInputError
from tocsin.profiles import EVERYTHING
from tocsin.schema import Task
from tocsin.values import DAY, to_datetime

DAYS = [to_datetime(START + i * DAY).date() for i in range(4)]


@pytest.mark.parametrize("task", list(Task))
def test_profiles_are_those_of_the_rows_that_pandas_joins(
    engine: Engine, tmp_path: Path, task: Task
) -> None:
    rows = made(task)
    plan = rows.plan()
    found = engine.profile(rows.source(tmp_path, files=2), rows.schema, plan, GRANULARITY, DAYS)
    wanted = expected(rows, plan)
    assert_same(found, wanted)
    everything = [p for key, p in found.items() if key.segment == EVERYTHING]
    assert sum(float(p.total("n")) for p in everything) == 1_000
    assert 800 < sum(float(p.total("labelled")) for p in everything) < 1_000
    assert {key.segment for key in found} > {"country=DE", "amount=from 100", "rich=true"}


def test_some_days_are_the_part_of_all_days(engine: Engine, tmp_path: Path) -> None:
    rows = made(Task.BINARY)
    plan, source = rows.plan(), rows.source(tmp_path)
    found = engine.profile(source, rows.schema, plan, GRANULARITY, DAYS[1:2])
    start = START + DAY
    wanted = {k: p for k, p in expected(rows, plan).items() if start <= k.bucket < start + DAY}
    assert_same(found, wanted)
    assert engine.profile(source, rows.schema, plan, GRANULARITY, [date(1999, 1, 1)]) == {}


def test_labels_may_stand_beside_their_predictions_under_names_of_ones_own(
    engine: Engine, tmp_path: Path
) -> None:
    rows = made(Task.BINARY)
    plan = rows.plan()
    table = rows.predictions.slice(0, 1_000)
    labels = pa.array(["yes", "no", None, "yes"] * 250)
    table = table.append_column("churned", labels).rename_columns(
        {"timestamp": "scored at", "model_version": "v"}
    )
    source = Made(rows.schema, table, rows.outcomes).source(
        tmp_path,
        outcomes=(),
        columns={"timestamp": "scored at", "model_version": "v", "label": "churned"},
    )
    found = engine.profile(source, rows.schema, plan, GRANULARITY, DAYS)
    everything = [p for key, p in found.items() if key.segment == EVERYTHING]
    assert sum(float(p.total("n")) for p in everything) == 1_000
    assert sum(float(p.total("labelled")) for p in everything) == 750
    assert sum(float(p.total("label")) for p in everything) == 500
    assert {key.version for key in found} == {"1", "2"}


def test_a_day_has_another_text_when_its_rows_or_outcomes_do(
    engine: Engine, tmp_path: Path
) -> None:
    rows = made(Task.REGRESSION)
    source = rows.source(tmp_path / "a")
    before = engine.days(source, rows.schema)
    assert list(before) == DAYS[:3] or set(before) == set(DAYS[:3])
    assert engine.days(source, rows.schema) == before

    last_id = rows.predictions["prediction_id"][999].as_py()
    told = pa.array([START + 9 * DAY]).cast(pa.timestamp("us", "UTC"))
    more = pa.table({"prediction_id": [last_id], "timestamp": told, "label": [1e9]})
    later = Made(
        rows.schema,
        rows.predictions,
        pa.concat_tables([rows.outcomes, more], promote_options="permissive"),
    )
    after = engine.days(later.source(tmp_path / "b"), rows.schema)
    assert {day for day in after if after[day] != before[day]} == {DAYS[2]}

    fewer = Made(rows.schema, rows.predictions.slice(1), rows.outcomes)
    after = engine.days(fewer.source(tmp_path / "c"), rows.schema)
    assert DAYS[0] in {day for day in after if after[day] != before[day]}


def test_predictions_without_ids_and_outcomes_are_profiled_too(
    engine: Engine, tmp_path: Path
) -> None:
    rows = made(Task.MULTICLASS)
    bare = Made(rows.schema, rows.predictions.drop_columns(["prediction_id", "model_version"]),
                rows.outcomes)  # fmt: skip
    source = bare.source(tmp_path, outcomes=())
    found = engine.profile(source, rows.schema, rows.plan(), GRANULARITY, DAYS)
    everything = [p for key, p in found.items() if key.segment == EVERYTHING]
    assert sum(float(p.total("n")) for p in everything) == rows.predictions.num_rows
    assert {key.version for key in found} == {"unknown"}
    assert len(engine.days(source, rows.schema)) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"timestamp": "when"}}, "the predictions lack when"),
        ({"columns": {"prediction_id": "key"}}, "no column 'key', by which outcomes are joined"),
        ({"columns": {"outcome.label": "late"}}, "the outcomes lack late"),
        ({"predictions": ("nowhere.parquet",)}, "nowhere.parquet"),
    ],
)
def test_a_source_that_does_not_fit_is_refused(
    engine: Engine, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    rows = made(Task.BINARY, 50)
    source = rows.source(tmp_path, **change)
    with pytest.raises(InvalidInputError, match=message):
        engine.profile(source, rows.schema, made(Task.BINARY).plan(), GRANULARITY, DAYS)


def test_a_class_that_the_model_does_not_have_is_named(engine: Engine, tmp_path: Path) -> None:
    rows = made(Task.BINARY, 50)
    outcomes = rows.outcomes.set_column(2, "label", pa.array(["maybe"] * rows.outcomes.num_rows))
    source = Made(rows.schema, rows.predictions, outcomes).source(tmp_path)
    with pytest.raises(InvalidInputError, match="'maybe', which is none of no, yes"):
        engine.profile(source, rows.schema, made(Task.BINARY).plan(), GRANULARITY, DAYS)


@pytest.mark.parametrize("rows", [60_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_spark_and_this_machine_agree_on_many_rows(
    spark: Engine, tmp_path: Path, rows: int
) -> None:
    many = made(Task.BINARY, rows)
    plan, source = many.plan(), many.source(tmp_path, files=3)
    local = LocalEngine()
    wanted = local.profile(source, many.schema, plan, GRANULARITY, DAYS)
    local.close()
    assert_same(spark.profile(source, many.schema, plan, GRANULARITY, DAYS), wanted)


def test_spark_reads_a_table_by_its_name(spark: Engine, tmp_path: Path) -> None:
    rows = made(Task.BINARY)
    source = rows.source(tmp_path, outcomes=())
    pq.write_table(rows.predictions, tmp_path / "scored.parquet")
    frame = spark._session.read.parquet(str(tmp_path / "scored.parquet"))  # type: ignore[attr-defined]
    frame.createOrReplaceTempView("scored")
    named = Source(("scored",), (), HORIZON)
    plan = rows.plan()
    assert_same(
        spark.profile(named, rows.schema, plan, GRANULARITY, DAYS),
        spark.profile(source, rows.schema, plan, GRANULARITY, DAYS),
    )
    with pytest.raises(InvalidInputError, match="Spark cannot read nothing_here"):
        spark.days(Source(("nothing_here",), (), HORIZON), SCHEMAS[Task.BINARY])


def test_days_are_those_of_utc(engine: Engine, tmp_path: Path) -> None:
    rows = made(Task.REGRESSION, 300)
    times = [START + 3 * DAY - 1, START + 3 * DAY] * 150
    at = pa.array(times).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", "Asia/Tokyo"))
    table = rows.predictions.slice(0, 300).set_column(1, "timestamp", at)
    source = Made(rows.schema, table, rows.outcomes).source(tmp_path)
    assert sorted(engine.days(source, rows.schema)) == [DAYS[2], DAYS[2] + timedelta(days=1)]
