"""Where each sum of a profile lies in its vector."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tocsin.values import DAY, HOUR, MINUTE

# Sums over rows that every task has; those from `labelled` on are over labelled rows.
COMMON_TOTALS = (
    "n",
    "missing_scores",
    "score",
    "score_squared",
    "expected_loss",
    "expected_loss_squared",
    "labelled",
    "label",
    "loss",
    "loss_squared",
)
# Of each score bin; rows without a score are in none.
SCORE_FIELDS = ("n", "score", "negatives", "positives")
# Of each bin of a feature: the first half over all rows, the second over labelled ones.
FEATURE_FIELDS = (
    "n", "value", "score", "expected_loss", "labelled", "label", "loss", "loss_squared",
)  # fmt: skip
# Of each ratio of declared expressions, over the rows on which both are known.
RATIO_FIELDS = ("n", "sum", "per", "sum_squared", "per_squared", "product")
# Upper ends of the label-delay bins; the last bin is open.
DELAY_EDGES = np.array(
    [m * MINUTE for m in (0, 1, 5, 15, 30)]
    + [h * HOUR for h in (1, 2, 3, 4, 6, 8, 12, 18)]
    + [d * DAY for d in (1, 2, 3, 5, 7, 14, 21, 30, 60, 90)],
    dtype=np.int64,
)

TOTALS, DELAYS = "totals", "delays"


@dataclass(frozen=True)
class Shape:
    """A part of the vector: `bins` rows of the same fields."""

    name: str
    bins: int
    fields: tuple[str, ...] = ("n",)


@dataclass(frozen=True)
class Block:
    """A part with its place: bin b, field f is at start + b * len(fields) + f."""

    start: int
    bins: int
    fields: tuple[str, ...]

    @property
    def stop(self) -> int:
        """Where the next part begins."""
        return self.start + self.bins * len(self.fields)


@dataclass(frozen=True)
class Layout:
    """All parts of a vector by name, one after the other."""

    blocks: Mapping[str, Block]
    size: int

    @classmethod
    def of(cls, shapes: Iterable[Shape]) -> "Layout":
        """The layout of parts in this order."""
        blocks: dict[str, Block] = {}
        at = 0
        for shape in shapes:
            blocks[shape.name] = Block(at, shape.bins, shape.fields)
            at = blocks[shape.name].stop
        return cls(blocks, at)
