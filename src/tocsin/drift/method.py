"""A statistic with a threshold of one's own, and what it says of windows."""

from dataclasses import dataclass
from math import isfinite, isinf

from tocsin.drift.apart import ENOUGH_ROWS, Apart
from tocsin.drift.homogeneity import contingency
from tocsin.drift.pairs import Pair
from tocsin.drift.statistic import Statistic, statistic
from tocsin.drift.verdicts import Verdict
from tocsin.errors import InvalidInputError

# In a window of fewer rows than a threshold needs; such p are off by a factor where bins are empty.
_NO_CHANCE = 1e-6


@dataclass(frozen=True)
class Method:
    """How one column is judged when someone has chosen how."""

    statistic: Statistic
    threshold: float

    @classmethod
    def named(cls, name: str, threshold: float | None = None) -> "Method":
        """The method of a name or alias; with the usual threshold when it is None.

        Raises: InvalidInputError for a name that there is not, or a threshold out of its range.
        """
        chosen = statistic(name)
        if threshold is None:
            return cls(chosen, chosen.threshold)
        if not 0 < threshold < chosen.most or not isfinite(threshold):
            what = "p" if chosen.decides == "p_value" else "threshold"
            rest = "" if isinf(chosen.most) else f" and below {chosen.most:g}"
            raise InvalidInputError(
                f"{what} {threshold:g} of {chosen.name} is out of its range: it has to be over 0"
                f"{rest}, such as {chosen.threshold:g}"
            )
        return cls(chosen, threshold)


@dataclass(frozen=True)
class Judgement:
    """What a statistic says of one column of one window.

    value, p_value: None where there are none, which `reason` explains. error: the value of the rows
    is at most so much larger. minimum_n: None where no number of rows would do, as the reference is
    too small.
    """

    statistic: Statistic
    value: float | None
    error: float
    threshold: float
    p_value: float | None
    n: int
    minimum_n: int | None
    verdict: Verdict
    reason: str


def judgements(method: Method, pair: Pair) -> list[Judgement]:
    """What a method says of each window of a stack (w, k)."""
    apart = method.statistic.apart(pair)
    needed = apart.minimum_n(method.threshold)
    rows = zip(
        apart.value.tolist(),
        apart.error.tolist(),
        apart.p_value.tolist(),
        apart.n.tolist(),
        needed.tolist(),
        strict=True,
    )
    # What chance adds is known where bins are full; a test of pooled ones has to agree.
    real = contingency(pair.reference, pair.current)[1] < _NO_CHANCE
    sure = (apart.surely_over(method.threshold) & real).tolist()
    return [_judged(method, apart, *row, sure=over) for row, over in zip(rows, sure, strict=True)]


def _judged(
    method: Method,
    apart: Apart,
    value: float,
    error: float,
    p: float,
    n: float,
    needed: float,
    *,
    sure: bool,
) -> Judgement:
    rows, least = round(n), None if isinf(needed) else round(needed)
    chosen, threshold = method.statistic, method.threshold
    known = apart.reason is None and rows > 0
    if not known:
        why = apart.reason or "no rows"
        verdict, reason = Verdict.INSUFFICIENT, f"{chosen.title}: {why}"
    elif least is None and not sure:
        verdict = Verdict.INSUFFICIENT
        reason = (
            f"the reference has too few rows to tell {threshold:g} of {chosen.name} from chance"
        )
    elif least is not None and rows < least and not sure:
        wanted = "" if least == ENOUGH_ROWS else f" that {chosen.name} needs"
        verdict, reason = Verdict.INSUFFICIENT, f"{rows} of {least} rows{wanted}"
    else:
        number = value if chosen.decides == "value" else p
        drifted = number > threshold if chosen.decides == "value" else number < threshold
        verdict = Verdict.DRIFT if drifted else Verdict.NONE
        reason = _sentence(chosen, number, threshold, drifted=drifted)
    return Judgement(
        chosen,
        value if known else None,
        error if known else 0.0,
        threshold,
        p if known else None,
        rows,
        least,
        verdict,
        reason,
    )


def _sentence(chosen: Statistic, number: float, threshold: float, *, drifted: bool) -> str:
    if chosen.decides == "value":
        side = "over" if drifted else "within"
        return f"{chosen.title} {number:.3g} is {side} {threshold:g}"
    side = "under" if drifted else "not under"
    return f"{chosen.title}: p {number:.2g} is {side} {threshold:g}"
