"""What tags of a dataset and arguments say; arguments come first."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import SchemaError
from tocsin.registry.roles import Roles
from tocsin.schema import Task

NAMES = st.text(min_size=1)


@given(st.dictionaries(NAMES, NAMES))
def test_scores_by_class_are_read_back_from_a_tag(scores):
    assert Roles().or_tags({"tocsin.scores": json.dumps(scores)}).scores == scores


@given(st.lists(NAMES.map(str.strip)))
def test_scores_in_order_are_read_back_from_a_tag(scores):
    assert Roles().or_tags({"tocsin.scores": json.dumps(scores)}).scores == tuple(scores)


def test_scores_may_be_a_list_with_commas():
    assert Roles().or_tags({"tocsin.scores": "p_no, p_yes"}).scores == ("p_no", "p_yes")


def test_every_role_can_be_a_tag():
    tags = {
        "tocsin.task": "Binary",
        "tocsin.label": "left",
        "tocsin.score": "risk",
        "tocsin.prediction": "guess",
        "tocsin.positive": "yes",
        "tocsin.negative": "no",
        "mlflow.data.context": "training",
    }
    assert Roles().or_tags(tags) == Roles(
        Task.BINARY, "left", "risk", "guess", positive="yes", negative="no"
    )


def test_arguments_come_first():
    tags = {"tocsin.label": "left", "tocsin.score": "risk", "tocsin.task": "?"}
    said = Roles(task=Task.BINARY, label="note")
    assert said.or_tags(tags) == Roles(task=Task.BINARY, label="note", score="risk")


def test_tags_of_another_task_than_the_argument_are_passed_over():
    tags = {"tocsin.label": "y", "tocsin.score": "p", "tocsin.prediction": "z"}
    said = Roles(task=Task.REGRESSION).or_tags(tags)
    assert said == Roles(task=Task.REGRESSION, label="y", prediction="z")


@pytest.mark.parametrize(
    ("tag", "text", "message"),
    [
        ("task", "ranking", "none of binary, multiclass, regression; give `task`"),
        ("scores", "[", "is no JSON: .*; give `scores`"),
        ("scores", "[1, 2]", "names of columns; give `scores`"),
        ("scores", '{"a": null}', "names of columns; give `scores`"),
    ],
)
def test_a_tag_that_cannot_be_read_is_named_with_its_remedy(tag, text, message):
    with pytest.raises(SchemaError, match=f"tag tocsin.{tag} .*{message}"):
        Roles().or_tags({f"tocsin.{tag}": text})
