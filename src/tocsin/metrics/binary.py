"""Performance of a binary classifier, by the names that MLflow uses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from tocsin.metrics.intervals import of_mean, wilson
from tocsin.metrics.measured import Measured, measured
from tocsin.profiles.profile import Profile

Floats = NDArray[np.float64]

NO_ROWS = "no predictions in this window"
NO_OUTCOMES = "no outcomes yet"
NO_SCORES = "no scores: the model gives labels only"
ONE_CLASS = "one class only: the outcomes so far are all the same"


@dataclass(frozen=True)
class Metric:
    """A named number of a profile.

    higher_is_better: None where neither direction is good or bad.
    needs_labels: the number waits for outcomes.
    """

    name: str
    title: str
    measure: Callable[[Profile], Measured]
    higher_is_better: bool | None
    needs_labels: bool = True


def accuracy_score(profile: Profile) -> Measured:
    """Share of labelled rows whose predicted class was right. Range [0, 1]; exact."""
    right = profile.total("true_positives") + profile.total("true_negatives")
    return _proportion(right, _judged(profile), (_judged(profile) == 0, NO_OUTCOMES))


def precision_score(profile: Profile) -> Measured:
    """Share of positive predictions that were right. Range [0, 1]; exact."""
    said = profile.total("true_positives") + profile.total("false_positives")
    return _proportion(
        profile.total("true_positives"),
        said,
        (_judged(profile) == 0, NO_OUTCOMES),
        (said == 0, "no positive predictions among the labelled rows"),
    )


def recall_score(profile: Profile) -> Measured:
    """Share of positives that were predicted so. Range [0, 1]; exact."""
    positives = profile.total("true_positives") + profile.total("false_negatives")
    return _proportion(
        profile.total("true_positives"),
        positives,
        (_judged(profile) == 0, NO_OUTCOMES),
        (positives == 0, "no positives among the labelled rows"),
    )


def f1_score(profile: Profile) -> Measured:
    """Harmonic mean of precision and recall. Range [0, 1]; exact.

    The interval is that of J = TP / (TP + FP + FN), a proportion, through F1 = 2 J / (1 + J).
    """
    hits = profile.total("true_positives")
    rows = hits + profile.total("false_positives") + profile.total("false_negatives")
    low, high = wilson(hits, rows)
    return measured(
        2 * hits / np.maximum(rows + hits, 1),
        _judged(profile),
        (_judged(profile) == 0, NO_OUTCOMES),
        (rows == 0, "no positives, neither predicted nor true"),
        low=2 * low / (1 + low),
        high=2 * high / (1 + high),
    )


def roc_auc(profile: Profile) -> Measured:
    """Chance that a random positive outscores a random negative, ties counting half.

    Returns: a value in [0, 1]; the AUC of the unbinned scores is within `error` of it.
    Source: Mann & Whitney (1947), doi:10.1214/aoms/1177730491. The interval is Wilson's with the
        larger variance of DeLong et al. (1988), doi:10.2307/2531595, on bins, and Hanley & McNeil
        (1982), doi:10.1148/radiology.143.1.7063747, as Newcombe (2006), doi:10.1002/sim.2324,
        made it symmetric.
    """
    scores = profile.scores
    negatives, positives = scores.negatives, scores.positives
    n, p = negatives.sum(-1), positives.sum(-1)
    safe_n, safe_p = np.maximum(n, 1), np.maximum(p, 1)
    below = np.cumsum(negatives, -1) - negatives
    above = p[..., None] - np.cumsum(positives, -1)
    beaten = (below + negatives / 2) / safe_n[..., None]
    beating = (above + positives / 2) / safe_p[..., None]
    value = (positives * beaten).sum(-1) / safe_p
    variance = _variance(positives, beaten, value, p) / safe_p
    variance += _variance(negatives, beating, value, n) / safe_n
    worth = _worth(value, variance, safe_n, safe_p)
    low, high = wilson(value * worth, worth)
    return measured(
        value,
        n + p,
        *_needs_both_classes(profile, n, p),
        error=(positives * negatives).sum(-1) / (2 * safe_n * safe_p),
        low=low,
        high=high,
    )


def precision_recall_auc(profile: Profile) -> Measured:
    """Average precision: the mean over the positives of the precision at their score.

    Returns: the middle of the values that any order inside the bins could give; `error` is the
        distance to both ends.
    Source: the variance is Boyd et al. (2013), doi:10.1007/978-3-642-40994-3_29: that of a
        proportion of the positives. The interval is Wilson's, which holds at a value of 1 as well.
    """
    scores = profile.scores
    # From the highest score down.
    negatives, positives = scores.negatives[..., ::-1], scores.positives[..., ::-1]
    n, p = negatives.sum(-1), positives.sum(-1)
    safe_p = np.maximum(p, 1)
    hits = np.cumsum(positives, -1) - positives
    misses = np.cumsum(negatives, -1) - negatives
    # Worst: the bin's positives come last, one by one: sum of (hits + i) / (hits + wrong + i).
    wrong = misses + negatives
    worst = positives - wrong * (digamma(hits + wrong + positives + 1) - digamma(hits + wrong + 1))
    # Best: they come first and tied, so that all have the precision of the last.
    best = positives * (hits + positives) / np.maximum(hits + misses + positives, 1)
    lowest, highest = worst.sum(-1) / safe_p, best.sum(-1) / safe_p
    value = (lowest + highest) / 2
    low, high = wilson(value * safe_p, safe_p)
    return measured(
        value,
        n + p,
        *_needs_both_classes(profile, n, p),
        error=np.maximum(highest - lowest, 0) / 2,
        low=low,
        high=high,
    )


def log_loss(profile: Profile) -> Measured:
    """Mean negative log-likelihood of the labels under the scores, in nats. Exact."""
    return _mean_loss(profile, "log_loss", most=np.inf)


def brier_score(profile: Profile) -> Measured:
    """Mean squared difference of score and label. Range [0, 1]; exact.

    Source: Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    return _mean_loss(profile, "loss", most=1)


