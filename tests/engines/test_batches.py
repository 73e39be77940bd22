"""Tables of the lake, however they are laid out, fold to the profiles of their rows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product

import numpy as np
import pyarrow as pa
import pytest
from tests.engines.lake import CLASSES, MOMENTS, Made, made
from tests.profiles.synthetic import labelled, predicted, some

from tocsin.engines import (
    batches,
    merged,
    profile_labels,
    profile_predictions,
)
from tocsin.profiles import EVERYTHING, Plan, Profile, ProfileKey, fold_labels, plan_from_reference
from tocsin.profiles.columns import CategoryColumn
from tocsin.schema import Task
from tocsin.values import DAY, HOUR

Folded = dict[ProfileKey, Profile]
every_task = pytest.mark.parametrize("task", Task)


def planned(task: Task) -> Plan:
    reference = made(task, 300, seed=99)
    return plan_from_reference(reference.schema, reference.rows, reference.labels)


PLANS = {task: planned(task) for task in Task}


def both(rows: Made, table: pa.Table, granularity: int = DAY) -> Folded:
    """Predictions and labels together."""
    plan = PLANS[rows.schema.task]
    return merged(
        profile_predictions(plan, rows.schema, table, granularity).items(),
        profile_labels(plan, rows.schema, table, granularity).items(),
    )


def directly(rows: Made, granularity: int = DAY) -> Folded:
    """The same without Arrow, one key at a time."""
    plan = PLANS[rows.schema.task]
    buckets = rows.timestamps // granularity * granularity
    versions = np.array(rows.versions)
    found: Folded = {}
    everything = [(EVERYTHING, np.ones(len(rows.rows), bool))]
    for segment in plan.segments:
        of_row = segment.of(rows.rows.features, len(rows.rows))
        everything += [(key, of_row == i) for i, key in enumerate(segment.keys())]
    for version, bucket in product(set(rows.versions), set(buckets.tolist())):
        for segment_key, inside in everything:
            at = np.flatnonzero((versions == version) & (buckets == bucket) & inside)
            if len(at):
                own = some(rows.rows, at)
                found[ProfileKey(version, bucket, segment_key)] = predicted(plan, own) + labelled(
                    plan, own, rows.labels[at], rows.delays[at]
                )
    return found


def assert_alike(one: Folded, other: Folded) -> None:
    assert one.keys() == other.keys()
    for key, profile in one.items():
        np.testing.assert_allclose(
            profile.vector, other[key].vector, rtol=1e-9, atol=1e-9, err_msg=str(key)
        )


@every_task
@pytest.mark.parametrize("granularity", [HOUR, DAY])
def test_a_table_folds_to_the_profiles_of_its_rows(task: Task, granularity: int) -> None:
    rows = made(task, 250)
    assert_alike(both(rows, rows.table, granularity), directly(rows, granularity))


def chunked(table: pa.Table) -> pa.Table:
    cuts = [0, 1, 1, 40, 41, 120, table.num_rows]
    return pa.concat_tables([table.slice(a, b - a) for a, b in pairwise(cuts)])


def sliced(table: pa.Table) -> pa.Table:
    around = pa.concat_tables([table.slice(0, 13), table, table.slice(5, 7)]).combine_chunks()
    return around.slice(13, table.num_rows)


def with_types(change: Callable[[pa.DataType], pa.DataType]) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        fields = [
            pa.field(f.name, change(f.type) if f.name.startswith("input_") else f.type)
            for f in table.schema
        ]
        return table.cast(pa.schema(fields), safe=False)

    return changed


def numbers_as(wanted: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    return with_types(lambda old: wanted if pa.types.is_floating(old) else old)


def whole_numbers_as(wanted: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        at = table.column_names.index("input_amount")
        return table.set_column(at, "input_amount", table["input_amount"].cast(wanted))

    return changed


def texts_as(wanted: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        for at, field in enumerate(table.schema):
            if pa.types.is_string(field.type):
                table = table.set_column(at, field.name, table[field.name].cast(wanted))
        return table

    return changed


def encoded(table: pa.Table) -> pa.Table:
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(at, field.name, table[field.name].dictionary_encode())
    return table


def encoded_in_parts(table: pa.Table) -> pa.Table:
    """Each chunk with a dictionary of its own."""
    parts = [encoded(table.slice(a, 90).combine_chunks()) for a in range(0, table.num_rows, 90)]
    return pa.concat_tables(parts)


LAYOUTS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "chunks": chunked,
    "slices": sliced,
    "dictionaries": encoded,
    "dictionaries of parts": encoded_in_parts,
    "sliced dictionaries": lambda table: sliced(encoded(table)),
    "large strings": texts_as(pa.large_string()),
    "numbers in dictionaries": lambda table: table.set_column(
        table.column_names.index("input_amount"),
        "input_amount",
        table["input_amount"].dictionary_encode(),
    ),
    "float32": numbers_as(pa.float32()),
    "decimals": numbers_as(pa.decimal128(10, 2)),
    "int16": whole_numbers_as(pa.int16()),
    "int64": whole_numbers_as(pa.int64()),
    "times in milliseconds": with_types(
        lambda old: pa.timestamp("ms", "UTC") if pa.types.is_timestamp(old) else old
    ),
}


@every_task
@pytest.mark.parametrize("layout", LAYOUTS)
def test_how_a_table_is_laid_out_does_not_matter(task: Task, layout: str) -> None:
    rows = made(task, 250)
    if layout == "times in milliseconds":
        table = rows.table
        at = table.column_names.index("input_since")
        whole = (rows.timestamps // 1_000 * 1_000).tolist()
        moments = pa.array([None if m is None else t for m, t in zip(
            table["input_since"].to_pylist(), whole, strict=True)], MOMENTS)  # fmt: skip
        table = table.set_column(at, "input_since", moments)
    else:
        table = rows.table
    laid_out = LAYOUTS[layout](table)
    assert laid_out.num_rows == 250
    assert_alike(both(rows, laid_out), both(rows, table))


@every_task
@pytest.mark.parametrize("most_sums", [1, 50_000])
@pytest.mark.parametrize("most_counted", [1, 1_000_000])
def test_work_that_is_split_by_keys_gives_the_same(
    task: Task, most_sums: int, most_counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = made(task, 400, versions=4, days=5)
    at_once = both(rows, rows.table, 6 * HOUR)
    assert len({(key.version, key.bucket) for key in at_once}) > 40
    monkeypatch.setattr(batches, "_MOST_SUMS", most_sums)
    monkeypatch.setattr(batches, "_MOST_COUNTED", most_counted)
    assert_alike(both(rows, chunked(rows.table), 6 * HOUR), at_once)


@every_task
def test_parts_of_a_table_add_up_to_it(task: Task) -> None:
    rows = made(task, 300)
    parts = [both(rows, rows.table.slice(a, 100)).items() for a in range(0, 300, 100)]
    assert_alike(merged(*parts), both(rows, rows.table))


@every_task
def test_a_row_is_in_one_profile_of_each_dimension_and_in_that_of_all_rows(task: Task) -> None:
    rows = made(task, 300)
    found = both(rows, rows.table)
    for segment in PLANS[task].segments:
        keys = set(segment.keys())
        for key, everything in found.items():
            if key.segment == EVERYTHING:
                own = [
                    profile.vector
                    for other, profile in found.items()
                    if (other.version, other.bucket) == (key.version, key.bucket)
                    and other.segment in keys
                ]
                np.testing.assert_allclose(sum(own), everything.vector, rtol=1e-9, atol=1e-9)


@every_task
def test_threads_that_fold_at_once_give_what_one_gives(task: Task) -> None:
    rows = [made(task, 20_000, seed=seed, days=2) for seed in range(4)]
    one_by_one = [both(each, each.table) for each in rows]
    with ThreadPoolExecutor(2) as threads:
        at_once = list(threads.map(lambda each: both(each, each.table), rows))
    for one, other in zip(one_by_one, at_once, strict=True):
        assert one.keys() == other.keys()
        assert all((one[key].vector == other[key].vector).all() for key in one)


@every_task
def test_a_table_without_rows_has_no_profiles(task: Task) -> None:
    rows = made(task, 3)
    assert both(rows, rows.table.slice(0, 0)) == {}


@every_task
def test_columns_that_are_all_null_are_folded_as_nulls(task: Task) -> None:
    rows = made(task, 50)
    table = rows.table
    for name in table.column_names:
        if name.startswith("input_"):
            at = table.column_names.index(name)
            table = table.set_column(at, name, pa.nulls(50, table.schema.field(name).type))
    plan = PLANS[task]
    found = profile_predictions(plan, rows.schema, table, 10 * DAY)
    everything = sum(
        (profile.vector for key, profile in found.items() if key.segment == EVERYTHING),
        np.zeros(plan.layout.size),
    )
    for bins in plan.features:
        histogram = Profile(plan, everything).feature(bins.name)
        assert histogram.n[-1] == histogram.n.sum() == 50
    assert {key.segment for key in found} == {EVERYTHING, "place=unknown", "rich=unknown"}


def test_buckets_begin_at_multiples_of_the_granularity_before_1970_too() -> None:
    rows = made(Task.REGRESSION, 4)
    times = pa.array([-1, 0, DAY - 1, DAY], MOMENTS)
    table = rows.table.set_column(1, "timestamp", times)
    table = table.set_column(2, "model_version", pa.array(["v"] * 4))
    found = profile_predictions(PLANS[Task.REGRESSION], rows.schema, table, DAY)
    everything = {k.bucket: float(p.total("n")) for k, p in found.items() if not k.segment}
    assert everything == {-DAY: 1, 0: 2, DAY: 1}


def test_labels_of_several_classes_that_are_not_known_are_not_counted() -> None:
    rows = made(Task.MULTICLASS, 6)
    at = rows.table.column_names.index("label")
    labels = pa.array(["oak", None, "fir", "ash", "elm", None], pa.string())
    table = rows.table.set_column(at, "label", labels)
    found = profile_labels(PLANS[Task.MULTICLASS], rows.schema, table, 30 * DAY)
    everything = [profile for key, profile in found.items() if key.segment == EVERYTHING]
    assert sum(float(profile.total("labelled")) for profile in everything) == 3
    assert all(np.isfinite(profile.vector).all() for profile in found.values())


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_a_label_that_is_null_is_not_counted(task: Task) -> None:
    rows = made(task, 6)
    at = rows.table.column_names.index("label")
    kept = pa.array([True, None, True, None, True, True])
    labels = pa.chunked_array([pa.array([v if k else None for v, k in zip(
        rows.table["label"].to_pylist(), kept.to_pylist(), strict=True)],
        rows.table["label"].type)])  # fmt: skip
    table = rows.table.set_column(at, "label", labels)
    known = table.filter(kept.fill_null(False))
    plan = PLANS[task]
    assert_alike(
        profile_labels(plan, rows.schema, table, DAY),
        profile_labels(plan, rows.schema, known, DAY),
    )


def test_labels_alone_leave_predictions_alone() -> None:
    rows = made(Task.BINARY, 40)
    found = profile_labels(PLANS[Task.BINARY], rows.schema, rows.table, DAY)
    assert all(profile.total("n") == 0 for profile in found.values())
    n = sum(float(p.total("labelled")) for key, p in found.items() if not key.segment)
    assert n == 40


def test_a_class_of_a_dictionary_that_no_row_has_is_no_prediction() -> None:
    rows = made(Task.MULTICLASS, 3)
    said = pa.DictionaryArray.from_arrays(
        pa.array([3, 1, 0], pa.int8()), ["ash", "elm", "x", "oak"]
    )
    at = rows.table.column_names.index("prediction")
    table = rows.table.set_column(at, "prediction", said)
    found = profile_predictions(PLANS[Task.MULTICLASS], rows.schema, table, 30 * DAY)
    counts = sum(p.predicted for key, p in found.items() if not key.segment)
    assert counts.tolist() == [1, 1, 1]
    assert CLASSES[2] == "oak"


def test_millions_of_levels_are_folded_without_their_text() -> None:
    rows = made(Task.BINARY, 10)
    n = 200_000
    table = pa.concat_tables([rows.table] * (n // 10)).combine_chunks()
    at = table.column_names.index("input_city")
    table = table.set_column(at, "input_city", pa.array(np.arange(n)).cast(pa.string()))
    plan = PLANS[Task.BINARY]
    found = profile_predictions(plan, rows.schema, table, 30 * DAY)
    unseen = plan.bins("city").labels.index("unseen")
    everything = [p.feature("city").n for key, p in found.items() if not key.segment]
    assert sum(counts[unseen] for counts in everything) == n
    assert len(everything[0]) == len(plan.bins("city").labels)


def test_merging_adds_what_has_the_same_key() -> None:
    plan = PLANS[Task.BINARY]
    one, other = ProfileKey("v", 0), ProfileKey("v", 0, "place=Rome")
    ones = Profile(plan, np.ones(plan.layout.size))
    found = merged([(one, ones), (other, ones)], [(one, ones)], [(one, -ones)])
    assert found.keys() == {one, other}
    assert (found[one].vector == 1).all()
    assert (found[other].vector == 1).all()


def test_keys_are_ordered_by_version_bucket_and_segment() -> None:
    keys = [ProfileKey("b", 0), ProfileKey("a", 1), ProfileKey("a", 0, "x=1"), ProfileKey("a", 0)]
    assert sorted(keys) == [keys[3], keys[2], keys[1], keys[0]]


def test_retracting_a_table_of_labels_leaves_nothing_of_them() -> None:
    rows = made(Task.BINARY, 60)
    plan = PLANS[Task.BINARY]
    found = profile_labels(plan, rows.schema, rows.table, DAY)
    again = profile_labels(plan, rows.schema, sliced(encoded(rows.table)), DAY)
    for key, profile in found.items():
        assert ((profile - again[key]).vector == 0).all()
    city = rows.rows.features["city"]
    assert isinstance(city, CategoryColumn)
    assert fold_labels(plan, rows.rows, rows.labels, rows.delays) == []
