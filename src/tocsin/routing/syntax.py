"""The text of a regular expression as a tree: what RE2 and Python both read alike."""

from dataclasses import dataclass
from typing import NoReturn

from tocsin.errors import InvalidInputError

MOST_LETTERS = 1_000
_MOST_REPEATS = 1_000
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_CLASSES = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "s": ((" ", " "), ("\t", "\n"), ("\f", "\r")),
}


@dataclass(frozen=True)
class Letters:
    """One letter of these ranges, or of none of them.

    folded: upper and lower case are alike.
    """

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False
    folded: bool = False

    def __contains__(self, letter: str) -> bool:
        alike = {letter, letter.lower(), letter.upper()} if self.folded else {letter}
        # The upper case of some letters is two.
        single = [each for each in alike if len(each) == 1]
        found = any(low <= each <= high for each in single for low, high in self.ranges)
        return found != self.negated


@dataclass(frozen=True)
class Place:
    """The start `^` or the end `$` of the text."""

    sign: str


@dataclass(frozen=True)
class Sequence:
    """One after the other."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Alternatives:
    """One of these."""

    choices: tuple["Node", ...]


@dataclass(frozen=True)
class Repeat:
    """Between `least` and `most` times, without end where it is None."""

    part: "Node"
    least: int
    most: int | None


Node = Letters | Place | Sequence | Alternatives | Repeat


def parsed(pattern: str) -> Node:
    """A pattern as a tree. Raises: InvalidInputError that names the place and the remedy."""
    return _Reader(pattern).whole()


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._folded = pattern.startswith("(?i)")
        self._at = 4 if self._folded else 0
        self._depth = 0

    def whole(self) -> Node:
        if len(self._pattern) > MOST_LETTERS:
            raise InvalidInputError(
                f"an expression of {len(self._pattern)} letters is too long; at most {MOST_LETTERS}"
            )
        node = self._alternatives()
        if self._at < len(self._pattern):
            self._fault("a `)` that closes nothing; write \\) for the letter")
        return node

    def _fault(self, what: str) -> NoReturn:
        raise InvalidInputError(f"the expression {self._pattern!r} has, at {self._at + 1}, {what}")

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        letter = self._peek()
        self._at += 1
        return letter

    def _alternatives(self) -> Node:
        choices = [self._sequence()]
        while self._peek() == "|":
            self._take()
            choices.append(self._sequence())
        return choices[0] if len(choices) == 1 else Alternatives(tuple(choices))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeats(self._atom()))
        return Sequence(tuple(parts))

    def _atom(self) -> Node:
        letter = self._take()
        if letter == "(":
            return self._group()
        if letter == "[":
            return self._class()
        if letter == ".":
            return Letters((("\n", "\n"),), negated=True)
        if letter in "^$":
            return Place(letter)
        if letter == "\\":
            return self._escape()
        if letter in "*+?{":
            self._at -= 1
            self._fault(f"a `{letter}` that repeats nothing; write \\{letter} for the letter")
        return Letters(((letter, letter),), folded=self._folded)

    def _group(self) -> Node:
        if self._peek() == "?":
            if self._pattern[self._at : self._at + 2] != "?:":
                self._fault("a group that looks around or has a name; write (...) or (?:...)")
            self._at += 2
        self._depth += 1
        if self._depth > 50:
            self._fault("groups within more than 50 others")
        node = self._alternatives()
        self._depth -= 1
        if self._take() != ")":
            self._fault("a `(` that is never closed; write \\( for the letter")
        return node

    def _repeats(self, part: Node) -> Node:
        """The part with what says how often; `?` after that asks for the fewest, which is alike."""
        sign = self._peek()
        if sign not in ("*", "+", "?", "{"):
            return part
        self._take()
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(sign) or self._braces()
        if self._peek() == "?":
            self._take()
        if self._peek() in ("*", "+", "?", "{"):
            self._fault("a repeat of a repeat; write a group around the first")
        return Repeat(part, least, most)

    def _braces(self) -> tuple[int, int | None]:
        inside, closed, _ = self._pattern[self._at :].partition("}")
        low, comma, high = inside.partition(",")
        numbers = [low, *([high] if high else [])]
        if not closed or not all(number.isascii() and number.isdigit() for number in numbers):
            self._fault("a `{` without numbers such as {2} or {2,3}; write \\{ for the letter")
        self._at += len(inside) + 1
        least = int(low)
        most = int(high) if high else None if comma else least
        if max(map(int, numbers)) > _MOST_REPEATS:
            self._fault(f"a repeat of more than {_MOST_REPEATS} times")
        if most is not None and most < least:
            self._fault(f"a repeat of at least {least} and at most {most} times")
        return least, most

    def _escape(self) -> Letters:
        letter = self._take()
        if letter.lower() in _CLASSES:
            return Letters(_CLASSES[letter.lower()], negated=letter.isupper())
        plain = self._plain(letter)
        return Letters(((plain, plain),), folded=self._folded)

    def _plain(self, letter: str) -> str:
        """The letter that an escape stands for."""
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if not letter or letter.isalnum():
            self._fault(f"`\\{letter}`, which nobody knows; back references are not read")
        return letter

    def _class(self) -> Letters:
        negated = self._peek() == "^"
        if negated:
            self._take()
        ranges: list[tuple[str, str]] = []
        first = True
        while first or self._peek() != "]":
            if not self._peek():
                self._fault("a `[` that is never closed; write \\[ for the letter")
            ranges += self._range()
            first = False
        self._take()
        return Letters(tuple(ranges), negated=negated, folded=self._folded)

    def _range(self) -> tuple[tuple[str, str], ...]:
        low = self._take()
        if low == "[" and self._peek() == ":":
            self._fault("a class with a name; write the letters, such as a-z")
        if low == "\\":
            escaped = self._take()
            if escaped in _CLASSES:
                return _CLASSES[escaped]
            low = self._plain(escaped)
        after = self._pattern[self._at + 1 : self._at + 2]
        if self._peek() != "-" or after in ("]", ""):
            return ((low, low),)
        self._take()
        high = self._take()
        if high == "\\":
            high = self._plain(self._take())
        if high < low:
            self._fault(f"a range that ends before it begins, {low}-{high}")
        return ((low, high),)
