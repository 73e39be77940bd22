"""Profiles as one would work them out row by row, in plain Python: an oracle for folding."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from tocsin.profiles import BinaryOutput, CategoryBins, NumericBins, NumericColumn, Plan, Rows
from tocsin.profiles.layout import DELAY_EDGES
from tocsin.profiles.outputs import MulticlassOutput, RegressionOutput

EPS = float(np.finfo(float).eps)
Row = dict[str, Any]


@dataclass
class Naive:
    """Sums by `block[bin].field`."""

    plan: Plan
    sums: Counter[str]

    def add(self, block: str, at: int, **amounts: float) -> None:
        for field, amount in amounts.items():
            self.sums[f"{block}[{at}].{field}"] += float(amount)


def naive(plan: Plan, rows: Rows, labels: list[float], delays: list[int]) -> Naive:
    """The profile of rows that all have a label; the ratios of `RATIOS` by their Python."""
    found = Naive(plan, Counter())
    for row, label, delay in zip(_rows(rows), labels, delays, strict=True):
        predicted = _OF_TASK[type(plan.output)](found, plan.output, row, label)
        found.add("totals", 0, n=1, labelled=1, **predicted["totals"])
        found.add("delays", sum(edge < delay for edge in DELAY_EDGES.tolist()), n=1)
        joint = {k: predicted["totals"][k] for k in
                 ("score", "expected_loss", "label", "loss", "loss_squared")}  # fmt: skip
        for bins in plan.features:
            at, value = _bin(bins, row[bins.name])
            found.add(f"feature/{bins.name}", at, n=1, value=value, labelled=1, **joint)
    return found


def _rows(rows: Rows) -> list[Row]:
    found = []
    for i in range(len(rows)):
        row: Row = {"scores": rows.scores[i].tolist(), "predicted": int(rows.predicted[i])}
        for name, column in rows.features.items():
            if isinstance(column, NumericColumn):
                gone = bool(column.null.size and column.null[i])
                row[name] = None if gone else float(column.values[i])
            else:
                code = int(column.codes[i])
                row[name] = None if code < 0 else column.levels.texts(np.array([code]))[0]
        found.append(row)
    return found


def _bin(bins: NumericBins | CategoryBins, value: Any) -> tuple[int, float]:
    if isinstance(bins, CategoryBins):
        if value is None:
            return bins.labels.index("null", bins.regular), 0.0
        if value in bins.levels:
            return bins.levels.index(value), 0.0
        known = value in bins.others or not bins.all_known
        return bins.regular + (0 if known else 1), 0.0
    names = bins.labels
    if value is None:
        return names.index("null"), 0.0
    if not math.isfinite(value):
        return names.index("non-finite"), 0.0
    if value < bins.edges[0]:
        return names.index("below"), value
    if value > bins.edges[-1]:
        return names.index("above"), value
    return _score_bin(bins.edges, value), value


def _score_bin(edges: tuple[float, ...], value: float) -> int:
    for i in range(len(edges) - 1):
        if edges[i] <= value < edges[i + 1]:
            return i
    return len(edges) - 2


def _squares(**amounts: float) -> dict[str, float]:
    return {f"{name}_squared": amount**2 for name, amount in amounts.items()} | amounts


def _binary(found: Naive, output: BinaryOutput, row: Row, label: float) -> Row:
    score, said = row["scores"][0], row["predicted"]
    if not output.scored:
        score = math.nan if said < 0 else float(said)
    totals = {"predicted_positive": float(said == 1), "label": label}
    if math.isfinite(score):
        at = _score_bin(output.edges, score)
        chance = output.rates[at]
        clipped = min(max(score, EPS), 1 - EPS)
        totals |= {"missing_scores": 0.0} | _squares(
            score=score,
            expected_loss=chance * (1 - score) ** 2 + (1 - chance) * score**2,
            loss=(score - label) ** 2,
            log_loss=-math.log(clipped) if label == 1 else -math.log1p(-clipped),
        )
        side = "positives" if label == 1 else "negatives"
        found.add("scores", at, n=1, score=score, **{side: 1})
    else:
        totals |= {"missing_scores": 1.0}
        totals |= _squares(score=0.0, expected_loss=0.0, loss=0.0, log_loss=0.0)
    if said >= 0:
        name = ("true" if said == label else "false") + ("_positives" if said else "_negatives")
        totals[name] = 1.0
    return {"totals": totals}


def _multiclass(found: Naive, output: MulticlassOutput, row: Row, label: float) -> Row:
    k, said, truth = len(output.classes), row["predicted"], int(label)
    scores = row["scores"]
    if not output.scored:
        scores = [math.nan] * k if said < 0 else [float(i == said) for i in range(k)]
    totals = {"label": float(said == truth)}
    if said >= 0:
        found.add("predicted", said, n=1)
        found.add("confusion", truth * k + said, n=1)
    chances: list[float] = []
    if all(math.isfinite(score) for score in scores):
        expected = 0.0
        for i, score in enumerate(scores):
            at = _score_bin(output.edges[i], score)
            chance = output.rates[i][at]
            chances.append(chance)
            expected += chance * (1 - score) ** 2 + (1 - chance) * score**2
            side = "positives" if i == truth else "negatives"
            found.add(f"scores/{i}", at, n=1, score=score, **{side: 1})
        if said >= 0:
            found.add("predicted", said, chance=chances[said] / sum(chances))
        # As scikit-learn ranks for its top-k accuracy: sorted, equal ones by number.
        order = sorted(range(k), key=lambda i: (scores[i], i), reverse=True)
        found.add("ranks", min(order.index(truth), min(k, 10)), n=1)
        share = scores[truth]
        totals |= {"missing_scores": 0.0} | _squares(
            score=scores[said] if said >= 0 else 0.0,
            expected_loss=expected,
            loss=sum((s - (i == truth)) ** 2 for i, s in enumerate(scores)),
            log_loss=-math.log(min(max(share, EPS), 1.0)),
        )
    else:
        totals |= {"missing_scores": 1.0}
        totals |= _squares(score=0.0, expected_loss=0.0, loss=0.0, log_loss=0.0)
    return {"totals": totals}


def _regression(found: Naive, output: RegressionOutput, row: Row, label: float) -> Row:
    said = row["scores"][0]
    known = math.isfinite(said)
    at, _ = _bin(output.bins, said)
    score = said - output.centre if known else 0.0
    expected = output.errors[at] if known else 0.0
    totals = {"missing_scores": float(not known)}
    totals |= _squares(score=score, expected_loss=expected)
    found.add("prediction", at, n=1, value=score, score=score, expected_loss=expected)
    if not (known and math.isfinite(label)):
        return {"totals": totals | {"label": 0.0, "loss": 0.0, "loss_squared": 0.0}}
    away, residual = label - output.centre, said - label
    error = abs(residual)
    logarithmic = said > -1 and label > -1
    log_error = math.log1p(said) - math.log1p(label) if logarithmic else 0.0
    totals |= _squares(
        label=away, loss=error, relative_error=0.0 if abs(label) <= EPS else error / abs(label)
    )
    totals |= {
        "label_score": away * score,
        "residual": residual,
        "error_fourth": error**4,
        "error_label": error**2 * away,
        "error_label_squared": error**2 * away**2,
        "label_cubed": away**3,
        "label_fourth": away**4,
        "label_squared_residual": away**2 * residual,
        "label_cubed_residual": away**3 * residual,
        "label_residual_cubed": away * residual**3,
        "residual_cubed": residual**3,
        "log_error_squared": log_error**2,
        "log_error_fourth": log_error**4,
        "not_logarithmic": float(not logarithmic),
        "zero_labels": float(abs(label) <= EPS),
    }
    found.add("prediction", at, labelled=1, label=away, loss=error, loss_squared=error**2)
    edges = output.residual_edges
    of_error = max(i for i in range(len(edges)) if edges[i] <= error)
    found.add("residuals", of_error, **{"over" if residual > 0 else "under": 1})
    return {"totals": totals}


_OF_TASK: dict[type, Any] = {
    BinaryOutput: _binary,
    MulticlassOutput: _multiclass,
    RegressionOutput: _regression,
}
