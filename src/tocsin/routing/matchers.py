"""Which labels are meant: `severity="critical"`, `team!="a"`, `model=~"flight.*"`, `team!~"x"`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tocsin.errors import InvalidInputError
from tocsin.routing.expression import expression

Labels = Mapping[str, str]
_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"\s*')
_BARE = re.compile(r'[^\s"{},]*\s*')
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


class Match(StrEnum):
    """How a label is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LIKE = "=~"
    NOT_LIKE = "!~"


@dataclass(frozen=True, order=True)
class Matcher:
    """One condition on one label. A label that is not there is like one that is empty.

    Raises: InvalidInputError for an expression that cannot be read.

    >>> Matcher("team", Match.LIKE, "a|b").holds("a"), Matcher("team", Match.EQUAL, "").matches({})
    (True, True)
    """

    name: str
    match: Match
    value: str

    def __post_init__(self) -> None:
        if self.match in (Match.LIKE, Match.NOT_LIKE):
            expression(self.value)

    def holds(self, value: str) -> bool:
        """Whether it holds of the label's value."""
        if self.match is Match.EQUAL:
            return value == self.value
        if self.match is Match.NOT_EQUAL:
            return value != self.value
        return expression(self.value).matches(value) == (self.match is Match.LIKE)

    def matches(self, labels: Labels) -> bool:
        """Whether it holds of these labels."""
        return self.holds(labels.get(self.name, ""))

    def __str__(self) -> str:
        """As `parse_matchers` reads it."""
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.match}"{escaped}"'


def all_match(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Whether every one of them holds; true of none."""
    return all(matcher.matches(labels) for matcher in matchers)


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers of a text, with commas between and perhaps braces around.

    Raises: InvalidInputError that says what it stopped at.

    >>> [str(each) for each in parse_matchers('{severity="critical", team!~"a|b"}')]
    ['severity="critical"', 'team!~"a|b"']
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    found: list[Matcher] = []
    rest = inner
    while rest.strip():
        matcher, rest = _first(rest, text)
        found.append(matcher)
        if rest and not rest.startswith(","):
            raise InvalidInputError(
                f"the matchers {text!r} go on with {rest[:20]!r}; put a comma between two, and a "
                "value with blanks or commas into quotes"
            )
        rest = rest[1:]
    return tuple(found)


def parse_matcher(text: str) -> Matcher:
    """The one matcher of a text. Raises: InvalidInputError."""
    found = parse_matchers(text)
    if len(found) != 1:
        raise InvalidInputError(f'{text!r} is not one matcher; write one such as model="flights"')
    return found[0]


def _first(rest: str, text: str) -> tuple[Matcher, str]:
    head = _NAME.match(rest)
    if head is None:
        raise InvalidInputError(
            f"{rest.strip()[:40]!r} of the matchers {text!r} is none; write a label's name, one of "
            '= != =~ !~, and a value, such as severity="critical"'
        )
    after = rest[head.end() :]
    quoted = _QUOTED.match(after)
    if quoted is not None:
        value = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), quoted[1])
        end = quoted.end()
    else:
        bare = _BARE.match(after)
        assert bare is not None
        value, end = bare[0].strip(), bare.end()
        if after.startswith('"'):
            raise InvalidInputError(f"the matchers {text!r} have a quote that is never closed")
    return Matcher(head[1], Match(head[2]), value), after[end:]
