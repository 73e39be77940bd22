"""Reasons that differ in the value alone are of one kind, whatever the value is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.world import Feed, outcome, prediction

from tocsin.service.reasons import kind_of_reason

SAID = {
    "inputs.distance: expected a number, not {}": "inputs.distance: expected a number, not …",
    "inputs has to be an object, not {}": "inputs has to be an object, not …",
    "outputs.p: {} is not a probability in [0, 1]": "outputs.p: … is not a probability in [0, 1]",
    "label: {} is none of the classes 0, 1": "label: … is none of the classes 0, 1",
    "inputs.x: {} is too large": "inputs.x: … is too large",
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("said", SAID)
@given(value=values)
def test_the_value_of_a_reason_does_not_matter(said: str, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)[:80]
    assert kind_of_reason(said.format(text)) == SAID[said]


@pytest.mark.parametrize(
    "reason",
    ["outputs.p is missing", "prediction_id is missing: an outcome has to say whose it is"],
)
def test_a_reason_without_a_value_stays(reason: str) -> None:
    assert kind_of_reason(reason) == reason


def test_ten_thousand_values_that_do_not_fit_are_one_group(feed: Feed) -> None:
    feed.predictions(*(prediction(f"a{i}", p=2 + i) for i in range(5_000)))
    feed.predictions(*(prediction(f"b{i}", distance=f"far {i}") for i in range(3_000)))
    feed.predictions(
        prediction("good"),
    )
    feed.outcomes(*(outcome(f"a{i}", f"maybe {i}") for i in range(100)))
    feed.work()

    groups = feed.app.quarantine.groups("late")
    assert [(group.kind, group.rows) for group in groups] == [
        ("predictions", 5_000),
        ("predictions", 3_000),
        ("outcomes", 100),
    ]
    assert groups[0].reason == "outputs.p: … is not a probability in [0, 1]"
    assert groups[0].example["outputs"]["p"] == float(
        groups[0].example_reason.split(": ")[1].split(" ")[0]
    )


def test_the_reason_of_a_group_says_which_rows_to_replay(feed: Feed) -> None:
    feed.predictions(*(prediction(f"a{i}", p=2 + i) for i in range(5)))
    feed.predictions(*(prediction(f"b{i}", distance=f"far {i}") for i in range(3)))
    feed.work()
    quarantine = feed.app.quarantine
    group = quarantine.groups("late")[0]

    again = quarantine.replay("late", reason=group.reason)
    assert (again.accepted, again.kept, again.reasons) == (0, 5, ((group.reason, 5),))
    named = quarantine.replay("late", reason="far 2")
    assert (named.kept, named.reasons[0][1]) == (1, 1)
