"""Whether scores of a binary classifier mean what they say: calibration.

Profiles know the sum of the scores of each bin over all rows, labelled or not. Of the labelled ones
it is known within bounds, and exactly where a bin has no unlabelled rows; `error` says how far.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from tocsin.metrics.intervals import Z95, of_mean
from tocsin.metrics.measured import (
    NO_OUTCOMES,
    NO_SCORES,
    ONE_CLASS,
    Measured,
    Reason,
    measured,
)
from tocsin.profiles import BinaryOutput, Profile, ScoreHistogram

Floats = NDArray[np.float64]

# Bins of the calibration error, of about as many rows of the reference each.
CALIBRATION_BINS = 10
# Score edges are quantiles of all scores and of the top tenth: so many of them are below it.
_BODY = 0.45
_CLIP = 1e-6
_STEPS, _SETTLED, _FLAT = 40, 1e-6, 1e-9


def calibration_bias(profile: Profile) -> Measured:
    """Mean score less the share of positives, over labelled rows with a score. Range [-1, 1]."""
    scores = profile.scores
    n = scores.negatives.sum(-1) + scores.positives.sum(-1)
    sums, error = _labelled_scores(scores)
    total = sums.sum(-1) - scores.positives.sum(-1)
    # The Brier score is the mean square of the same differences.
    low, high = of_mean(total, profile.total("loss"), n, least=-1, most=1)
    return measured(
        total / np.maximum(n, 1),
        n,
        *_undefined(profile, n),
        error=error.sum(-1) / np.maximum(n, 1),
        low=low,
        high=high,
    )


def expected_calibration_error(profile: Profile) -> Measured:
    """Mean distance of score and share of positives over ten fixed bins. Range [0, 1].

    The bins join score bins and have about as many rows of the reference each. Few rows in a bin
    differ by chance alone; what this adds is taken off, bin by bin, as far as the distance may be
    chance. The upper end of the interval is that of the number from which nothing is taken off.
    Source: bins of equal mass and their bias, Roelofs et al. (2022), arXiv:2012.08668.
    """
    scores = profile.scores
    sums, error = _labelled_scores(scores)
    groups = _groups(scores.edges)
    n, p, s, e = (
        np.add.reduceat(part, groups, axis=-1)
        for part in (scores.negatives + scores.positives, scores.positives, sums, error)
    )
    total = n.sum(-1)
    safe = np.maximum(n, 1)
    chance = np.clip(s / safe, 0, 1)
    noise = np.sqrt(chance * (1 - chance) / safe)
    distance = np.abs(s - p) / safe
    weight = n / np.maximum(total, 1)[..., None]
    raw = (weight * distance).sum(-1)
    value = np.maximum(raw - (weight * _folded(distance, noise)).sum(-1), 0)
    # Where scores are wrong, the labels vary as they do and not as the scores say.
    rate = (p + chance) / (n + 1)
    seen = np.maximum(noise, np.sqrt(rate * (1 - rate) / safe))
    half = Z95 * np.sqrt((weight**2 * seen**2).sum(-1))
    return measured(
        value,
        total,
        *_undefined(profile, total),
        error=e.sum(-1) / np.maximum(total, 1),
        low=np.maximum(value - half, 0),
        high=np.minimum(raw + half, 1),
    )


def calibration_slope(profile: Profile) -> Measured:
    """Slope of a logistic regression of the labels on the logit of the scores; 1 is right.

    Below 1 the scores are too extreme, above 1 too timid. Each score bin stands at its mean score;
    what this moves is not bounded, and the interval is that of the estimate on bins.
    Source: Cox (1958), doi:10.1093/biomet/45.3-4.562.
    """
    return _slope(profile, *_points(profile.scores))


def concept_drift_slope(profile: Profile) -> Measured:
    """Slope of a logistic regression of the labels on the chances of the reference, less 1.

    0 is no drift; below, the scores tell less than they did. The interval is that of sampling.
    """
    x, n, p = _reference_points(profile.scores)
    found = _slope(profile, x, n, p)
    return Measured(
        found.value - 1, found.error, found.low - 1, found.high - 1, found.n, found.reason
    )


def _slope(profile: Profile, x: Floats, n: Floats, p: Floats) -> Measured:
    _, slope, variance, settled = _recalibrated(x, n, p, slope_is_free=True)
    half = Z95 * np.sqrt(variance)
    return measured(
        slope,
        n.sum(-1),
        *_undefined(profile, n.sum(-1)),
        _one_class(n, p),
        (~settled, "the scores separate the classes, or are all the same"),
        low=slope - half,
        high=slope + half,
    )


def calibration_intercept(profile: Profile) -> Measured:
    """What has to be added to the logit of the scores to get the positives right; 0 is right.

    Above 0 the scores are too low. Each score bin stands at its mean score, and the slope is 1.
    Source: Van Calster et al. (2016), doi:10.1016/j.jclinepi.2015.12.005.
    """
    return _intercept(profile, *_points(profile.scores))


def concept_drift_intercept(profile: Profile) -> Measured:
    """What has to be added to the logit of the chances of the reference to get the positives right.

    0 is no drift; above, there are more positives than the same scores had. The interval is that of
    sampling.
    """
    return _intercept(profile, *_reference_points(profile.scores))


def _intercept(profile: Profile, x: Floats, n: Floats, p: Floats) -> Measured:
    intercept, _, variance, _ = _recalibrated(x, n, p, slope_is_free=False)
    half = Z95 * np.sqrt(variance)
    return measured(
        intercept,
        n.sum(-1),
        *_undefined(profile, n.sum(-1)),
        _one_class(n, p),
        low=intercept - half,
        high=intercept + half,
    )


def _undefined(profile: Profile, n: Floats) -> tuple[Reason, ...]:
    output = profile.plan.output
    assert isinstance(output, BinaryOutput)
    return (
        (profile.total("labelled") == 0, NO_OUTCOMES),
        (np.full(n.shape, not output.scored), NO_SCORES),
        (n == 0, NO_SCORES),
    )


def _one_class(n: Floats, p: Floats) -> Reason:
    positives = p.sum(-1)
    return (positives == 0) | (positives == n.sum(-1)), ONE_CLASS


def _labelled_scores(scores: ScoreHistogram) -> tuple[Floats, Floats]:
    """(..., k) the sum of the scores of labelled rows by bin, and how far off it can be."""
    n = scores.negatives + scores.positives
    least, most = n * scores.edges[:-1], n * scores.edges[1:]
    others = np.maximum(scores.rows - n, 0)
    low = np.maximum(least, scores.sums - others * scores.edges[1:])
    high = np.minimum(most, scores.sums - others * scores.edges[:-1])
    # Where all rows are labelled both are the sum, but for rounding.
    low, high = np.minimum(low, high), np.maximum(low, high)
    value = np.clip(scores.sums * n / np.maximum(scores.rows, 1), low, high)
    complete = scores.rows == n
    return (
        np.where(complete, scores.sums, value),
        np.where(complete, 0.0, np.maximum(high - value, value - low)),
    )


def _groups(edges: Floats) -> NDArray[np.int64]:
    """Where each bin of the calibration error begins among the score bins."""
    count = len(edges) - 1
    if count <= 2 * CALIBRATION_BINS:
        return np.arange(count)
    body = np.linspace(0, _BODY * count, CALIBRATION_BINS)
    return np.unique(np.floor(body).astype(np.int64))


def _folded(distance: Floats, noise: Floats) -> Floats:
    """How much larger than it is a distance is seen with such noise: a folded normal's bias."""
    safe = np.maximum(noise, 1e-12)
    true = np.sqrt(np.maximum((distance / safe) ** 2 - 1, 0))
    density = np.sqrt(2 / np.pi) * np.exp(-(true**2) / 2)
    return np.asarray(noise * (density - 2 * true * ndtr(-true)))


