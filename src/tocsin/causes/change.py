"""How much the mean loss changed, and how well that is known."""

from dataclasses import dataclass
from math import sqrt

from tocsin.profiles import Profile


@dataclass(frozen=True)
class Change:
    """Current less reference mean loss.

    labelled: realised when True, else the change that the calibration expects.
    """

    delta: float
    standard_error: float
    labelled: bool

    @property
    def significant(self) -> bool:
        """Whether labels have shown that the loss changed."""
        return self.labelled and abs(self.delta) > 3 * self.standard_error

    def explained_by(self, part: float) -> float:
        """The share of the change that goes with `part`, in [0, 1].

        A change too small to be told from noise counts as three standard errors.
        """
        return min(1.0, abs(part) / max(abs(self.delta), 3 * self.standard_error, 1e-12))


def change(reference: Profile, current: Profile) -> Change:
    """The change of the mean loss from labels where the window has any, else from expectation."""
    labelled = float(current.total("labelled"))
    if labelled > 0:
        before, variance_before = _mean(reference, "loss", "labelled")
        now, variance_now = _mean(current, "loss", "labelled")
    else:
        before, variance_before = _mean(reference, "expected_loss", "n")
        now, variance_now = _mean(current, "expected_loss", "n")
    return Change(now - before, sqrt(variance_before + variance_now), labelled > 0)


def _mean(profile: Profile, total: str, rows: str) -> tuple[float, float]:
    """The mean and its variance."""
    n = max(float(profile.total(rows)), 1.0)
    mean = float(profile.total(total)) / n
    squares = float(profile.total(f"{total}_squared")) / n
    return mean, max(squares - mean**2, 0.0) / n


def expected_change(reference: Profile, current: Profile) -> float:
    """The change of the mean loss that the calibration of the reference expects."""
    return _mean(current, "expected_loss", "n")[0] - _mean(reference, "expected_loss", "n")[0]
