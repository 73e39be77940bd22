"""SHAP values of a model, by the `shap` package."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import StartupError
from tocsin.explain import FeatureImportance

Floats = NDArray[np.float64]

# Of a model that is no tree: how many rows are explained, against how many others, by how many ways
# to add the features one by one. Each row takes (2 x features + 1) x ways x others predictions.
MOST_ROWS = 200
_OTHERS = 50
_WAYS = 2
_AT_ONCE = 10


def mean_shap(
    raw: Any,
    outputs: Callable[[Any], Floats],
    frame: Any,
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> tuple[list[FeatureImportance], int]:
    """The mean absolute SHAP value of each column of a frame, and how many rows were explained.

    raw: explained exactly where it is a tree or many; its values are in the unit of its leaves, for
    boosted classifiers log-odds. Others by their `outputs`, from a sample.
    Raises: StartupError without `shap`. Source: Lundberg & Lee (2017), arXiv:1705.07874.
    """
    shap = _shap()
    values = _of_trees(shap, raw, frame)
    if values is None:
        values = _of_outputs(shap, outputs, frame, seed, progress)
    # Of several outputs the mean.
    sizes = np.abs(values).reshape(len(values), len(frame.columns), -1).mean(2)
    found = [FeatureImportance.mean_of(n, sizes[:, i]) for i, n in enumerate(frame.columns)]
    return found, len(values)


def _shap() -> Any:
    try:
        import shap
    except ImportError as error:
        raise StartupError(
            f"SHAP values need {error.name}; install it with pip install 'tocsin[shap]', or leave "
            "out --method"
        ) from error
    return shap


def _of_trees(shap: Any, raw: Any, frame: Any) -> Floats | None:
    """(n, features) or (n, features, outputs); None for what is no tree, or takes text."""
    if not all(kind.kind in "iufb" for kind in frame.dtypes):
        return None
    try:
        explainer = shap.TreeExplainer(raw)
    except shap.utils._exceptions.InvalidModelError:  # noqa: SLF001 - it has no public name
        return None
    return np.asarray(explainer.shap_values(frame, check_additivity=False), dtype=np.float64)


def _of_outputs(
    shap: Any,
    outputs: Callable[[Any], Floats],
    frame: Any,
    seed: int,
    progress: Callable[[int, int], None],
) -> Floats:
    coded, decoded = _codes(frame)
    rows = coded[:MOST_ROWS]
    others = shap.maskers.Independent(coded[-_OTHERS:], max_samples=_OTHERS)
    explainer = shap.PermutationExplainer(lambda codes: outputs(decoded(codes)), others, seed=seed)
    evaluations = _WAYS * (2 * len(frame.columns) + 1)
    parts: list[Floats] = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        parts.append(explainer(part, max_evals=evaluations, silent=True).values)
        progress(start + len(part), len(rows))
    return np.concatenate(parts)


def _codes(frame: Any) -> tuple[Floats, Callable[[Floats], Any]]:
    """The rows as numbers, which `shap` can mix, and the way back: each value by its number."""
    import pandas as pd

    levels: list[Any] = []
    codes = np.empty((len(frame), len(frame.columns)))
    for i, name in enumerate(frame.columns):
        numbers, found = pd.factorize(frame[name], use_na_sentinel=False)
        codes[:, i] = numbers
        levels.append(found)

    def decoded(mixed: Floats) -> Any:
        columns = [
            pd.Series(level, dtype=kind).take(mixed[:, i].astype(int)).array
            for i, (level, kind) in enumerate(zip(levels, frame.dtypes, strict=True))
        ]
        return pd.DataFrame(dict(zip(frame.columns, columns, strict=True)))

    return codes, decoded
