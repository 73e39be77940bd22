"""What a training dataset tells of a model by itself, and what is asked for."""

import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engines import reference_rows
from tocsin.errors import RegistryError, SchemaError
from tocsin.registry.outputs import told_schema
from tocsin.registry.roles import Roles
from tocsin.registry.signature import Signature
from tocsin.schema import Feature, Kind, Task

N = 120
TREES = ["ash", "elm", "oak"]
PLAIN = Signature((Feature("x", Kind.NUMERIC),), number=False)
ONE_NUMBER = Signature(PLAIN.inputs, number=True)
WAYS_TO_WRITE_TRUTHS = {
    "whole numbers": (pa.int64(), {0: 0, 1: 1, None: None}),
    "floats": (pa.float64(), {0: 0.0, 1: 1.0, None: math.nan}),
    "booleans": (pa.bool_(), {0: False, 1: True, None: None}),
    "digits": (pa.string(), {0: "0", 1: "1", None: None}),
    "words": (pa.large_string(), {0: "False", 1: "true", None: None}),
    "categories": (pa.dictionary(pa.int8(), pa.string()), {0: "0", 1: "1", None: None}),
}
WAYS_TO_WRITE_CLASSES = {
    "text": (pa.string(), ["ash", "elm", "oak"]),
    "categories": (pa.dictionary(pa.int8(), pa.large_string()), ["ash", "elm", "oak"]),
    "whole numbers": (pa.int8(), [2, 9, 10]),
    "floats": (pa.float64(), [2, 9, 10]),
    "decimals": (pa.decimal128(6, 2), [2, 9, 10]),
}


def table(y, **more):
    n = len(y)
    columns = {"p": [0.5] * n, "q": [0.25] * n, "r": [0.25] * n, **more}
    return pa.table({"x": np.arange(n) / 7, "y": y, **columns})


def told(y, signature=PLAIN, *, more=None, **said):
    rows = y if isinstance(y, pa.Table) else table(y, **(more or {}))
    roles = Roles(**{"label": "y", **said})
    return told_schema(signature, rows, roles, model="m", dataset="d")


def repeated(values):
    return [values[i % len(values)] for i in range(N)]


@pytest.mark.parametrize("way", WAYS_TO_WRITE_TRUTHS)
@given(truths=st.lists(st.sampled_from([0, 1, None]), min_size=1))
def test_truths_are_the_same_however_they_are_written(way, truths):
    kind, written = WAYS_TO_WRITE_TRUTHS[way]
    rows = table(pa.array([written[truth] for truth in truths], kind))
    schema, _ = told(rows, score="p")
    assert (schema.task, schema.labels) == (Task.BINARY, ("0", "1"))
    labels = reference_rows(schema, rows).labels
    assert [None if math.isnan(label) else label for label in labels] == truths


@pytest.mark.parametrize("way", WAYS_TO_WRITE_CLASSES)
@given(numbers=st.permutations([0, 1, 2, 2, None]))
def test_classes_are_in_their_order_however_they_are_written(way, numbers):
    kind, names = WAYS_TO_WRITE_CLASSES[way]
    values = [None if number is None else names[number] for number in numbers]
    rows = table(pa.array(values, kind))
    schema, notes = told(rows, scores=("p", "q", "r"))
    assert schema.task is Task.MULTICLASS
    assert schema.classes == tuple(str(name) for name in names)
    assert f"The classes are {', '.join(schema.classes)}, in this order." in notes
    labels = reference_rows(schema, rows).labels
    assert [None if math.isnan(label) else label for label in labels] == numbers


