"""Performance of a classifier of several classes, by the names that scikit-learn users know.

Macro averages are over the classes that are true or predicted of a labelled row, as scikit-learn's
are; a class that lacks one of both counts as 0 (its `zero_division`).
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics import confusion as cells
from tocsin.metrics import ranking
from tocsin.metrics.binary import MOST_LOG_LOSS
from tocsin.metrics.coverage import COVERAGE
from tocsin.metrics.intervals import of_bounded_mean, of_positive_mean, of_share, wilson
from tocsin.metrics.measured import (
    NO_OUTCOMES,
    NO_PREDICTIONS,
    NO_ROWS,
    NO_SCORES,
    ONE_CLASS,
    Measured,
    Reason,
    measured,
    proportion,
)
from tocsin.metrics.metric import Metric, table
from tocsin.metrics.ranking import Ranked
from tocsin.metrics.surprise import CONCEPT_DRIFT
from tocsin.profiles import MulticlassOutput, Profile

Floats = NDArray[np.float64]
Rank = Callable[[Floats, Floats], Ranked]

# Top-k accuracies that are shown unasked.
STANDARD_TOPS = (2, 3, 5)


def accuracy_score(profile: Profile) -> Measured:
    """Share of labelled rows whose predicted class was right. Range [0, 1]; exact."""
    right = np.trace(profile.confusion, axis1=-2, axis2=-1)
    return proportion(right, _judged(profile), *_needs_classes(profile))


def top_k_accuracy_score(profile: Profile, k: int) -> Measured:
    """Share of labelled rows whose true class had one of the k highest scores. Exact."""
    ranks = profile.ranks
    n = ranks.sum(-1)
    return proportion(ranks[..., :k].sum(-1), n, *_needs_scores(profile, n))


def log_loss(profile: Profile) -> Measured:
    """Mean negative log-likelihood of the true classes under the scores, in nats. Exact."""
    n = profile.ranks.sum(-1)
    total, squared = profile.total("log_loss"), profile.total("log_loss_squared")
    low, high = of_positive_mean(total, squared, n, most=MOST_LOG_LOSS)
    return measured(total / np.maximum(n, 1), n, *_needs_scores(profile, n), low=low, high=high)


def brier_score(profile: Profile) -> Measured:
    """Mean over the rows of the sum over the classes of (score - truth)^2. Range [0, 2]; exact.

    Source: Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    n = profile.ranks.sum(-1)
    total, squared = profile.total("loss"), profile.total("loss_squared")
    low, high = of_bounded_mean(total, squared, n, most=2)
    return measured(total / np.maximum(n, 1), n, *_needs_scores(profile, n), low=low, high=high)


def mean_score(profile: Profile) -> Measured:
    """Mean score of the predicted class: how sure the model is. Range [0, 1]; exact."""
    n = profile.total("n") - profile.total("missing_scores")
    total = profile.total("score")
    low, high = of_bounded_mean(total, profile.total("score_squared"), n)
    none = profile.total("n") == 0
    undefined = ((none, NO_ROWS), _scored(profile), (n == 0, NO_SCORES))
    return measured(total / np.maximum(n, 1), n, *undefined, low=low, high=high)


def _of_cells(number: cells.Number, profile: Profile, *, least: float = 0) -> Measured:
    confusion = profile.confusion
    value = number(confusion).value
    low, high = cells.interval(confusion, number, value, least=least)
    undefined = list(_needs_classes(profile))
    if least < 0:
        # A correlation with what does not vary.
        true, said = (np.asarray((confusion.sum(a) > 0).sum(-1) < 2) for a in (-1, -2))
        undefined.append((true, ONE_CLASS))
        undefined.append((said, "the predicted classes of the labelled rows are all the same"))
    return measured(value, _judged(profile), *undefined, low=low, high=high)


