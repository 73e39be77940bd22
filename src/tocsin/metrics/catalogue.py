"""The metrics of a model: those of its task, its own, and those whose names take an argument."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from tocsin.errors import InvalidInputError, did_you_mean
from tocsin.metrics import binary, multiclass, regression
from tocsin.metrics.custom import ratio_metric
from tocsin.metrics.metric import Metric, table
from tocsin.profiles.outputs.multiclass import MOST_RANKS
from tocsin.schema import Schema, Task


class Catalogue(Mapping[str, Metric]):
    """Metrics by name. It iterates over the standard ones and knows more: `recall_score@0.3`.

    headline: the name of the metric to show first. dear: those that are only measured when asked
    for, as they take longer than the others together.
    """

    def __init__(
        self,
        standard: Mapping[str, Metric],
        headline: str,
        more: Callable[[str, str], Metric],
        dear: Mapping[str, Metric],
    ) -> None:
        self._standard = standard
        self._more = more
        self._dear = dear
        self.headline = headline

    def find(self, name: str) -> Metric:
        """The metric of this name.

        Raises: InvalidInputError that says which there are, or what the argument lacks.
        """
        if name in self._standard:
            return self._standard[name]
        if name in self._dear:
            return self._dear[name]
        plain, at, argument = name.partition("@")
        if at:
            return self._more(plain, argument)
        known = [*self._standard, *self._dear]
        raise InvalidInputError(
            f"there is no metric {name!r} for this model; {did_you_mean(name, known)}there are "
            f"{', '.join(known)}"
        )

    def __getitem__(self, name: str) -> Metric:
        try:
            return self.find(name)
        except InvalidInputError as error:
            raise KeyError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._standard)

    def __len__(self) -> int:
        return len(self._standard)


def catalogue(schema: Schema, extra: Sequence[Metric] = (), first: Sequence[str] = ()) -> Catalogue:
    """The metrics of a model with this schema.

    extra: metrics of one's own; ratios of the schema are there without being asked for. first:
    names of those that come before all others, the headline first.
    Raises: InvalidInputError when two metrics have one name, or a ratio that of a built-in one.
    """
    own = [*(ratio_metric(ratio) for ratio in schema.ratios), *extra]
    standard, headline, more = _OF_TASK[schema.task](schema)
    names = [*(standard.keys() - _DEAR), *(metric.name for metric in own)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"metrics must have different names, but {repeated} are repeated")
    asked = {metric.name for metric in extra}
    dear = {name: m for name, m in standard.items() if name in _DEAR and name not in asked}
    kept = {name: m for name, m in standard.items() if name not in _DEAR}
    found = Catalogue({**kept, **table(*own)}, headline, more, dear)
    if not first:
        return found
    leading = {name: found.find(name) for name in first}
    rest = {name: metric for name, metric in found.items() if name not in leading}
    left = {name: metric for name, metric in dear.items() if name not in leading}
    return Catalogue({**leading, **rest}, first[0], more, left)


_DEAR = frozenset(
    {
        "calibration_slope", "calibration_intercept", "concept_drift_slope",
        "concept_drift_intercept", "concept_drift_positives",
    }
)  # fmt: skip
_Parts = tuple[Mapping[str, Metric], str, Callable[[str, str], Metric]]


def _binary(schema: Schema) -> _Parts:
    thresholds = sorted({schema.threshold, *schema.thresholds}) if schema.score else []

    def more(plain: str, argument: str) -> Metric:
        threshold = _number(plain, argument)
        found = binary.metric_at(plain, threshold)
        if found is None:
            raise _unknown(plain, [*binary.AT_THRESHOLD, "prediction_rate"])
        if threshold not in thresholds:
            raise InvalidInputError(
                f"metric '{plain}@{argument}' needs the threshold {argument}; add it to "
                f"`thresholds` of the schema, which has {_listed(thresholds)}"
            )
        return found

    headline = "roc_auc" if schema.score else "accuracy_score"
    return (
        _without_scores(binary.METRICS, _BINARY_SCORED, scored=bool(schema.score)),
        headline,
        more,
    )


def _multiclass(schema: Schema) -> _Parts:
    most = min(len(schema.classes), MOST_RANKS) if schema.scores else 0

    def more(plain: str, argument: str) -> Metric:
        if plain == "top_k_accuracy_score":
            if argument not in map(str, range(1, most + 1)):
                raise InvalidInputError(
                    f"{plain} is known for k from 1 to {most}, not {argument!r}"
                )
            return multiclass.top_k(int(argument))
        found = multiclass.metric_of_class(plain, schema.classes, argument)
        if found is not None:
            return found
        if plain not in multiclass.OF_CLASS:
            raise _unknown(plain, [*multiclass.OF_CLASS, "top_k_accuracy_score"])
        raise InvalidInputError(
            f"there is no class {argument!r}; there are {', '.join(schema.classes)}"
        )

    tops = (multiclass.top_k(k) for k in multiclass.STANDARD_TOPS if k < len(schema.classes))
    standard = {**multiclass.METRICS, **table(*tops)}
    scored = _without_scores(standard, _MULTICLASS_SCORED, scored=bool(schema.scores))
    return scored, "f1_macro", more


def _regression(_schema: Schema) -> _Parts:
    def more(plain: str, argument: str) -> Metric:
        share = _number(plain, argument)
        if plain != "absolute_error_quantile":
            raise _unknown(plain, ["absolute_error_quantile"])
        if not 0 < share < 1:
            raise InvalidInputError(f"{plain}@{argument}: the share has to be between 0 and 1")
        return regression.quantile_metric(share)

    return regression.METRICS, "mean_absolute_error", more


_OF_TASK = {Task.BINARY: _binary, Task.MULTICLASS: _multiclass, Task.REGRESSION: _regression}

# What a model that gives classes only never has.
_BINARY_SCORED = (
    "roc_auc", "precision_recall_auc", "log_loss", "brier_score", "mean_score",
    "expected_calibration_error", "calibration_bias", "calibration_slope",
    "calibration_intercept", "concept_drift_slope", "concept_drift_intercept",
)  # fmt: skip
_MULTICLASS_SCORED = (
    "roc_auc_ovr_macro", "roc_auc_ovr_weighted", "precision_recall_auc_macro", "log_loss",
    "brier_score", "mean_score", *(f"top_k_accuracy_score@{k}" for k in multiclass.STANDARD_TOPS),
)  # fmt: skip


def _without_scores(
    metrics: Mapping[str, Metric], needs: Sequence[str], *, scored: bool
) -> Mapping[str, Metric]:
    return {name: m for name, m in metrics.items() if scored or name not in needs}


def _number(plain: str, argument: str) -> float:
    try:
        return float(argument)
    except ValueError:
        raise InvalidInputError(
            f"metric '{plain}@{argument}' needs a number after the @, such as {plain}@0.9"
        ) from None


def _unknown(plain: str, known: Sequence[str]) -> InvalidInputError:
    return InvalidInputError(
        f"there is no metric '{plain}@...' for this model; with an @ there are {', '.join(known)}"
    )


def _listed(thresholds: Sequence[float]) -> str:
    return ", ".join(f"{threshold!r}" for threshold in thresholds) or "no scores"
