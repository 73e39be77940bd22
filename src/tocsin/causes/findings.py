"""What was found of the data, as causes: those that the reference never had need no history."""

from collections.abc import Collection, Sequence

from tocsin.causes.ranking import Cause, Evidence, Likelihood
from tocsin.profiles import Profile
from tocsin.quality import Finding, QualityVerdict

# As the ranking calls the same.
_KINDS = {
    "null_rate": "nulls",
    "non_finite_rate": "nulls",
    "unseen_rate": "unseen",
    "out_of_range_rate": "out_of_range",
    "top_share": "stuck",
    "cardinality": "missing_values",
}
# Just likely: what the ranking knows more of comes before.
_SCORE = 0.6


def causes_of_findings(
    reference: Profile, current: Profile, findings: Sequence[Finding], known: Collection[str | None]
) -> tuple[Cause, ...]:
    """The causes that violated checks of features are; known: features that have a cause already.

    How much of a change goes with them is not known.
    """
    seen = set(known)
    found = []
    for finding in findings:
        if finding.verdict is not QualityVerdict.VIOLATED or finding.feature in {"", *seen}:
            continue
        seen.add(finding.feature)
        before, now = (profile.feature(finding.feature) for profile in (reference, current))
        evidence = Evidence(
            bins=now.bins.labels,
            regular=now.bins.regular,
            reference=tuple(before.shares.tolist()),
            current=tuple(now.shares.tolist()),
        )
        found.append(
            Cause(
                kind=_KINDS[finding.check],
                feature=finding.feature,
                segment=None,
                score=_SCORE,
                verdict=Likelihood.LIKELY,
                z=0.0,
                share=0.0,
                sentence=finding.reason,
                evidence=evidence,
            )
        )
    return tuple(found)