def _averaged(rank: Rank, profile: Profile, *, weighted: bool = False) -> Measured:
    """The mean over the classes that are true of some rows, but not of all, against the rest.

    The variance is the sum of what the rows of each class bring to it: as positives of their own
    class, and as negatives of all the others, which are taken to go together.
    """
    count = len(_output(profile).classes)
    scores = [profile.class_scores(i) for i in range(count)]
    positives = np.stack([each.positives.sum(-1) for each in scores], -1)
    negatives = np.stack([each.negatives.sum(-1) for each in scores], -1)
    found = [rank(each.negatives, each.positives) for each in scores]
    value, error, of_positives, of_negatives, smooth = (
        np.stack([getattr(each, part) for each in found], -1)
        for part in ("value", "error", "of_positives", "of_negatives", "smooth")
    )
    usable = (positives > 0) & (negatives > 0)
    weight = usable * (positives if weighted else 1.0)
    weight = weight / np.maximum(weight.sum(-1, keepdims=True), 1e-300)
    n = positives.sum(-1)
    # Of one row: its spread as a positive, and as a negative of all other classes.
    own = weight * np.sqrt(of_positives * positives) / np.maximum(positives, 1)
    other = weight * np.sqrt(of_negatives * negatives) / np.maximum(negatives, 1)
    rest = other.sum(-1, keepdims=True) - other
    variance = (positives * (own**2 + rest**2)).sum(-1)
    mean = (weight * value).sum(-1)
    low, high = of_share(mean, variance, (weight * smooth).sum(-1))
    return measured(
        mean,
        n,
        *_needs_scores(profile, n),
        (np.asarray(~usable.any(-1)), ONE_CLASS),
        error=(weight * error).sum(-1),
        low=low,
        high=high,
    )


def _rank_of_class(rank: Rank, number: int, profile: Profile) -> Measured:
    scores = profile.class_scores(number)
    found = rank(scores.negatives, scores.positives)
    positives, n = scores.positives.sum(-1), (scores.positives + scores.negatives).sum(-1)
    return measured(
        found.value,
        n,
        *_needs_scores(profile, n),
        (positives == 0, "no labelled rows of this class"),
        (positives == n, ONE_CLASS),
        error=found.error,
        low=found.low,
        high=found.high,
    )


def _recall_of_class(number: int, profile: Profile) -> Measured:
    confusion = profile.confusion
    true = confusion[..., number, :].sum(-1)
    why = (true == 0, "no labelled rows of this class")
    return proportion(confusion[..., number, number], true, *_needs_classes(profile), why)


def _precision_of_class(number: int, profile: Profile) -> Measured:
    confusion = profile.confusion
    said = confusion[..., :, number].sum(-1)
    why = (said == 0, "no predictions of this class among the labelled rows")
    return proportion(confusion[..., number, number], said, *_needs_classes(profile), why)


def _f1_of_class(number: int, profile: Profile) -> Measured:
    """Of a class; the interval as that of a binary classifier."""
    confusion = profile.confusion
    hits = confusion[..., number, number]
    rows = confusion[..., number, :].sum(-1) + confusion[..., :, number].sum(-1) - hits
    low, high = wilson(hits, rows)
    return measured(
        2 * hits / np.maximum(rows + hits, 1),
        _judged(profile),
        *_needs_classes(profile),
        (rows == 0, "this class is neither predicted nor true"),
        low=2 * low / (1 + low),
        high=2 * high / (1 + high),
    )


def _label_rate_of_class(number: int, profile: Profile) -> Measured:
    labelled = profile.total("labelled")
    scores = profile.class_scores(number).positives.sum(-1)
    judged = profile.confusion[..., number, :].sum(-1)
    # Rows without scores are known by their prediction, and the other way round.
    known = profile.ranks.sum(-1)
    of_cells = known < _judged(profile)
    n = np.where(of_cells, _judged(profile), known)
    undefined = ((labelled == 0, NO_OUTCOMES), (n == 0, NO_PREDICTIONS))
    return proportion(np.where(of_cells, judged, scores), n, *undefined)


def _prediction_rate_of_class(number: int, profile: Profile) -> Measured:
    n = profile.total("n")
    return proportion(profile.predicted[..., number], n, (n == 0, NO_ROWS))


def _share(name: str, title: str, number: cells.Number) -> Metric:
    return Metric(name, title, partial(_of_cells, number), higher_is_better=True)


