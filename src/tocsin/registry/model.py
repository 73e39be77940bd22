"""A registered model as Tocsin wants it: schema and reference, whatever MLflow calls them."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tocsin.errors import RegistryError
from tocsin.registry.dataset import Dataset, training_dataset
from tocsin.registry.reference import labels, rows, scores, values
from tocsin.registry.signature import features
from tocsin.registry.tracking import Tracking
from tocsin.registry.version import find_version
from tocsin.schema import Schema, Task


@dataclass(frozen=True)
class RegisteredModel:
    """One version of a model in the registry, and what is needed to monitor it.

    reference: the training rows: the features (float64, text or bool, by their kind), the score
    `schema.score` (float64) and the label `schema.label` (int8, 0 or 1, or null).
    notes: what was assumed, a sentence each, for people to read.
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    schema: Schema
    reference: pa.Table
    notes: tuple[str, ...]


def registered_model(
    uri: str, *, tracking_uri: str | None, label: str | None = None, score: str | None = None
) -> RegisteredModel:
    """The model at `models:/name@alias` or `models:/name/version`, with its training rows.

    tracking_uri: the MLflow server; None for the one that MLflow itself is configured with.
    label, score: columns of the training dataset that hold the truth and the probability of the
    positive class; they take precedence over the tags `tocsin.label` and `tocsin.score` that the
    dataset was logged with. MLflow itself forgets `targets=` and `predictions=`.
    Raises: InvalidInputError for another kind of address; RegistryError when MLflow cannot be
    reached or lacks what is needed; SchemaError for a model that is not a binary classifier.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-registry-") as folder:
        tracking = Tracking.connect(tracking_uri, Path(folder))
        version = find_version(uri, tracking)
        inputs = features(version.artifacts, tracking, model=uri)
        dataset = training_dataset(version.run_id, tracking, model=uri)
        table = rows(dataset, tracking, model=uri)
    spare = set(table.column_names) - {feature.name for feature in inputs}
    label = _column("label", label, dataset, spare)
    score = _column("score", score, dataset, spare - {label})
    truth = labels(table, label, model=uri)
    columns = {feature.name: values(table, feature, model=uri) for feature in inputs}
    columns |= {score: scores(table, score, model=uri), label: truth}
    return RegisteredModel(
        name=version.name,
        version=version.version,
        aliases=version.aliases,
        schema=Schema(Task.BINARY, inputs, score=score, prediction=None, label=label),
        reference=pa.table(columns),
        notes=(
            f"The reference is dataset {dataset.name!r} of run {version.run_id}: "
            f"{table.num_rows} rows from {dataset.source}.",
            f"The label is column {label!r}, missing in {truth.null_count} of these rows.",
            f"The score is column {score!r}, taken as the probability of the positive class for "
            "rows that the model had not seen; if it had, the reference flatters the model.",
            "Scores of 0.5 and more count as the positive class.",
            *dataset.notes,
            *_left_out(table, columns),
        ),
    )


def _column(role: str, given: str | None, dataset: Dataset, spare: set[str]) -> str:
    """The one of the spare columns of the dataset that plays the role."""
    name = given or dataset.roles.get(role)
    if name is None:
        raise RegistryError(
            f"MLflow does not record which column of dataset {dataset.name!r} is the {role}; "
            f"give `{role}`, one of {sorted(spare)}"
        )
    if name not in spare:
        raise RegistryError(
            f"column {name!r} of dataset {dataset.name!r} cannot be the {role}; "
            f"give `{role}`, one of {sorted(spare)}"
        )
    return name


def _left_out(table: pa.Table, columns: dict[str, pa.Array]) -> list[str]:
    names = [name for name in table.column_names if name not in columns]
    return [f"Columns {names} are no inputs of the model and were left out."] if names else []
