"""What was found of the data, as causes: those that the reference never had need no history."""

from collections.abc import Collection, Sequence
from math import sqrt

from tocsin.causes.cause import Cause, Evidence, Likelihood
from tocsin.causes.whole import MISSING_ROWS, MORE_ROWS
from tocsin.profiles import Profile
from tocsin.quality import VOLUME, Finding, QualityVerdict, percent

# As the ranking calls the same.
_KINDS = {
    "null_rate": "nulls",
    "non_finite_rate": "nulls",
    "unseen_rate": "unseen",
    "out_of_range_rate": "out_of_range",
    "top_share": "stuck",
    "cardinality": "missing_values",
    "duplicate_rate": "repeats",
    "quarantine_rate": "quarantine",
    "missing_score_rate": "missing_scores",
    "uncounted_label_rate": "uncounted_labels",
    "unknown_field_rate": "unknown_fields",
}
# Just likely, and more so the more rows show it: what the ranking knows more of comes before.
_SCORE, _BY_EXTENT = 0.6, 0.2


def causes_of_findings(
    reference: Profile, current: Profile, findings: Sequence[Finding], known: Collection[Cause]
) -> tuple[Cause, ...]:
    """The causes that violated checks are; known: of its features and kinds nothing is added.

    How much of a change goes with them is not known.
    """
    seen: set[str | None] = {cause.feature or cause.kind for cause in known}
    found = []
    for finding in findings:
        kind = _kind(finding)
        if finding.verdict is not QualityVerdict.VIOLATED or (finding.feature or kind) in seen:
            continue
        seen.add(finding.feature or kind)
        evidence = None
        if finding.feature:
            both = (profile.feature(finding.feature) for profile in (reference, current))
            evidence = Evidence.of(*both)
        found.append(
            Cause(
                kind=kind,
                feature=finding.feature or None,
                segment=None,
                score=_SCORE + _BY_EXTENT * sqrt(_extent(finding)),
                verdict=Likelihood.LIKELY,
                z=0.0,
                share=0.0,
                sentence=_sentence(finding),
                evidence=evidence,
            )
        )
    return tuple(found)


def _kind(finding: Finding) -> str:
    if finding.check == VOLUME:
        return MISSING_ROWS if finding.value < finding.limit else MORE_ROWS
    return _KINDS[finding.check]


def _extent(finding: Finding) -> float:
    """How much of the data shows it, [0, 1]."""
    value, limit = finding.value, finding.limit
    if finding.check in (VOLUME, "cardinality"):
        low, high = sorted((value, limit))
        return 1 - low / high if high > 0 else 0.0
    return min(max(value - limit, 0.0) / max(1 - limit, 1e-9), 1.0)


def _sentence(finding: Finding) -> str:
    if finding.check == "duplicate_rate":
        share = percent(finding.value)
        return f"{share} of {finding.n:,} rows are repeats: their prediction ids had come before"
    return finding.reason
