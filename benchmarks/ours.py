"""Everything that the benchmarks ask of Tocsin: the one place that knows its functions."""

from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks import data
from tocsin import __version__
from tocsin.drift import Divergence
from tocsin.engines import LocalEngine, Source
from tocsin.metrics import catalogue
from tocsin.profiles import Plan, Profile
from tocsin.schema import Feature, Kind, Schema, Task
from tocsin.service.measure import Measurements, divergences, measure
from tocsin.service.register import reference_profile
from tocsin.values import HOUR, to_datetime

VERSION = __version__
SCHEMA = Schema(
    task=Task.BINARY,
    features=(
        *(Feature(name, Kind.NUMERIC) for name in data.NUMBERS),
        *(Feature(name, Kind.CATEGORICAL) for name in data.CATEGORIES),
    ),
    score="score",
    prediction=None,
    label="label",
)
# What profiles without labels are made from; their texts are read as codes.
COLUMNS = [name for name in data.PREDICTION_COLUMNS if name != "prediction_id"]
# The files are laid out as the lake is.
_NAMES = {feature.column: feature.column for feature in SCHEMA.features}
# So wide that the bucket that begins in 1970 has all rows.
_ONE_WINDOW = 2**62
_FIRST = to_datetime(data.START).date()
_DAYS = [_FIRST + timedelta(days=i) for i in range(data.DAYS + 1)]


def profile_reference(file: Path) -> Profile:
    """The profile of a reference, and with it the plan."""
    return reference_profile(SCHEMA, pq.read_table(file))[0]


def profile_parquet(
    reference: Profile, file: Path, *, threads: int, granularity: int = HOUR
) -> Profile:
    """Profiles without labels, a stack by time."""
    # Without ids: nothing is joined, and repeats are not looked for.
    source = Source((str(file),), (), data.HORIZON, {**_NAMES, "prediction_id": "none"})
    return _stack(source, reference.plan, threads, granularity)


def profile_with_outcomes(
    reference: Profile, predictions: Path, outcomes: Path, *, threads: int
) -> Profile:
    """Hourly profiles with the outcome that counts for each prediction, a stack by time."""
    source = Source((str(predictions),), (str(outcomes),), data.HORIZON, _NAMES)
    return _stack(source, reference.plan, threads, HOUR)


def whole(hours: Profile) -> Profile:
    """All hours merged into one profile."""
    return Profile(hours.plan, hours.vector.sum(0))


def drift(reference: Profile, file: Path, *, threads: int) -> dict[str, Divergence]:
    """How far all rows of a file are from the reference, by column."""
    window = profile_parquet(reference, file, threads=threads, granularity=_ONE_WINDOW)
    return divergences(reference, window, output="score")


def evaluate(reference: Profile, hours: Profile) -> Measurements:
    """All metrics and divergences of every hour."""
    return measure(reference, hours, catalogue(SCHEMA), output="score")


def _stack(source: Source, plan: Plan, threads: int, granularity: int) -> Profile:
    found = _engine(threads).profile(source, SCHEMA, plan, granularity, _DAYS)
    return Profile(plan, np.stack([found[key].vector for key in sorted(found)]))


@cache
def _engine(threads: int) -> LocalEngine:
    return LocalEngine(threads)
