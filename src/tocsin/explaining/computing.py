"""The importance of features for one version of a model: rows in, model loaded, result stored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tocsin.engines import reference_rows
from tocsin.errors import InvalidInputError
from tocsin.explain import (
    FeatureImportance,
    Importance,
    Measured,
    Method,
    losses_of,
    moves_from,
    permutation_importance,
)
from tocsin.explaining.shapley import mean_shap
from tocsin.model_uri import parse_address
from tocsin.registry.loading import LoadedModel, loaded_model
from tocsin.remote import Remote
from tocsin.schema import Schema

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Asked:
    """What is to be found. version: that which predicts now if None."""

    model: str
    version: str | None = None
    method: Method = Method.PERMUTATION
    rows: int = 2_000
    repeats: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Computed:
    """What the server stored, and what was left out of account, a sentence each."""

    document: dict[str, Any]
    notes: tuple[str, ...]


def computed(
    remote: Remote, asked: Asked, *, tracking_uri: str | None, progress: Progress
) -> Computed:
    """Find the importance of all features, and store it at the server.

    Raises: TocsinError when the rows or the model cannot be had, or do not fit together.
    """
    path = ("models", asked.model)
    known = remote.get(*path)
    schema = Schema.from_dict(known["schema"])
    table, plan = remote.table(*path, "reference", rows=str(asked.rows), seed=str(asked.seed))
    with loaded_model(address(known, asked), tracking_uri=tracking_uri) as model:
        check_private(model, known)
        labels = reference_rows(schema, table).labels
        found, notes = importance(model, schema, table, labels, asked, progress)
        request = {**found.to_dict(), "version": model.version, "plan": plan}
    return Computed(remote.put(*path, "importance", document=request), notes)


def importance(
    model: LoadedModel,
    schema: Schema,
    table: pa.Table,
    labels: Floats | None,
    asked: Asked,
    progress: Progress,
) -> tuple[Importance, tuple[str, ...]]:
    """What a loaded model relies on in some rows; features it does not take have 0.

    labels: (n,) NaN where unknown; None if the output is to be looked at.
    """
    labels = np.full(table.num_rows, np.nan) if labels is None else labels
    labelled = np.flatnonzero(~np.isnan(labels))
    notes = []
    if len(labelled) and asked.method is Method.PERMUTATION:
        if len(labelled) < len(labels):
            notes.append(f"{len(labels) - len(labelled):,} rows without a label were left out.")
        table, labels = table.take(labelled), labels[labelled]
    frame = model.frame(table)
    if asked.method is Method.SHAP:
        measured = Measured.OUTPUT
        given = lambda rows: model.outputs(rows, schema)  # noqa: E731
        each, rows = mean_shap(model.raw, given, frame, seed=asked.seed, progress=progress)
    else:
        measured = Measured.LOSS if len(labelled) else Measured.OUTPUT
        rows = len(frame)
        each = _permuted(model, schema, frame, labels, asked, progress)
    inputs = [f.name for f in schema.features if f.name in model.inputs]
    known = {found.feature: found for found in each}
    ignored = [f.name for f in schema.features if f.name not in model.inputs]
    if ignored:
        notes.append(f"The model does not take {', '.join(ignored)}: importance 0.")
    features = [known[name] for name in inputs]
    features += [FeatureImportance(name, 0.0, 0.0) for name in ignored]
    repeats = asked.repeats if asked.method is Method.PERMUTATION else 1
    return (
        Importance.of(asked.method, measured, rows, repeats, asked.seed, features),
        tuple(notes),
    )


def _permuted(
    model: LoadedModel,
    schema: Schema,
    frame: Any,
    labels: Floats,
    asked: Asked,
    progress: Progress,
) -> list[FeatureImportance]:
    before = model.outputs(frame, schema)
    unlabelled = bool(np.isnan(labels).all())
    losses = moves_from(before) if unlabelled else losses_of(schema.task, labels)

    def outputs(feature: str, order: Ints) -> Floats:
        shuffled = frame.assign(**{feature: frame[feature].array.take(order)})
        return model.outputs(shuffled, schema)

    return permutation_importance(
        outputs,
        before,
        losses,
        model.inputs,
        repeats=asked.repeats,
        seed=asked.seed,
        progress=progress,
    )


def address(known: dict[str, Any], asked: Asked) -> str:
    """Where the version is kept. Raises: InvalidInputError when nobody said."""
    uri = known["model_uri"]
    if uri is None:
        raise InvalidInputError(
            f"model {asked.model!r} was added without a registry, so it cannot be loaded; give its "
            "monitor `model`: models:/name@alias"
        )
    version = known["version"] if asked.version is None else asked.version
    name = parse_address(uri).name
    if not str(version).isdigit():
        if asked.version is not None:
            raise InvalidInputError(f"--version {version!r} is no version of {uri}; such as 3")
        return str(uri)
    return f"models:/{name}/{version}"


def check_private(model: LoadedModel, known: dict[str, Any]) -> None:
    """Raises: InvalidInputError when the model takes what is not stored as it came."""
    private = {*known["privacy"]["hash"], *known["privacy"]["drop"]}
    odd = next((name for name in model.inputs if name in private), None)
    if odd is not None:
        raise InvalidInputError(
            f"the model takes {odd!r}, which the monitor's `privacy` hashes or drops: the stored "
            "reference is not what the model was made for, so nothing can be found with it"
        )
