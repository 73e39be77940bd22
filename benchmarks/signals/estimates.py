"""How far estimates without labels are from what came out, beside doing without them."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OrdinalEncoder

from benchmarks.peer import Peer
from benchmarks.signals.packages import CACHE
from benchmarks.signals.streams import LABEL, SCORE, STREAMS, Stream
from tocsin.estimation import expectations, importance_weights, interval, supports, weighted
from tocsin.metrics import METRICS, Measured
from tocsin.metrics.intervals import Z95
from tocsin.profiles import Plan, Profile
from tocsin.values import Bounded

Floats = NDArray[np.float64]
NAMES = ("accuracy_score", "roc_auc", "brier_score")
HEADER = (
    "data", "windows", "metric", "no change", "CBPE", "weighted", "supported", "sampling SE",
    "inside",
)  # fmt: skip
TITLE = """Estimates before labels: mean distance from the realised number of the window

no change: the number of the reference; weighted: of the reference rows by a classifier of the
domain, where that is supported, else CBPE; supported: in how many windows it is; inside: windows
whose realised number is in the 95 % interval of CBPE, without what the backtest adds."""
# Of the reference, what a diagnosis draws as well.
_SAMPLE = 20_000
ORACLE = Peer("NannyML", "nannyml_cbpe.py", "nannyml.txt")


@cache
def measured(name: str) -> tuple[Stream, Plan, Profile, Profile]:
    """A stream and its profiles, made once."""
    stream: Stream = STREAMS[name]()
    return (stream, *stream.profiles())


def rows(chosen: Sequence[str]) -> list[tuple[str, ...]]:
    """The table."""
    return [row for name in chosen for row in _rows(name)]


def _rows(name: str) -> list[tuple[str, ...]]:
    stream, plan, reference, windows = measured(name)
    found = expectations(reference, windows, NAMES)
    by_weight, supported = _weighted(stream, plan, found)
    table = []
    for metric in NAMES:
        truth: Measured = METRICS[metric].measure(windows)
        was = float(METRICS[metric].measure(reference).value)
        e = found[metric]
        low, high = interval(e.value, e.variance, e.scale)
        errors = (was - truth.value, e.value - truth.value, by_weight[metric] - truth.value)
        error = float(np.mean(truth.high - truth.low)) / (2 * Z95)
        table.append(
            (
                stream.name,
                str(len(stream.windows)),
                metric,
                *(f"{np.abs(part).mean():.4f}" for part in errors),
                f"{supported:.0%}",
                f"{error:.4f}",
                f"{((low <= truth.value) & (truth.value <= high)).mean():.0%}",
            )
        )
    return table


def _weighted(
    stream: Stream, plan: Plan, found: Mapping[str, Any]
) -> tuple[dict[str, Floats], float]:
    """Weighted numbers of every window, CBPE where the weights are worth too little."""
    few = min(_SAMPLE, len(stream.reference))
    sample = stream.reference.sample(few, random_state=0)
    before = stream.rows(sample)
    values = {name: np.array(found[name].value) for name in NAMES}
    supported = 0
    for i, window in enumerate(stream.windows):
        weights = importance_weights(_odds(sample, window))
        if not supports(weights):
            continue
        supported += 1
        for name in NAMES:
            number = weighted(METRICS[name], plan, before.rows, before.labels, weights)
            assert isinstance(number, Bounded)
            values[name][i] = number.value
    return values, supported / len(stream.windows)


def _odds(reference: pd.DataFrame, window: pd.DataFrame) -> Floats:
    """(n,) of reference rows, by a classifier that did not see the row."""
    both = pd.concat([reference, window]).drop(columns=[LABEL])
    text = [name for name in both if not pd.api.types.is_numeric_dtype(both[name])]
    x = both.assign(
        **{
            name: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
            .fit_transform(both[[name]].astype(str))
            .ravel()
            for name in text
        }
    ).to_numpy(float)
    y = np.repeat([0, 1], [len(reference), len(window)])
    chance = np.empty(len(y))
    for seen, unseen in StratifiedKFold(2, shuffle=True, random_state=0).split(x, y):
        model = HistGradientBoostingClassifier(
            max_iter=30, max_leaf_nodes=15, early_stopping=False, random_state=0
        )
        chance[unseen] = model.fit(x[seen], y[seen]).predict_proba(x[unseen])[:, 1]
    mine = np.clip(chance[: len(reference)], 1e-6, 1 - 1e-6)
    return np.asarray(mine / (1 - mine))


def oracle() -> str:
    """How far our estimates are from those of NannyML, which calibrates rows and not bins."""
    stream, _, reference, windows = measured("acs")
    found = expectations(reference, windows, NAMES)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        files = [Path(folder) / f"{name}.parquet" for name in ("reference", "rows")]
        tables = (stream.reference, pd.concat(stream.windows))
        for file, table in zip(files, tables, strict=True):
            some = table[[SCORE, LABEL]].assign(prediction=(table[SCORE] >= 0.5).astype(int))
            some.to_parquet(file, index=False)
        theirs = ORACLE.said(CACHE, *files, len(stream.windows[0]))
    pairs = (("accuracy", "accuracy_score"), ("roc_auc", "roc_auc"))
    apart = [np.abs(np.array(theirs[a]) - found[b].value) for a, b in pairs]
    truth = [METRICS[b].measure(windows).value for _, b in pairs]
    off = [np.abs(np.array(theirs[a]) - t).mean() for (a, _), t in zip(pairs, truth, strict=True)]
    return (
        f"NannyML {theirs['version']} on {stream.name}: its CBPE is "
        f"{off[0]:.4f} (accuracy) and {off[1]:.4f} (AUC) from the realised numbers, and ours from "
        f"its own {apart[0].mean():.4f} and {apart[1].mean():.4f}, at most {apart[0].max():.4f} "
        f"and {apart[1].max():.4f}."
    )