TOLD = {
    "0 and 1": ([0, 1], PLAIN, {"score": "p"}, Task.BINARY),
    "0 and 1 of a model that gives a number": ([0.0, 1.0], ONE_NUMBER, {"score": "p"}, Task.BINARY),
    "only zeros": ([0], PLAIN, {"score": "p"}, Task.BINARY),
    "0 and 1 predicted": ([0, 1], PLAIN, {"prediction": "y2"}, Task.BINARY),
    "two texts": (["no", "yes"], PLAIN, {"score": "p", "positive": "yes"}, Task.BINARY),
    "three texts": (TREES, PLAIN, {"prediction": "y2"}, Task.MULTICLASS),
    "whole numbers": (range(10), PLAIN, {"prediction": "y2"}, Task.MULTICLASS),
    "whole floats": ([1.0, 2.0, 5.0], ONE_NUMBER, {"prediction": "y2"}, Task.MULTICLASS),
    "100 classes": (range(100), PLAIN, {"prediction": "y2"}, Task.MULTICLASS),
    "grades of whose predictions some have fractions":
        ([0.5, 1.0, 1.5], PLAIN, {"prediction": "p"}, Task.REGRESSION),
    "many fractions": (np.arange(30) / 4, PLAIN, {"prediction": "whole"}, Task.REGRESSION),
    "a few fractions of a model that gives a number":
        ([0.5, 1.0, 1.5], ONE_NUMBER, {"prediction": "whole"}, Task.REGRESSION),
    "a few fractions, given": (
        [0.5, 1.0, 1.5], PLAIN, {"prediction": "p", "task": Task.REGRESSION}, Task.REGRESSION),
    "counts with fractions predicted": (range(7), PLAIN, {"prediction": "p"}, Task.REGRESSION),
    "many whole floats": (np.arange(101.0), PLAIN, {"prediction": "whole"}, Task.REGRESSION),
    "many whole numbers of a model that gives a number":
        (range(101), ONE_NUMBER, {"prediction": "y2"}, Task.REGRESSION),
}  # fmt: skip


@pytest.mark.parametrize("case", TOLD)
def test_the_task_is_told_where_it_is_certain(case):
    values, signature, said, task = TOLD[case]
    y = repeated(list(values))
    rows = table(y, y2=y, whole=[1] * N)
    schema, _ = told(rows, signature, **said)
    assert schema.task is task
    assert np.isfinite(reference_rows(schema, rows).labels).all()


