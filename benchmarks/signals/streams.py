"""Real models over time: a reference, and windows whose labels are known afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.signals.packages import ACS, ELEC
from tocsin.demo import flights
from tocsin.demo import model as demo
from tocsin.engines.reference import Reference, reference_rows
from tocsin.profiles import (
    Grouping,
    Plan,
    Profile,
    fold_known_labels,
    fold_predictions,
    plan_from_reference,
)
from tocsin.schema import Feature, Kind, Schema, Task

SCORE, LABEL = "score", "label"
_ACS_ROWS, _ELEC_ROWS = 4_000, 1_000
_FLIGHT_COLUMNS = [*flights.FEATURES, SCORE, LABEL]
_FEATURES = ("feat_1", "feat_2", "feat_3", "feat_4", "feat_5", "feat_6")


@dataclass(frozen=True, eq=False)
class Stream:
    """A model's reference and its windows, each a table of features, score and label."""

    name: str
    schema: Schema
    reference: pd.DataFrame
    windows: Sequence[pd.DataFrame]

    def rows(self, table: pd.DataFrame) -> Reference:
        """A table as the profiles read it."""
        return reference_rows(self.schema, pa.Table.from_pandas(table, preserve_index=False))

    def profiles(self) -> tuple[Plan, Profile, Profile]:
        """The plan, the profile of the reference, and the stack of the windows."""
        before = self.rows(self.reference)
        plan = plan_from_reference(self.schema, before.rows, before.labels)
        windows = [_profile(plan, self.rows(table)) for table in self.windows]
        stack = Profile(plan, np.stack([window.vector for window in windows]))
        return plan, _profile(plan, before), stack


def _profile(plan: Plan, of: Reference) -> Profile:
    zeros = np.zeros(len(of.rows), np.int64)
    one = Grouping(zeros, 1)
    (rows,) = fold_predictions(plan, of.rows, one)
    (labels,) = fold_known_labels(plan, of.rows, of.labels, zeros, one)
    return Profile(plan, (rows + labels).vector[0])


def schema(numeric: Sequence[str], categorical: Sequence[str] = ()) -> Schema:
    features = [Feature(name, Kind.NUMERIC) for name in numeric]
    features += [Feature(name, Kind.CATEGORICAL) for name in categorical]
    return Schema(Task.BINARY, tuple(features), SCORE, None, LABEL)


def chunks(table: pd.DataFrame, rows: int) -> list[pd.DataFrame]:
    """Windows of so many rows that follow each other; a shorter rest is left out."""
    return [table.iloc[i : i + rows] for i in range(0, len(table) - rows + 1, rows)]


def acs(*, tilted: bool = False) -> Stream:
    """Employment in Massachusetts: 2015 is the reference, 2016 to 2018 follow.

    tilted: windows in which the old and the young are drawn more and more often: covariates that
    move, and nothing else.
    """
    folder = ACS.unpacked()
    reference, analysis, target = (
        pd.read_parquet(folder / f"employment_MA_{part}.pq")
        for part in ("reference", "analysis", "analysis_target")
    )
    analysis = analysis.merge(target, on="id")
    columns = [c for c in reference if c not in ("id", "year", "prediction", "employed")]
    columns.remove("predicted_probability")
    text = [c for c in columns if not pd.api.types.is_numeric_dtype(reference[c])]
    numeric = [c for c in columns if c not in text]
    names = {"predicted_probability": SCORE, "employed": LABEL}
    keep = [*columns, SCORE, LABEL]

    def prepared(table: pd.DataFrame) -> pd.DataFrame:
        known = table.rename(columns=names)[keep]
        return known.astype({**dict.fromkeys(numeric, float), **dict.fromkeys(text, str)})

    windows = chunks(prepared(analysis), _ACS_ROWS)
    if tilted:
        rng = np.random.default_rng(7)
        windows = [_tilted(window, i / len(windows), rng) for i, window in enumerate(windows)]
    name = "ACS MA 2016-18, tilted" if tilted else "ACS MA 2016-18"
    return Stream(name, schema(numeric, text), prepared(reference), windows)


def _tilted(window: pd.DataFrame, much: float, rng: np.random.Generator) -> pd.DataFrame:
    """The same number of rows, drawn with weights that grow with the distance from 45 years."""
    away = np.abs(window["AGEP"].to_numpy() - 45) / 20
    weight = np.exp((2 * much - 1) * 1.5 * away)
    index = rng.choice(len(window), len(window), p=weight / weight.sum())
    return window.iloc[index]


def flights_2013() -> Stream:
    """Late flights out of New York: the model of the demo, trained on January to April."""
    reference, after = _flights()
    week = (after["scheduled"] - after["scheduled"].iloc[0]).dt.days // 7
    windows = [part[_FLIGHT_COLUMNS] for _, part in after.groupby(week)]
    return Stream(
        "flights 2013, weeks",
        schema(flights.NUMERIC, flights.CATEGORICAL),
        reference[_FLIGHT_COLUMNS],
        [window for window in windows if len(window) > 1_000],
    )


def flights_by(size: int) -> Profile:
    """A stack: the same flights by windows of so many microseconds that follow each other."""
    reference, after = _flights()
    stream = Stream("flights", schema(flights.NUMERIC, flights.CATEGORICAL), reference, [])
    before = stream.rows(reference[_FLIGHT_COLUMNS])
    plan = plan_from_reference(stream.schema, before.rows, before.labels)
    time = (after["scheduled"] - after["scheduled"].iloc[0].floor("D")).to_numpy()
    window = time.astype("timedelta64[us]").astype(np.int64) // size
    of = stream.rows(after[_FLIGHT_COLUMNS])
    groups = Grouping(window, int(window.max()) + 1)
    (rows,) = fold_predictions(plan, of.rows, groups)
    (labels,) = fold_known_labels(
        plan, of.rows, of.labels, np.zeros(len(of.rows), np.int64), groups
    )
    return rows + labels


@cache
def _flights() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The flights that the model was trained on, scored out of fold, and those after; labelled."""
    table = flights.flights().dropna(subset=["late"])
    months = table["scheduled"].dt.tz_convert(flights.HOME).dt.month
    before, after = table[months <= 4].reset_index(drop=True), table[months > 4]
    model = demo._fitted(before)  # noqa: SLF001
    reference = before.assign(**{SCORE: demo._out_of_fold(before)})  # noqa: SLF001
    after = after.assign(**{SCORE: model.predict_proba(after[list(flights.FEATURES)])[:, 1]})
    return tuple(  # type: ignore[return-value]
        part.assign(**{LABEL: part["late"].astype(float)}) for part in (reference, after)
    )


def elec() -> Stream:
    """Electricity prices of New South Wales, up or down: a model that is never trained again."""
    table = pd.read_csv(ELEC.unpacked()).rename(columns={"target": LABEL})
    train, reference, rest = table[:10_000], table[10_000:15_000], table[15_000:]
    names = list(_FEATURES)
    model = HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0)
    model.fit(train[names], train[LABEL])

    def scored(part: pd.DataFrame) -> pd.DataFrame:
        return part.assign(**{SCORE: model.predict_proba(part[names])[:, 1]})

    return Stream("Elec2", schema(names), scored(reference), chunks(scored(rest), _ELEC_ROWS))


STREAMS: dict[str, Any] = {
    "acs": acs,
    "tilted": lambda: acs(tilted=True),
    "flights": flights_2013,
    "elec": elec,
}
