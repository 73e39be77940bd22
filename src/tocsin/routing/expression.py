"""Regular expressions that match a whole text, in time that its length bounds.

Python's own go back and try again: `(a+)+` over thirty letters takes minutes, and a label is what
somebody else sent. Here all states are followed at once, after Thompson.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from tocsin.errors import InvalidInputError
from tocsin.routing.syntax import Alternatives, Letters, Node, Place, Repeat, Sequence, parsed

MOST_STATES = 1_000


@dataclass(frozen=True)
class _Step:
    """One state of the machine.

    letters: what it consumes on the way to `after`; None where it consumes nothing.
    place: "^" or "$", where only there it may be gone through.
    """

    after: tuple[int, ...]
    letters: Letters | None = None
    place: str = ""


class Expression:
    """A regular expression over whole texts.

    Source: Thompson (1968), doi:10.1145/363347.363387.

    >>> Expression("prod|staging").matches("prod"), Expression("prod").matches("production")
    (True, False)
    """

    def __init__(self, pattern: str) -> None:
        """Read a pattern. Raises: InvalidInputError that names the place and the remedy."""
        self.pattern = pattern
        self._steps: list[_Step] = []
        self._nodes = 0
        self._end = self._add(_Step(()))
        self._start = self._built(parsed(pattern), self._end)

    def matches(self, text: str) -> bool:
        """Whether the whole text is of this form; takes len(text) times MOST_STATES at most."""
        now = self._reached([self._start], at_start=True, at_end=not text)
        for i, letter in enumerate(text):
            moved = {
                after
                for state in now
                if (step := self._steps[state]).letters is not None and letter in step.letters
                for after in step.after
            }
            if not moved:
                return False
            now = self._reached(moved, at_start=False, at_end=i + 1 == len(text))
        return self._end in now

    def _reached(self, states: Iterable[int], *, at_start: bool, at_end: bool) -> set[int]:
        """The states themselves, and all that they lead to without a letter."""
        seen: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            step = self._steps[state]
            closed = (step.place == "^" and not at_start) or (step.place == "$" and not at_end)
            if state in seen or closed:
                continue
            seen.add(state)
            if step.letters is None:
                waiting += step.after
        return seen

    def _add(self, step: _Step) -> int:
        self._check(len(self._steps) + 1, MOST_STATES)
        self._steps.append(step)
        return len(self._steps) - 1

    def _check(self, count: int, most: int) -> None:
        if count > most:
            raise InvalidInputError(
                f"the expression {self.pattern!r} is too large; write fewer alternatives, or "
                "smaller numbers in braces"
            )

    def _built(self, node: Node, after: int) -> int:
        """Add the states of a node; the first of them."""
        # Groups of nothing have no states, however often they are repeated.
        self._nodes += 1
        self._check(self._nodes, 10 * MOST_STATES)
        match node:
            case Letters():
                return self._add(_Step((after,), letters=node))
            case Place(sign):
                return self._add(_Step((after,), place=sign))
            case Sequence(parts):
                for part in reversed(parts):
                    after = self._built(part, after)
                return after
            case Alternatives(choices):
                return self._add(_Step(tuple(self._built(choice, after) for choice in choices)))
            case Repeat(part, least, most):
                return self._repeated(part, least, most, after)

    def _repeated(self, part: Node, least: int, most: int | None, after: int) -> int:
        if most is None:
            again = self._add(_Step(()))
            self._steps[again] = _Step((self._built(part, again), after))
            after = again
        else:
            end = after
            for _ in range(most - least):
                after = self._add(_Step((self._built(part, after), end)))
        for _ in range(least):
            after = self._built(part, after)
        return after


@lru_cache(maxsize=1_000)
def expression(pattern: str) -> Expression:
    """An expression, read once. Raises: InvalidInputError."""
    return Expression(pattern)
