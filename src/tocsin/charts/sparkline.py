"""A small line as inline SVG: drawn on the server, so that a page of models shows at once."""

from collections.abc import Sequence

_HEIGHT, _WIDTH, _PAD = 28, 132, 3


def sparkline(values: Sequence[float | None], reference: float | None = None) -> str:
    """A line over its reference, the newest value as a dot; None is a gap.

    Returns: an `<svg>` that has classes instead of colours, hidden from screen readers, since the
    number is written beside it; empty text when there is nothing to draw.
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = _domain(known, reference)

    def x(index: int) -> float:
        return _PAD + index * (_WIDTH - 2 * _PAD) / max(len(values) - 1, 1)

    def y(value: float) -> float:
        return _HEIGHT - _PAD - (value - low) / (high - low) * (_HEIGHT - 2 * _PAD)

    parts = []
    if reference is not None:
        at = f"{y(reference):.1f}"
        parts.append(f'<line class="spark-reference" x1="0" x2="{_WIDTH}" y1="{at}" y2="{at}"/>')
    path, pen_down = [], False
    for index, value in enumerate(values):
        if value is None:
            pen_down = False
            continue
        path.append(f"{'L' if pen_down else 'M'}{x(index):.1f} {y(value):.1f}")
        pen_down = True
    parts.append(f'<path class="spark-line" d="{"".join(path)}"/>')
    newest = max(i for i, value in enumerate(values) if value is not None)
    last = known[-1]
    parts.append(f'<circle class="spark-now" cx="{x(newest):.1f}" cy="{y(last):.1f}" r="2.25"/>')
    return (
        f'<svg class="spark" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )


def _domain(known: Sequence[float], reference: float | None) -> tuple[float, float]:
    """The range to draw, never narrower than 2 % of the level: noise is no mountain range."""
    drawn = [*known, *([] if reference is None else [reference])]
    low, high = min(drawn), max(drawn)
    least = 0.02 * max(abs(low), abs(high)) or 1.0
    slack = max(0.0, least - (high - low)) / 2
    return low - slack, high + slack