def label_rate(profile: Profile) -> Measured:
    """Share of positives among the labelled rows. Range [0, 1]; exact."""
    labelled = profile.total("labelled")
    return _proportion(profile.total("label"), labelled, (labelled == 0, NO_OUTCOMES))


def prediction_rate(profile: Profile) -> Measured:
    """Share of rows predicted positive. Range [0, 1]; exact."""
    n = profile.total("n")
    return _proportion(profile.total("predicted_positive"), n, (n == 0, NO_ROWS))


def mean_score(profile: Profile) -> Measured:
    """Mean of the scores. Range [0, 1]; exact."""
    n = profile.total("n") - profile.total("missing_scores")
    low, high = of_mean(profile.total("score"), profile.total("score_squared"), n)
    return measured(
        profile.total("score") / np.maximum(n, 1),
        n,
        (profile.total("n") == 0, NO_ROWS),
        (n == 0, NO_SCORES),
        low=np.maximum(low, 0),
        high=np.minimum(high, 1),
    )


def coverage(profile: Profile) -> Measured:
    """Share of predictions whose outcome is known. Range [0, 1]; exact."""
    n = profile.total("n")
    return _proportion(profile.total("labelled"), n, (n == 0, NO_ROWS))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", "ROC AUC", roc_auc, higher_is_better=True),
        Metric("precision_recall_auc", "Average precision", precision_recall_auc,
               higher_is_better=True),
        Metric("accuracy_score", "Accuracy", accuracy_score, higher_is_better=True),
        Metric("precision_score", "Precision", precision_score, higher_is_better=True),
        Metric("recall_score", "Recall", recall_score, higher_is_better=True),
        Metric("f1_score", "F1", f1_score, higher_is_better=True),
        Metric("log_loss", "Log loss", log_loss, higher_is_better=False),
        Metric("brier_score", "Brier score", brier_score, higher_is_better=False),
        Metric("label_rate", "Positives among outcomes", label_rate, higher_is_better=None),
        Metric("prediction_rate", "Positives predicted", prediction_rate,
               higher_is_better=None, needs_labels=False),
        Metric("mean_score", "Mean score", mean_score,
               higher_is_better=None, needs_labels=False),
        Metric("coverage", "Label coverage", coverage,
               higher_is_better=None, needs_labels=False),
    )
}  # fmt: skip


def _judged(profile: Profile) -> Floats:
    cells = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    return np.asarray(sum(profile.total(cell) for cell in cells))


def _proportion(
    successes: Floats, trials: Floats, *undefined: tuple[NDArray[np.bool_], str]
) -> Measured:
    low, high = wilson(successes, trials)
    value = successes / np.maximum(trials, 1)
    return measured(value, trials, *undefined, low=low, high=high)


def _mean_loss(profile: Profile, name: str, *, most: float) -> Measured:
    n = profile.total("labelled")
    low, high = of_mean(profile.total(name), profile.total(f"{name}_squared"), n)
    value = profile.total(name) / np.maximum(n, 1)
    return measured(
        value, n, (n == 0, NO_OUTCOMES), low=np.maximum(low, 0), high=np.minimum(high, most)
    )


def _needs_both_classes(
    profile: Profile, negatives: Floats, positives: Floats
) -> tuple[tuple[NDArray[np.bool_], str], ...]:
    return (
        (profile.total("labelled") == 0, NO_OUTCOMES),
        (negatives + positives == 0, NO_SCORES),
        (np.minimum(negatives, positives) == 0, ONE_CLASS),
    )


def _variance(counts: Floats, values: Floats, mean: Floats, n: Floats) -> Floats:
    """Sample variance of `values` that stand `counts` times each, around a known mean."""
    squares = (counts * (values - mean[..., None]) ** 2).sum(-1)
    return np.asarray(squares / np.maximum(n - 1, 1))


def _worth(value: Floats, variance: Floats, negatives: Floats, positives: Floats) -> Floats:
    """How many trials of a proportion an AUC is worth: the fewer of two accounts.

    The measured variance of few placements is too small, and 0 when they are perfectly separated;
    that of Hanley & McNeil knows only the value, and is too small when positives are of two sorts.
    """
    others = (negatives + positives) / 2 - 1
    correlated = others * ((1 - value) / (2 - value) + value / (1 + value))
    modelled = negatives * positives / np.maximum(1 + correlated, 1)
    # A variance of 0 says nothing, and a value of 0 or 1 has no other.
    known = np.where(variance > 0, variance, np.inf)
    measured_worth = np.where(variance > 0, value * (1 - value) / known, np.inf)
    return np.asarray(np.maximum(np.minimum(modelled, measured_worth), 1))
