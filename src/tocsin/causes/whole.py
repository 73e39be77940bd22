"""What is wrong with all rows of a window: their number, their version, their outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.causes.cause import Cause, Suspicion, as_cause
from tocsin.causes.change import Change, expected_change
from tocsin.metrics.surprise import surprise
from tocsin.profiles import Profile, RegressionOutput
from tocsin.quality import UNUSUAL, against

Floats = NDArray[np.float64]

MISSING_ROWS, MORE_ROWS = "missing_rows", "more_rows"
# What the number of rows has to leave the others behind by.
_BEYOND = 1.25


def number_of_rows(current: Profile, past: Profile) -> Cause | None:
    """Far fewer rows than windows like this have, or far more; one bad window hides nothing."""
    rows = float(current.total("n"))
    earlier = np.sort(past.total("n"))
    earlier = earlier[earlier > 0]
    # Rows that come independently of each other deviate by the root of their number.
    floor = float(np.sqrt(np.median(earlier))) if len(earlier) else 1.0
    usual, z = against(rows, earlier, floor=max(floor, 1.0))
    if z <= UNUSUAL or rows == 0:
        return None
    if rows * _BEYOND < earlier[1]:
        text = f"only {rows:,.0f} rows came, {rows / usual:.0%} of the {usual:,.0f} that are usual"
        found = Suspicion(MISSING_ROWS, 1.0, z, 1 - rows / usual, text, certain=True)
    elif rows > _BEYOND * earlier[-2]:
        text = f"{rows:,.0f} rows came, {rows / usual:.1f} times the {usual:,.0f} that are usual"
        found = Suspicion(MORE_ROWS, 0.8, z, 1 - usual / rows, text)
    else:
        return None
    return as_cause(found, None, 0.0, None)


def new_versions(past: Mapping[str, float], now: Mapping[str, float]) -> list[Cause]:
    """Versions of the model that earlier windows did not have."""
    total = sum(now.values())
    shares = {
        version: rows / total
        for version, rows in now.items()
        if past and version not in past and rows > 0.02 * total
    }
    causes = (
        as_cause(
            Suspicion("new_version", 1.0, 12.0, share, _version_sentence(version, share)),
            None,
            share,
            None,
        )
        for version, share in shares.items()
    )
    return [cause for cause in causes if cause is not None]


def _version_sentence(version: str, share: float) -> str:
    return f"version {version} is new and made {share:.0%} of the predictions"


def concept(reference: Profile, current: Profile, past: Profile, moved: Change) -> Cause | None:
    """The same outputs are followed by other outcomes: the world, or an input nobody sees."""
    now, earlier = surprise(current), surprise(past)
    label = _unusual(now.label, earlier.label, now.label_error)
    loss = _unusual(now.loss, earlier.loss, now.loss_error)
    z = max(label.z, loss.z)
    if z <= 4.5:
        return None
    start = "the same outputs are followed by other outcomes: "
    if label.z >= loss.z:
        text = start + (
            f"positives are {label.value * 100:+.1f} pt from what the reference would give, "
            f"usually {label.usual * 100:+.1f} pt"
        )
        # An outcome that is the other one changes the rate by at most its share.
        extent = min(1.0, 2 * abs(label.value - label.usual))
    else:
        what = "absolute" if isinstance(current.plan.output, RegressionOutput) else "squared"
        text = start + (
            f"the {what} error is {loss.value:+.3g} from what the reference would give, usually "
            f"{loss.usual:+.3g}"
        )
        mean = float(reference.total("loss")) / max(float(reference.total("labelled")), 1.0)
        extent = min(1.0, abs(loss.value - loss.usual) / max(mean, 1e-12))
    share = moved.explained_by(moved.delta - expected_change(reference, current))
    return as_cause(Suspicion("concept", 0.9, z, extent, text), None, share, None)


@dataclass(frozen=True)
class _Unusual:
    value: float
    usual: float
    z: float


def _unusual(value: Floats, past: Floats, error: Floats) -> _Unusual:
    """A surprise against those of earlier windows; none where it is not known."""
    if not np.isfinite(value):
        return _Unusual(0.0, 0.0, 0.0)
    usual, z = against(float(value), past[np.isfinite(past)], floor=float(error))
    return _Unusual(float(value), usual, z)
