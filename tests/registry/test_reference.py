import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import SchemaError
from tocsin.registry.reference import labels, scores

TRUTHS = st.lists(st.sampled_from([0, 1, None]))
WAYS_TO_WRITE_THEM = {
    "whole numbers": (pa.int64(), {0: 0, 1: 1, None: None}),
    "floats": (pa.float64(), {0: 0.0, 1: 1.0, None: math.nan}),
    "booleans": (pa.bool_(), {0: False, 1: True, None: None}),
    "digits": (pa.string(), {0: "0", 1: "1", None: None}),
    "words": (pa.large_string(), {0: "False", 1: "true", None: None}),
    "categories": (pa.dictionary(pa.int8(), pa.string()), {0: "0", 1: "1", None: None}),
}


@pytest.mark.parametrize("way", WAYS_TO_WRITE_THEM)
@given(truths=TRUTHS)
def test_labels_are_the_same_however_they_are_written(way, truths):
    kind, written = WAYS_TO_WRITE_THEM[way]
    table = pa.table({"y": pa.array([written[truth] for truth in truths], kind)})
    found = labels(table, "y", model="m")
    assert found.type == pa.int8()
    assert found.to_pylist() == truths


@pytest.mark.parametrize("values", [[0, 1, 2], [0.5, 1.0], ["no", "yes"], [-1, 1]])
def test_labels_of_other_tasks_are_refused(values):
    with pytest.raises(SchemaError, match=r"label 'y' of m has \d values .* binary classifiers"):
        labels(pa.table({"y": values}), "y", model="m")


@pytest.mark.parametrize("outside", [-0.1, 1.1, math.inf])
def test_scores_outside_of_zero_to_one_are_refused(outside):
    with pytest.raises(SchemaError, match="score 'p' of m reaches from"):
        scores(pa.table({"p": [0.5, outside]}), "p", model="m")


def test_scores_that_are_not_numbers_become_null():
    column = scores(pa.table({"p": [0.0, math.nan, None, 1.0]}), "p", model="m")
    assert column.to_pylist() == [0.0, None, None, 1.0]


def test_a_column_without_any_score_is_not_out_of_range():
    assert scores(pa.table({"p": pa.array([], pa.float64())}), "p", model="m").to_pylist() == []
