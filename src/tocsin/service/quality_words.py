"""What is said of the quality of data, in sentences."""

from tocsin.drift import ENOUGH_ROWS
from tocsin.quality import Freshness, QualityVerdict, expected_words, percent
from tocsin.service.data_quality import Labels, Measured, QualityPoint
from tocsin.values import DAY, HOUR, MINUTE, Bounded, Undefined


def as_sentence(text: str) -> str:
    """A reason with a full stop; a name in backticks stays as it is.

    >>> as_sentence("at most 2.0 %, as declared"), as_sentence("`age` is stuck")
    ('At most 2.0 %, as declared.', '`age` is stuck.')
    """
    return f"{text[:1].upper()}{text[1:]}."


def measured_sentence(measured: Measured) -> str:
    """A check of a window: what was found, or that it is as expected."""
    if measured.finding is not None:
        return as_sentence(measured.finding.reason)
    if isinstance(measured.measure, Undefined):
        return as_sentence(measured.measure.reason)
    value = value_words(measured)
    if measured.verdict is QualityVerdict.INSUFFICIENT:
        if measured.unsure:
            return f"{value}; beyond what is expected, but of so few rows that could be chance."
        return f"{value}; too few rows to judge it."
    expected = expected_words(measured.expectation)
    if _is_beyond(measured):
        return f"{value}; more than the reference has, but not unlike earlier windows or far out."
    return f"{value}, as expected: {expected}."


def why_words(measured: Measured) -> str:
    """Why the verdict is what it is, where the number and what is expected do not tell."""
    if isinstance(measured.measure, Undefined):
        return ""
    told = measured.finding is not None or measured.unsure or _is_beyond(measured)
    return measured_sentence(measured) if told else ""


def _is_beyond(measured: Measured) -> bool:
    """Whether a share is over its limit and that is nobody's concern."""
    if not isinstance(measured.measure, Bounded) or measured.expectation.off:
        return False
    return measured.cell.check.share and measured.measure.value > measured.expectation.limit


def quality_sentence(point: QualityPoint) -> str:
    """How the data of a window is, in a sentence."""
    broken = [f for f in point.findings if f.verdict is QualityVerdict.VIOLATED]
    if broken:
        names = list(dict.fromkeys(f.feature or "all rows" for f in broken))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        checks = "1 check" if len(broken) == 1 else f"{len(broken)} checks"
        return f"Not as expected: {', '.join(names[:3])}{more} ({checks})."
    if point.rows < ENOUGH_ROWS:
        return f"{point.rows} of {ENOUGH_ROWS} rows: too few to judge."
    if any(f.verdict is QualityVerdict.LEARNING for f in point.findings):
        return "Nothing is surely wrong; of some checks it cannot be told yet."
    return "As expected."


def by_feature(point: QualityPoint) -> dict[str, dict[str, Measured]]:
    """The checks of each feature by their names."""
    found: dict[str, dict[str, Measured]] = {}
    for measured in point.measured:
        if measured.cell.feature:
            found.setdefault(measured.cell.feature, {})[measured.cell.check.name] = measured
    return found


def value_words(measured: Measured) -> str:
    """A share of so many rows, or how many known values were seen."""
    measure = measured.measure
    assert isinstance(measure, Bounded)
    if not measured.cell.check.share:
        return f"{measure.value:.0f} of {measured.expectation.limit:.0f} known values"
    return f"{percent(measure.value)} of {measure.n:,} rows"


def labels_sentence(labels: Labels) -> str:
    """Whether as many labels came as should have by now."""
    if labels.expected is None:
        return f"{labels.labelled:,} labels; how many to expect by now is not learned yet."
    if labels.missing is None:
        return f"{labels.labelled:,} labels; none is expected yet."
    if labels.missing == 0:
        return f"{labels.labelled:,} labels, as many as expected by now."
    return (
        f"{labels.labelled:,} labels, where {labels.expected:,.0f} are expected by now: "
        f"{percent(labels.missing)} are missing."
    )


def freshness_sentence(found: Freshness) -> str:
    """How long ago the newest prediction was made, and whether that is too long."""
    if found.age is None:
        return as_sentence(found.reason)
    ago = f"The newest prediction is {ago_words(found.age)} old"
    if found.limit is None:
        return f"{ago}; {found.reason}."
    limit = f"{ago_words(found.limit)} {'are declared' if found.declared else 'are usual at most'}"
    if found.usual is not None and not found.declared:
        limit = f"the longest gap of the last weeks is {ago_words(found.usual)}"
    return f"No data: {ago[:1].lower()}{ago[1:]}; {limit}." if found.stale else f"{ago}; {limit}."


def ago_words(span: int) -> str:
    """A span in its largest unit.

    >>> ago_words(90 * MINUTE), ago_words(3 * DAY), ago_words(5)
    ('1.5 h', '3 days', '0 min')
    """
    if span >= 2 * DAY:
        return f"{span / DAY:,.0f} days"
    if span >= HOUR:
        return f"{span / HOUR:.3g} h"
    return f"{span / MINUTE:.0f} min"