def _correlation(name: str, title: str, number: cells.Number) -> Metric:
    measure = partial(_of_cells, number, least=-1)
    return Metric(name, title, measure, higher_is_better=True, unit="number")


def _area(name: str, title: str, rank: Rank, *, weighted: bool = False) -> Metric:
    return Metric(name, title, partial(_averaged, rank, weighted=weighted), higher_is_better=True)


METRICS: dict[str, Metric] = table(
    _share("f1_macro", "F1, mean of the classes", cells.f1_macro),
    Metric("accuracy_score", "Accuracy", accuracy_score, higher_is_better=True),
    _share("balanced_accuracy_score", "Balanced accuracy", cells.balanced_accuracy),
    _share("precision_macro", "Precision, mean of the classes", cells.precision_macro),
    _share("recall_macro", "Recall, mean of the classes", cells.recall_macro),
    _share("precision_weighted", "Precision, weighted", cells.precision_weighted),
    _share("f1_weighted", "F1, weighted", cells.f1_weighted),
    _correlation("matthews_corrcoef", "Matthews correlation", cells.matthews),
    _correlation("cohen_kappa_score", "Cohen's kappa", cells.kappa),
    _area("roc_auc_ovr_macro", "ROC AUC, mean of the classes", ranking.roc_auc),
    _area("roc_auc_ovr_weighted", "ROC AUC, weighted", ranking.roc_auc, weighted=True),
    _area("precision_recall_auc_macro", "Average precision, mean of the classes",
          ranking.average_precision),
    Metric("log_loss", "Log loss", log_loss, higher_is_better=False, unit="number"),
    Metric("brier_score", "Brier score", brier_score, higher_is_better=False, unit="number"),
    CONCEPT_DRIFT,
    Metric("mean_score", "Mean score", mean_score, higher_is_better=None, needs_labels=False),
    COVERAGE,
)  # fmt: skip

# Names that take a class: `recall_score@cat`.
OF_CLASS: dict[str, tuple[str, Callable[[int, Profile], Measured], bool | None, bool]] = {
    "recall_score": ("Recall", _recall_of_class, True, True),
    "precision_score": ("Precision", _precision_of_class, True, True),
    "f1_score": ("F1", _f1_of_class, True, True),
    "roc_auc": ("ROC AUC", partial(_rank_of_class, ranking.roc_auc), True, True),
    "precision_recall_auc": (
        "Average precision", partial(_rank_of_class, ranking.average_precision), True, True,
    ),
    "label_rate": ("Share of outcomes", _label_rate_of_class, None, True),
    "prediction_rate": ("Share of predictions", _prediction_rate_of_class, None, False),
}  # fmt: skip


def metric_of_class(name: str, classes: tuple[str, ...], wanted: str) -> Metric | None:
    """The metric of one class against the rest; None when there is no such metric or class."""
    if name not in OF_CLASS or wanted not in classes:
        return None
    title, measure, better, needs_labels = OF_CLASS[name]
    found = partial(measure, classes.index(wanted))
    return Metric(f"{name}@{wanted}", f"{title} of {wanted}", found, better, needs_labels)


def top_k(k: int) -> Metric:
    """Whether the truth was among the k highest scores."""
    measure = partial(top_k_accuracy_score, k=k)
    return Metric(f"top_k_accuracy_score@{k}", f"Top-{k} accuracy", measure, higher_is_better=True)


def _output(profile: Profile) -> MulticlassOutput:
    output = profile.plan.output
    assert isinstance(output, MulticlassOutput)
    return output


def _judged(profile: Profile) -> Floats:
    return np.asarray(profile.confusion.sum((-2, -1)))


def _scored(profile: Profile) -> Reason:
    return np.full(profile.vector.shape[:-1], not _output(profile).scored), NO_SCORES


def _needs_classes(profile: Profile) -> tuple[Reason, ...]:
    nothing = profile.total("labelled") == 0
    return (nothing, NO_OUTCOMES), (_judged(profile) == 0, NO_PREDICTIONS)


def _needs_scores(profile: Profile, n: Floats) -> tuple[Reason, ...]:
    nothing = profile.total("labelled") == 0
    return (nothing, NO_OUTCOMES), _scored(profile), (n == 0, NO_SCORES)