def _points(scores: ScoreHistogram) -> tuple[Floats, Floats, Floats]:
    """(..., k) the logit of each bin's mean score, its labelled rows, and positives."""
    n = scores.negatives + scores.positives
    middle = (scores.edges[:-1] + scores.edges[1:]) / 2
    mean = np.where(scores.rows > 0, scores.sums / np.maximum(scores.rows, 1), middle)
    return logit(np.clip(mean, _CLIP, 1 - _CLIP)), n, scores.positives


def _reference_points(scores: ScoreHistogram) -> tuple[Floats, Floats, Floats]:
    """(..., k) the logit of each bin's chance in the reference, its labelled rows, and positives.

    Where that regression has the intercept 0 and the slope 1, by the way chances are found.
    """
    n = scores.negatives + scores.positives
    x = np.broadcast_to(logit(np.clip(scores.rates, _CLIP, 1 - _CLIP)), n.shape)
    return x, n, scores.positives


def _recalibrated(
    x: Floats, n: Floats, p: Floats, *, slope_is_free: bool
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """(...,) intercept and slope of the logistic regression on x, a variance, and if there is one.

    The variance is that of the slope; a slope that is not free is 1, and the variance that of the
    intercept. Newton's method, with steps that cannot run away; each window stops by itself.
    The variance holds where no logistic curve fits: White (1982), doi:10.2307/1912526.
    """
    shape, bins = p.shape[:-1], p.shape[-1]
    x, n, p = x.reshape(-1, bins), n.reshape(-1, bins), p.reshape(-1, bins)
    found = np.zeros((len(p), 2))
    settled = np.zeros(len(p), bool)
    newton = _newton if slope_is_free else _newton_intercept
    positives = p.sum(-1)
    if slope_is_free:
        # From a flat start the steps do not overshoot.
        rate = positives / np.maximum(n.sum(-1), 1)
        found[:, 0] = logit(np.clip(rate, _CLIP, 1 - _CLIP))
    else:
        found[:, 1] = 1
    going = np.flatnonzero((positives > 0) & (positives < n.sum(-1)))
    for _ in range(_STEPS):
        step = newton(x[going], n[going], p[going], found[going])
        found[going] += np.clip(step, -2, 2)
        still = np.abs(step).max(-1) > _SETTLED
        settled[going[~still]] = True
        going = going[still]
        if len(going) == 0:
            break
    variance = _sandwich(x, n, p, found, slope_is_free=slope_is_free)
    settled &= np.isfinite(variance)
    intercept, slope = found[:, 0].reshape(shape), found[:, 1].reshape(shape)
    return intercept, slope, variance.reshape(shape), settled.reshape(shape)


def _newton(x: Floats, n: Floats, p: Floats, at: Floats) -> Floats:
    """(m, 2) the next step of intercept and slope; none where there is no slope."""
    chance = expit(at[:, :1] + at[:, 1:] * x)
    expected = n * chance
    gap, weight = p - expected, expected * (1 - chance)
    weighted = weight * x
    i00, i01, i11 = weight.sum(-1), weighted.sum(-1), np.vecdot(weighted, x)
    g0, g1 = gap.sum(-1), np.vecdot(gap, x)
    determinant = i00 * i11 - i01**2
    flat = determinant <= _FLAT * i00 * i11
    safe = np.where(flat, 1.0, determinant)
    step = np.stack([i11 * g0 - i01 * g1, i00 * g1 - i01 * g0], -1) / safe[:, None]
    return np.where(flat[:, None], 0.0, step)


def _newton_intercept(x: Floats, n: Floats, p: Floats, at: Floats) -> Floats:
    """(m, 2) the next step when the slope is 1."""
    chance = expit(at[:, :1] + x)
    expected = n * chance
    gap, information = (p - expected).sum(-1), np.vecdot(expected, 1 - chance)
    return np.stack([gap / np.maximum(information, 1e-9), np.zeros_like(gap)], -1)


def _sandwich(x: Floats, n: Floats, p: Floats, at: Floats, *, slope_is_free: bool) -> Floats:
    """(m,) the variance of the slope, or of the intercept when the slope is 1."""
    chance = expit(at[:, :1] + at[:, 1:] * x)
    weight = n * chance * (1 - chance)
    noise = p * (1 - chance) ** 2 + (n - p) * chance**2
    i00, i01, i11 = weight.sum(-1), np.vecdot(weight, x), np.vecdot(weight, x * x)
    if not slope_is_free:
        return np.asarray(noise.sum(-1) / np.maximum(i00, 1e-9) ** 2)
    determinant = i00 * i11 - i01**2
    # Scores that are all the same have no slope.
    flat = determinant <= _FLAT * i00 * i11
    pull = np.vecdot(noise, (i00[:, None] * x - i01[:, None]) ** 2)
    return np.where(flat, np.inf, pull / np.where(flat, 1.0, determinant) ** 2)
