"""The tree of errors is as it is drawn."""

import inspect
import re

import pytest

from tocsin import errors
from tocsin.errors import (
    DeliveryError,
    InvalidInputError,
    MalformedBodyError,
    TocsinError,
    UnknownModelError,
)

CLASSES = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if found.__module__ == errors.__name__
}


def drawn() -> dict[str, str | None]:
    """Each class of the docstring, and the class above it."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"([│├└─ ]*)(\w+Error)\b", line):
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            parents[match[2]] = path[-2] if depth else None
    return parents


def test_the_tree_is_drawn_as_it_is() -> None:
    real = {
        name: None if found is TocsinError else found.__bases__[0].__name__
        for name, found in CLASSES.items()
    }
    assert drawn() == real
    assert len(real) >= 10


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_is_a_tocsin_error_and_named_so(name: str) -> None:
    assert issubclass(CLASSES[name], TocsinError)
    assert name.endswith("Error")
    assert inspect.getdoc(CLASSES[name])


def test_an_unknown_model_is_named_with_the_way_to_add_it() -> None:
    message = str(UnknownModelError("late"))
    assert "'late'" in message
    assert "PUT /api/v1/models/late" in message
    assert "tocsin watch models:/late@champion" in message
    assert isinstance(UnknownModelError("late"), InvalidInputError)


def test_a_malformed_body_says_where() -> None:
    assert MalformedBodyError("no JSON", 7).position == 7
    assert MalformedBodyError("no JSON").position is None


@pytest.mark.parametrize("permanent", [True, False])
def test_a_delivery_says_whether_to_try_again(permanent: bool) -> None:
    error = DeliveryError("gone", permanent=permanent, retry_after_s=3.0)
    assert (str(error), error.permanent, error.retry_after_s) == ("gone", permanent, 3.0)
    assert DeliveryError("gone", permanent=permanent).retry_after_s is None
