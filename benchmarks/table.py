"""The table of ratios, as text and as JSON."""

import json
from dataclasses import dataclass
from pathlib import Path

HEADER = ("work", "rows", "Tocsin s", "other", "other s", "ratio", "bar", "reached")


@dataclass(frozen=True)
class Bar:
    """What a comparison must reach: a ratio between two ends, and seconds where they matter."""

    least: float
    most: float | None = None
    within_s: float | None = None

    def __str__(self) -> str:
        ratio = f">= {self.least:g}" if self.most is None else f"{self.least:g} to {self.most:g}"
        return ratio if self.within_s is None else f"{ratio}, <= {self.within_s:g} s"

    def reached(self, tocsin_s: float, ratio: float) -> bool:
        """Whether all of it is."""
        return (
            ratio >= self.least
            and (self.most is None or ratio <= self.most)
            and (self.within_s is None or tocsin_s <= self.within_s)
        )


@dataclass(frozen=True)
class Row:
    """One comparison."""

    work: str
    rows: int
    tocsin_s: float
    other: str
    other_s: float
    bar: Bar | None = None

    @property
    def ratio(self) -> float:
        """How many times as long the other takes."""
        return self.other_s / self.tocsin_s

    def cells(self) -> tuple[str, ...]:
        """The row as it is printed."""
        bar, reached = "", ""
        if self.bar is not None:
            bar = str(self.bar)
            reached = "yes" if self.bar.reached(self.tocsin_s, self.ratio) else "no"
        ratio = f"{self.ratio:.2f}" if self.ratio < 10 else f"{self.ratio:.0f}"
        times = (f"{self.tocsin_s:.3f}", self.other, f"{self.other_s:.3f}")
        return (self.work, f"{self.rows:,}", *times, ratio, bar, reached)

    def document(self) -> dict[str, str | int | float]:
        """The row as JSON types."""
        names = ("work", "rows", "tocsin_s", "other", "other_s", "ratio")
        return {name: getattr(self, name) for name in names}


def text(rows: list[Row]) -> str:
    """Aligned lines under a header; numbers to the right."""
    lines = [HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    right = {HEADER.index(name) for name in ("rows", "Tocsin s", "other s", "ratio")}

    def aligned(line: tuple[str, ...]) -> str:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    head, *body = map(aligned, lines)
    return "\n".join([head, "-" * max(map(len, [head, *body])), *body])


def write(rows: list[Row], file: Path) -> None:
    """The rows as a JSON list."""
    file.write_text(json.dumps([row.document() for row in rows], indent=2) + "\n")
