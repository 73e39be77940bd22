"""Predictions of somebody's tables become profiles day by day, and only what changed anew."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sklearn.metrics as oracle
import sqlalchemy as sa
from deltalake import write_deltalake
from starlette.testclient import TestClient
from tests.engines.made import START, Made, assert_same, expected, made
from tests.world import Feed, monitor_document, prediction, reference

from tocsin.api.server import application
from tocsin.app import App
from tocsin.declared import parse_monitor
from tocsin.engines import Engine, LocalEngine
from tocsin.errors import InvalidInputError
from tocsin.profiles import Plan, Profile, ProfileKey
from tocsin.records import models, profiles, tables
from tocsin.schema import Task
from tocsin.service import profile_source
from tocsin.service.profile_source import Profiled
from tocsin.values import DAY, HOUR, Bounded, to_datetime

DAYS = [to_datetime(START + i * DAY).date() for i in range(4)]
MOMENT = pa.timestamp("us", "UTC")
DOCUMENT: dict[str, Any] = {
    "schema": {
        "features": [
            {"name": "amount", "kind": "numeric"},
            {"name": "net worth", "kind": "numeric"},
            {"name": "country", "kind": "categorical"},
            {"name": "member", "kind": "boolean"},
            {"name": "opened", "kind": "datetime"},
        ],
        "score": "p",
        "prediction": "said",
        "label": "truth",
        "positive": "yes",
        "negative": "no",
    },
    "labels": {"max": "7d"},
    "segments": ["country", {"column": "amount", "cuts": [50, 100]}],
    "rules": [],
}
RULE = {
    "alert": "Poor",
    "expr": {"metric": "accuracy_score", "window": "1h", "op": "<", "value": 0.99},
}


class Watched:
    """An engine that remembers which days it was asked for."""

    def __init__(self, engine: Engine, *, dies_at: date | None = None) -> None:
        self._engine = engine
        self._dies_at = dies_at
        self.asked: list[date] = []

    def days(self, *given: Any) -> dict[date, str]:
        return self._engine.days(*given)

    def profile(
        self, source: Any, schema: Any, plan: Plan, granularity: int, days: Collection[date]
    ) -> dict[ProfileKey, Profile]:
        if self._dies_at in days:
            raise OSError("the process dies here")
        self.asked += sorted(days)
        return self._engine.profile(source, schema, plan, granularity, days)

    def close(self) -> None:
        self._engine.close()


@dataclass
class Churn:
    """The monitored model `churn`, whose predictions lie in a folder of files."""

    app: App
    folder: Path
    rows: Made = field(default_factory=lambda: made(Task.BINARY, 600))

    def __post_init__(self) -> None:
        first = made(Task.BINARY).predictions.slice(0, 300)
        labels = np.random.default_rng(9).choice(["yes", "no"], 300)
        self.app.register.add("churn", DOCUMENT, first.append_column("truth", pa.array(labels)))

    @property
    def plan(self) -> Plan:
        with self.app.records.read() as connection:
            return models.model_named(connection, "churn").plan

    def write(self, rows: Made) -> None:
        self.rows = rows
        rows.source(self.folder, files=2)
        for i in range(2):
            (self.folder / f"predictions [{i}].parquet").rename(self.folder / f"in {i}.parquet")
        (self.folder / "in").mkdir(exist_ok=True)
        for i in range(2):
            (self.folder / f"in {i}.parquet").rename(self.folder / "in" / f"{i}.parquet")

    def profile(self, engine: Engine | None = None, **more: Any) -> tuple[Profiled, list[date]]:
        """Profile the folder; also which days were profiled."""
        watched = Watched(engine or LocalEngine(2))
        given = {
            "predictions": str(self.folder / "in"),
            "outcomes": str(self.folder / "outcomes.parquet"),
        }
        done = self.app.profile_source.profile("churn", watched, **(given | more))
        return done, watched.asked

    def stored(self) -> dict[ProfileKey, Profile]:
        plan = self.plan
        with self.app.records.read() as connection:
            record = models.model_named(connection, "churn")
            segments = connection.execute(sa.select(tables.profiles.c.segment).distinct()).scalars()
            return {
                key: profile
                for segment in segments.all()
                for key, profile in profiles.stored(
                    connection, record.id, plan, 0, 2**62, segment=segment
                )
            }

    def check(self) -> None:
        schema = parse_monitor("churn", self.document()).schema
        assert_same(self.stored(), expected(replace(self.rows, schema=schema), self.plan))

    def document(self) -> dict[str, Any]:
        with self.app.records.read() as connection:
            return models.model_named(connection, "churn").monitor

    def points(self, metric: str = "accuracy_score", window: int = DAY) -> dict[date, Any]:
        found = self.app.read.series("churn", metric, window=window).points
        return {to_datetime(p.window.start).date(): p for p in found if not p.window.start % DAY}


@pytest.fixture
def churn(app: App, tmp_path: Path) -> Churn:
    return Churn(app, tmp_path / "their tables, 100%")


def on_day(rows: Made, which: int) -> pa.ChunkedArray:
    """Which predictions are of a day."""
    at = rows.predictions["timestamp"].cast(pa.int64())
    return pc.and_(
        pc.greater_equal(at, START + which * DAY), pc.less(at, START + (which + 1) * DAY)
    )


def without_day(rows: Made, which: int) -> Made:
    return replace(rows, predictions=rows.predictions.filter(pc.invert(on_day(rows, which))))


def ids_of_day(rows: Made, which: int) -> list[str]:
    found: list[str] = rows.predictions.filter(on_day(rows, which))["prediction_id"].to_pylist()
    return found


def with_outcome(rows: Made, of: str, label: str, at: int) -> Made:
    more = pa.table(
        {"prediction_id": [of], "timestamp": pa.array([at]).cast(MOMENT), "label": [label]}
    ).cast(rows.outcomes.schema)
    return replace(rows, outcomes=pa.concat_tables([rows.outcomes, more]))


def test_the_records_hold_the_profiles_of_the_rows_that_pandas_joins(churn: Churn) -> None:
    churn.write(made(Task.BINARY, 600))
    done, asked = churn.profile()
    assert asked == DAYS[:3]
    assert (done.days, done.known, done.gone, done.predictions) == (3, 0, 0, 600)
    assert 450 < done.labelled < 600
    churn.check()


def test_a_repeat_profiles_no_day_and_changes_nothing(churn: Churn) -> None:
    churn.write(made(Task.BINARY, 600))
    churn.profile()
    churn.app.evaluate.evaluate("churn")
    before = {key: p.vector.tobytes() for key, p in churn.stored().items()}
    done, asked = churn.profile()
    assert (asked, done) == ([], Profiled(0, 3, 0, 0, 0))
    assert {key: p.vector.tobytes() for key, p in churn.stored().items()} == before
    assert churn.app.evaluate.evaluate("churn") == 0


def test_a_new_day_is_the_only_one_to_be_profiled(churn: Churn) -> None:
    every = made(Task.BINARY, 600)
    churn.write(without_day(every, 2))
    assert churn.profile()[1] == DAYS[:2]
    churn.write(every)
    done, asked = churn.profile()
    # Some predictions of the day before are repeated in it: they do not count.
    assert asked == [DAYS[2]]
    assert done.known == 2
    churn.check()


def test_a_late_outcome_changes_the_day_of_its_prediction_and_its_windows(churn: Churn) -> None:
    rows = made(Task.BINARY, 600)
    churn.write(rows)
    churn.profile()
    churn.app.evaluate.evaluate("churn")
    before = churn.points()
    churn.write(with_outcome(rows, ids_of_day(rows, 0)[0], "yes", START + 5 * DAY))
    assert churn.profile()[1] == [DAYS[0]]
    churn.check()
    assert churn.app.evaluate.evaluate("churn") > 0
    after = churn.points()
    assert [after[d].revision - before[d].revision for d in DAYS[:2]] == [1, 0]


def test_a_corrected_outcome_changes_its_day(churn: Churn) -> None:
    rows = made(Task.BINARY, 600)
    of = ids_of_day(rows, 1)[3]
    told = with_outcome(rows, of, "yes", START + 5 * DAY)
    churn.write(told)
    churn.profile()
    churn.write(with_outcome(rows, of, "no", START + 5 * DAY))
    assert churn.profile()[1] == [DAYS[1]]
    churn.check()


@pytest.mark.parametrize("column", ["amount", "p"])
def test_a_corrected_column_changes_its_day_and_what_is_measured_of_it(
    churn: Churn, column: str
) -> None:
    rows = made(Task.BINARY, 600)
    churn.write(rows)
    churn.profile()
    churn.app.evaluate.evaluate("churn")
    before = churn.app.read.drift("churn", window=DAY)
    place = rows.predictions.column_names.index(column)
    other = pc.if_else(on_day(rows, 1), 0.001, rows.predictions[column])
    churn.write(replace(rows, predictions=rows.predictions.set_column(place, column, other)))
    assert churn.profile()[1] == [DAYS[1]]
    churn.check()
    churn.app.evaluate.evaluate("churn")
    moved = [
        (a.window.end, a.shifts[column].js_distance, b.shifts[column].js_distance)
        for a, b in zip(before, churn.app.read.drift("churn", window=DAY), strict=True)
        if a.window.end == START + 2 * DAY
    ]
    (_, was, now) = moved[0]
    assert now > was + 0.3


@pytest.mark.parametrize("which", [0, 2], ids=["the first", "the last"])
def test_a_day_that_vanished_is_dropped_and_its_windows_with_it(churn: Churn, which: int) -> None:
    document = DOCUMENT | {"rules": [RULE]}
    churn.app.register.change("churn", document)
    rows = made(Task.BINARY, 600)
    churn.write(rows)
    churn.profile()
    churn.app.evaluate.evaluate("churn")
    before = churn.points(window=HOUR)
    churn.write(without_day(rows, which))
    with pytest.raises(
        InvalidInputError, match=f"lacks 1 days .*, the first of them {DAYS[which]}"
    ):
        churn.profile()
    done, _ = churn.profile(drop=True)
    assert done.gone == 1
    churn.check()
    assert churn.app.evaluate.evaluate("churn") > 0
    assert DAYS[which] in before
    assert churn.points(window=HOUR).keys() == before.keys() - {DAYS[which]}
    assert churn.profile()[0] == Profiled(0, 2, 0, 0, 0)
    with TestClient(application(churn.app)) as client:
        for path in ("", "api/v1/models", "models/churn", "models/churn/features/amount",
                     "incidents/1", "api/v1/models/churn/drift"):  # fmt: skip
            assert client.get(f"/{path}").status_code == 200, path
    # It comes back.
    churn.write(rows)
    churn.profile()
    churn.app.evaluate.evaluate("churn")
    assert churn.points(window=HOUR).keys() == before.keys()


def test_a_crash_between_two_groups_of_days_is_resumed_with_the_second(
    churn: Churn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_source, "_DAYS_AT_ONCE", 1)
    churn.write(made(Task.BINARY, 600))
    with pytest.raises(OSError, match="dies here"):
        churn.profile(Watched(LocalEngine(1), dies_at=DAYS[1]))
    assert {to_datetime(key.bucket).date() for key in churn.stored()} == {DAYS[0]}
    assert churn.profile()[1] == DAYS[1:3]
    churn.check()


def test_a_delta_table_is_read_as_it_is_now(churn: Churn) -> None:
    rows = made(Task.BINARY, 600)
    churn.write(rows)
    where = [str(churn.folder / f"delta {name}") for name in ("in", "out")]
    write_deltalake(where[0], rows.predictions.slice(0, 10))
    for address, table in zip(where, (rows.predictions, rows.outcomes), strict=True):
        # What is overwritten lies there still.
        write_deltalake(
            address, table, mode="overwrite", configuration={"delta.enableDeletionVectors": "true"}
        )
    done, _ = churn.profile(predictions=where[0], outcomes=where[1])
    assert done.predictions == 600
    churn.check()


def test_a_delta_table_whose_files_do_not_tell_its_rows_is_refused(churn: Churn) -> None:
    address = churn.folder / "mapped"
    write_deltalake(str(address), made(Task.BINARY, 50).predictions)
    (entry,) = (address / "_delta_log").glob("*.json")
    entry.write_text(
        entry.read_text().replace(
            '"configuration":{}', '"configuration":{"delta.columnMapping.mode":"name"}'
        )
    )
    with pytest.raises(InvalidInputError, match="maps its columns to other names in its files"):
        churn.profile(predictions=str(address))


def test_files_that_are_no_data_are_passed_over_and_broken_ones_named(churn: Churn) -> None:
    churn.write(made(Task.BINARY, 600))
    (churn.folder / "in" / "_temporary").mkdir()
    (churn.folder / "in" / "_temporary" / "half.parquet").write_bytes(b"PAR1")
    churn.profile()
    churn.check()
    (churn.folder / "in" / "broken.parquet").write_bytes(b"")
    with pytest.raises(InvalidInputError, match=r"broken\.parquet has no bytes"):
        churn.profile()


def test_spark_gives_the_same_profiles(churn: Churn, spark: Engine) -> None:
    churn.write(made(Task.BINARY, 600))
    churn.profile(spark)
    churn.check()
    assert churn.profile(spark)[1] == []


def test_a_model_with_predictions_of_its_own_is_refused(feed: Feed, tmp_path: Path) -> None:
    feed.predictions(prediction("a"))
    with pytest.raises(InvalidInputError, match="'late' has predictions of its own, to which"):
        feed.app.profile_source.profile("late", LocalEngine(1), predictions=str(tmp_path / "x"))


def test_a_granularity_that_does_not_divide_a_day_is_refused(app: App, tmp_path: Path) -> None:
    app.register.add("odd", monitor_document(granularity="7h", windows=["7h"]), reference())
    with pytest.raises(InvalidInputError, match="granularity 7h does not divide a day"):
        app.profile_source.profile("odd", LocalEngine(1), predictions=str(tmp_path))


@pytest.mark.parametrize("served", [True, False], ids=["after the worker ran", "before it"])
def test_a_change_of_the_plan_makes_all_days_anew(churn: Churn, served: bool) -> None:
    churn.write(made(Task.BINARY, 600))
    churn.profile()
    churn.app.evaluate.evaluate("churn")
    churn.app.register.change("churn", DOCUMENT | {"segments": ["country", "member"]})
    if served:
        # The worker leaves the profiles of a table to `profile`.
        churn.app.worker.work()
        with pytest.raises(InvalidInputError, match="lie in a table: `tocsin profile` makes"):
            churn.app.rebuild.rebuild("churn")
    assert churn.profile()[1] == DAYS[:3]
    assert churn.app.rebuild.waiting() == []
    churn.check()
    assert {key.segment for key in churn.stored()} > {"member=true"}


def test_rows_are_not_added_to_those_of_a_table(churn: Churn) -> None:
    churn.write(made(Task.BINARY, 600))
    churn.profile()
    with pytest.raises(InvalidInputError, match="'churn' has the predictions of a table"):
        churn.app.ingest.accept("churn", "predictions", b"[]")


def test_the_lake_is_profiled_as_a_rebuild_does_it(feed: Feed) -> None:
    feed.hours(0, 30)
    feed.work()
    features = [*monitor_document()["schema"]["features"], {"name": "wind", "kind": "numeric"}]
    windy = reference().append_column("wind", pa.array(np.linspace(0, 1, 5_000)))
    document = monitor_document()
    document["schema"]["features"] = features
    # No row of the lake has the new feature.
    feed.app.register.change("late", document, windy)
    feed.work()
    wanted = feed.profiles()
    assert feed.app.profile_source.rebuild("late", LocalEngine(2)) == 30 * 80
    found = feed.profiles()
    assert found.keys() == wanted.keys()
    for key, vector in wanted.items():
        np.testing.assert_allclose(found[key], vector, rtol=1e-9, atol=1e-9)


def test_the_lake_is_profiled_by_spark_too(feed: Feed, spark: Engine) -> None:
    feed.hours(0, 26, rows=20)
    feed.work()
    wanted = feed.profiles()
    assert feed.app.profile_source.rebuild("late", spark) == 26 * 20
    found = feed.profiles()
    assert found.keys() == wanted.keys()
    for key, vector in wanted.items():
        np.testing.assert_allclose(found[key], vector, rtol=1e-9, atol=1e-9)


def test_a_lake_that_lacks_rows_is_refused(feed: Feed) -> None:
    feed.hours(0, 30)
    feed.work()
    lake = feed.app.settings.data / "lake"
    folder = next(lake.rglob("predictions/date=2013-05-02"))
    files = list(folder.glob("*.parquet"))
    kept = pq.ParquetFile(files[0]).read().slice(1)
    pq.write_table(kept, files[0])
    before = feed.profiles()
    with pytest.raises(InvalidInputError, match="has 2,399 of its 2,400 counted predictions"):
        feed.app.profile_source.rebuild("late", LocalEngine(1))
    assert feed.profiles().keys() == before.keys()


def test_windows_are_measured_as_scikit_learn_does(churn: Churn) -> None:
    rows = made(Task.BINARY, 600)
    churn.write(rows)
    churn.profile()
    assert churn.app.evaluate.evaluate("churn") > 0

    first = rows.predictions.to_pandas().drop_duplicates("prediction_id")
    outcomes = rows.outcomes.to_pandas().rename(columns={"timestamp": "told"})
    joined = first.merge(outcomes, on="prediction_id")
    apart = joined["told"] - joined["timestamp"]
    joined = joined[(apart >= pd.Timedelta("-1D")) & (apart <= pd.Timedelta("7D"))]
    joined = joined.sort_values(["told", "label"]).drop_duplicates("prediction_id", keep="last")
    for day in DAYS[:2]:
        mine = joined[joined["timestamp"].dt.date == day]
        truth, said = mine["label"] == "yes", mine["said"] == "yes"
        point = churn.points()[day]
        assert isinstance(point.measure, Bounded)
        assert point.measure.value == pytest.approx(oracle.accuracy_score(truth, said))
        assert point.rows == (first["timestamp"].dt.date == day).sum()
        recall = churn.points("recall_score")[day].measure
        assert recall.value == pytest.approx(oracle.recall_score(truth, said))
        scored = mine["p"].notna()
        auc = churn.points("roc_auc")[day].measure
        exact = oracle.roc_auc_score(truth[scored], mine["p"][scored])
        assert abs(auc.value - exact) <= auc.error + 1e-9
    assert churn.app.read.series("churn", "accuracy_score", window=HOUR).points