ASKED = {
    "a few fractions": ([0.5, 1.0, 1.5], {},
        RegistryError, r"3 values such as 0.5, 1, 1.5.* give `task`, one of binary, multi"),
    "two fractions": ([0.5, 1.0], {}, RegistryError, r"2 values such as 0.5, 1,.* give `task`"),
    "many whole numbers": (range(101), {},
        RegistryError, r"101 values .* give `task`, one of .* or another `label`, one of \['p'"),
    "names of things": ([f"order {i}" for i in range(101)], {"prediction": "p"},
        RegistryError, r"101 values such as 'order 0'.* or another `label`"),
    "one text": (["yes"], {"score": None}, RegistryError, "1 values such as 'yes'.* give `task`"),
    "nothing": ([None], {}, RegistryError, "has no values, .* give `task`"),
    "two texts": (["no", "yes"], {"score": "p"},
        RegistryError, r"positive class .* holds no, yes; give `positive`, one of \['no', 'yes'\]"),
    "two numbers": ([-1, 1], {"score": "p"},
        RegistryError, r"positive class .* give `positive`, one of \['-1', '1'\]"),
    "a positive class that is not there": (["no", "yes"], {"score": "p", "positive": "ja"},
        RegistryError, r"give `positive`, one of \['no', 'yes'\]"),
    "a negative class that was not seen": (["yes"], {"score": "p", "positive": "yes"},
        RegistryError, "give `negative`, as it is written elsewhere"),
    "the score": ([0, 1], {}, RegistryError, r"give `score`, one of \['p', 'q', 'r'\]"),
    "the scores": (TREES, {}, RegistryError, "of the classes ash, elm, oak; give `scores`"),
    "the number": (np.arange(30) / 4, {}, RegistryError, r"give `prediction`, one of \['p', 'q"),
    "a label": ([0, 1], {"label": None}, RegistryError, r"give `label`, one of \['p', .*'y'\]"),
    "scores of an absent column": (TREES, {"scores": ("p", "q", "z")},
        RegistryError, r"'z' of dataset 'd' cannot be the scores; give `scores`, one of"),
    "scores of a class too few": (TREES, {"scores": {"ash": "p", "elm": "q"}},
        SchemaError, "no column for class 'oak' of label 'y'; there are ash, elm"),
    "scores in order, one too few": (TREES, {"scores": ("p", "q")},
        SchemaError, "3 `classes` but 2 `scores`"),
    "three classes with a score": (TREES, {"score": "p"},
        SchemaError, "has 3 values such as 'ash', .* give another `label`, or another `task`"),
    "a score of a regression": (np.arange(30) / 4, {"task": Task.REGRESSION, "score": "p"},
        SchemaError, "`score` is nothing that task regression has; give `prediction`, or another"),
    "both scores": (TREES, {"score": "p", "scores": ("p", "q", "r")},
        SchemaError, "`score` is nothing that task multiclass has"),
    "a probability as prediction": ([0, 1], {"prediction": "p"},
        SchemaError, "holds 0.5, which is no class; if it is a probability give it as `score`"),
    "fractions as classes": ([0.5, 1.5], {"task": Task.MULTICLASS, "prediction": "p"},
        SchemaError, "give `task` regression"),
    "too many classes": (range(101), {"task": Task.MULTICLASS, "scores": ("p",)},
        SchemaError, "2 to 100 classes; put rare ones together, or name another `label` or `task`"),
    "moments": ([datetime(2024, 1, 1, tzinfo=UTC)], {"score": "p"},
        SchemaError, "neither classes nor numbers; name another"),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_what_cannot_be_told_is_asked_for_by_name(case):
    values, said, error, message = ASKED[case]
    with pytest.raises(error, match=message):
        told(repeated(list(values)), **said)


def test_the_class_that_was_not_named_is_the_other_one():
    schema, notes = told(repeated(["no", "yes"]), score="p", negative="yes")
    assert (schema.positive, schema.negative) == ("no", "yes")
    assert "The positive class is 'no', the other one." in notes


def test_one_of_two_columns_of_the_same_name_cannot_be_the_label():
    rows = table([0, 1]).append_column("y", pa.array([1, 0]))
    with pytest.raises(RegistryError, match=r"'y' .* cannot be the label; .* \['p', 'q', 'r'\]"):
        told(rows, score="p")


def test_zeros_may_be_the_positive_class():
    schema, _ = told(repeated([0, 1]), score="p", positive="0")
    assert (schema.positive, schema.negative) == ("0", "1")


def test_classes_that_are_only_predicted_are_classes_too():
    schema, _ = told(repeated([2, 10, 11]), prediction="z", more={"z": repeated([2, 10, 3])})
    assert schema.classes == ("2", "3", "10", "11")


def test_a_class_without_rows_is_known_by_its_scores():
    schema, _ = told(repeated(["ash", "elm"]), scores={"ash": "p", "fir": "q", "elm": "r"})
    assert schema.task is Task.MULTICLASS
    assert (schema.classes, schema.scores) == (("ash", "fir", "elm"), ("p", "q", "r"))


def test_a_label_without_any_value_leaves_a_binary_classifier_that_was_given():
    schema, _ = told(pa.nulls(N), score="p")
    assert schema.labels == ("0", "1")


def test_every_assumption_is_a_sentence():
    for y, said in (
        (repeated([0, 1]), {"score": "p"}),
        (repeated(["no", "yes"]), {"prediction": "y", "label": "y2", "positive": "yes"}),
        (repeated(TREES), {"scores": ("p", "q", "r")}),
        (list(np.arange(N) / 8), {"prediction": "p"}),
    ):
        _, notes = told(table(y, y2=y), **said)
        assert notes
        assert all(note[0].isupper() and note.endswith(".") for note in notes)
