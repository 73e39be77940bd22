"""Matchers: their text, and what they hold of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import InvalidInputError
from tocsin.routing import Match, Matcher, parse_matcher, parse_matchers

NAMES = st.sampled_from(["a", "severity", "_x9"])
PLAIN = st.builds(
    Matcher, NAMES, st.sampled_from([Match.EQUAL, Match.NOT_EQUAL]), st.text(max_size=8)
)
LIKE = st.builds(
    Matcher, NAMES, st.sampled_from([Match.LIKE, Match.NOT_LIKE]), st.sampled_from(["a|b", r"\d+"])
)


@given(st.lists(PLAIN | LIKE, max_size=4), st.booleans())
def test_matchers_read_back_what_they_write(matchers: list[Matcher], braces: bool) -> None:
    text = ", ".join(map(str, matchers))
    assert parse_matchers(f"{{{text}}}" if braces else text) == tuple(matchers)


@given(PLAIN | LIKE, st.dictionaries(NAMES, st.text("ab1", max_size=3)))
def test_a_negation_holds_where_the_other_does_not(
    matcher: Matcher, labels: dict[str, str]
) -> None:
    opposite = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}[matcher.match]
    negated = Matcher(matcher.name, Match(opposite), matcher.value)
    assert matcher.matches(labels) != negated.matches(labels)


@given(PLAIN | LIKE)
def test_a_label_that_is_not_there_is_like_an_empty_one(matcher: Matcher) -> None:
    assert matcher.matches({}) == matcher.matches({matcher.name: ""})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("severity=critical", Matcher("severity", Match.EQUAL, "critical")),
        (' team !~ "x|y" ', Matcher("team", Match.NOT_LIKE, "x|y")),
        (r'a="say \"hi\"\n\\"', Matcher("a", Match.EQUAL, 'say "hi"\n\\')),
        ('a="x, y"', Matcher("a", Match.EQUAL, "x, y")),
        ("a=", Matcher("a", Match.EQUAL, "")),
    ],
)
def test_the_text_is_that_of_alertmanager(text: str, expected: Matcher) -> None:
    assert parse_matcher(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("severity", "write a label's name"),
        ("9a=b", "write a label's name"),
        ('a="b', "never closed"),
        ("a=b c=d", "put a comma between two"),
        ('a="b"c="d"', "put a comma between two"),
        ('a=~"("', "never closed"),
        ("a=b,,c=d", "write a label's name"),
    ],
)
def test_what_cannot_be_read_says_what_to_write(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        parse_matchers(text)


def test_one_matcher_is_neither_none_nor_two() -> None:
    for text in ("", "a=b,c=d"):
        with pytest.raises(InvalidInputError, match="not one matcher"):
            parse_matcher(text)
