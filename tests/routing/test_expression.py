"""Expressions: as Python's on whole texts, but in time that the length bounds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import InvalidInputError
from tocsin.routing.expression import Expression

TEXTS = st.text("abAB01 \n_-.", max_size=6)
LETTERS = st.sampled_from(
    ["a", "b", "B", "0", ".", r"\.", "[ab]", "[^a]", "[a-c_]", r"\d", r"\W", r"[\d-]", "[]a]", "-"]
)
PATTERNS = st.recursive(
    LETTERS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])).map(
            lambda two: f"({two[0]}){two[1]}"
        ),
        inner.map(lambda part: f"^{part}"),
        inner.map(lambda part: f"{part}$"),
        inner.map(lambda part: f"(?:{part}|)"),
    ),
    max_leaves=6,
)


@given(PATTERNS, TEXTS, st.booleans())
def test_it_matches_what_python_matches(pattern: str, text: str, folded: bool) -> None:
    pattern = "(?i)" * folded + pattern
    # Python's `$` also holds before a last newline, that of RE2 only at the end.
    theirs = re.fullmatch(pattern.replace("$", r"\Z"), text, re.ASCII)
    assert Expression(pattern).matches(text) == (theirs is not None)


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*", "(a*)*b", "((a?){9}){9}"])
def test_what_takes_others_forever_takes_a_moment(pattern: str) -> None:
    assert not Expression(pattern).matches("a" * 3_000 + "c")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(a", "never closed"),
        ("a)", "closes nothing"),
        ("[a", "never closed"),
        ("*a", "repeats nothing"),
        ("a**", "a repeat of a repeat"),
        ("a{2", "without numbers"),
        ("a{x}", "without numbers"),
        ("a{3,2}", "at least 3 and at most 2"),
        ("a{1001}", "more than 1000"),
        ("(?=a)", "looks around"),
        (r"(a)\1", "back references"),
        (r"\b", "nobody knows"),
        ("a\\", "nobody knows"),
        ("[b-a]", "ends before it begins"),
        ("[[:alpha:]]", "a class with a name"),
        ("a" * 1_001, "too long"),
        ("(a{99}){99}", "too large"),
        ("((((){1000}){1000}){1000}){1000}", "too large"),
        ("(" * 60 + ")" * 60, "within more than 50"),
    ],
)
def test_what_cannot_be_read_says_why(pattern: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        Expression(pattern)
