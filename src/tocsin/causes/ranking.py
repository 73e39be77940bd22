"""Ranks what may have caused a change: faults of the data first, then the world."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from tocsin.causes.cause import Cause, Evidence, as_cause
from tocsin.causes.change import Change, change
from tocsin.causes.columns import suspicion
from tocsin.causes.decomposition import decomposition
from tocsin.causes.whole import MISSING_ROWS, concept, new_versions, number_of_rows
from tocsin.drift import Shift
from tocsin.profiles import Profile

_UNKNOWN: Mapping[str, float] = MappingProxyType({})
# Of a change that labels have shown, a feature has to go with so much to be its likely cause.
_LIKELY_SHARE = 0.2
# What may follow from rows that are missing, as when those of some hours are.
_MAY_FOLLOW = ("covariate", "stuck")
_JUST_BELOW = 0.01


def rank(
    reference: Profile,
    current: Profile,
    past: Profile,
    shifts: Mapping[str, Shift],
    *,
    versions: tuple[Mapping[str, float], Mapping[str, float]] = ({}, {}),
    about: Collection[str] = (),
    reliance: Mapping[str, float] = _UNKNOWN,
) -> tuple[Cause, ...]:
    """The causes of the difference of one window from the reference, most likely first.

    past: a stack (w, size) of earlier windows like this one, oldest first; w may be 0.
    shifts: the drift verdicts of the window by feature.
    versions: rows by model version, in the past windows and in this one.
    about: features that are asked about; what is found of them comes first.
    reliance: how much the model relies on each feature, [0, 1]; empty where it is not known.
    """
    moved = change(reference, current)
    causes = [
        cause
        for bins in current.plan.features
        if (cause := _feature_cause(bins.name, reference, current, past, shifts, moved, reliance))
    ]
    causes.extend(new_versions(*versions))
    others = (number_of_rows(current, past), concept(reference, current, past, moved))
    causes.extend(cause for cause in others if cause is not None)
    return ordered(causes, about)


def ordered(causes: Iterable[Cause], about: Collection[str]) -> tuple[Cause, ...]:
    """The causes, those that answer what is asked first, and the surer ones among them.

    Shifts that may follow from missing rows come after those.
    """
    found = tuple(causes)
    missing = max((c.score for c in found if c.kind == MISSING_ROWS), default=None)
    if missing is not None:
        found = tuple(
            replace(cause, score=min(cause.score, missing - _JUST_BELOW))
            if cause.kind in _MAY_FOLLOW
            else cause
            for cause in found
        )
    # z and share are capped in the score: the distance decides between equals.
    return tuple(
        sorted(found, key=lambda c: (not answers(c.kind, c.feature, about), -c.score, -c.z))
    )


def answers(kind: str, feature: str | None, about: Collection[str]) -> bool:
    """Whether a cause is near to what is asked about: on those features, if there are any.

    Rows that are missing move any feature.
    """
    return not about or feature in about or kind == MISSING_ROWS


def _feature_cause(
    name: str,
    reference: Profile,
    current: Profile,
    past: Profile,
    shifts: Mapping[str, Shift],
    moved: Change,
    reliance: Mapping[str, float],
) -> Cause | None:
    before, now = reference.feature(name), current.feature(name)
    if now.n.sum() == 0:
        return None
    found = suspicion(before, now, past.feature(name), shifts.get(name), reliance)
    if found is None:
        return None
    share = moved.explained_by(decomposition(before, now).mix)
    needed = _LIKELY_SHARE if moved.significant else 0.0
    return as_cause(found, name, share, Evidence.of(before, now), needed)
