"""A registered model as Tocsin wants it: schema and reference, whatever MLflow calls them."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.registry.baseline import baseline
from tocsin.registry.dataset import training_dataset
from tocsin.registry.outputs import told_schema
from tocsin.registry.reference import needed, rows
from tocsin.registry.roles import Roles
from tocsin.registry.signature import signature_of
from tocsin.registry.tracking import Tracking
from tocsin.registry.version import find_version
from tocsin.schema import Schema

_NOTHING_SAID = Roles()


@dataclass(frozen=True)
class RegisteredModel:
    """One version of a model in the registry, and what is needed to monitor it.

    reference: the training rows, with the columns of the schema as the dataset has them.
    baseline: the metrics that were logged with it. notes: what was assumed, a sentence each, for
    people to read.
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    schema: Schema
    reference: pa.Table
    baseline: Mapping[str, float]
    notes: tuple[str, ...]


def registered_model(
    uri: str,
    *,
    tracking_uri: str | None,
    roles: Roles = _NOTHING_SAID,
    given: pa.Table | None = None,
) -> RegisteredModel:
    """The model at `models:/name@alias` or `models:/name/version`, with its training rows.

    tracking_uri: the MLflow server; None for the one that MLflow itself is configured with.
    roles: what is said of the training dataset; it comes before tags such as `tocsin.label`.
    given: rows to take instead of the training dataset.
    Raises: InvalidInputError for another kind of address; RegistryError when MLflow cannot be
    reached or lacks what is needed; SchemaError for roles that the dataset contradicts.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-registry-") as folder:
        tracking = Tracking.connect(tracking_uri, Path(folder))
        version = find_version(uri, tracking, needs_run=given is None)
        signature = signature_of(version.artifacts, tracking, model=uri)
        logged = baseline(version.name, version.version, tracking)
        if given is None:
            dataset = training_dataset(version.run_id, tracking, model=uri)
            table = rows(dataset, tracking, model=uri)
            roles, name, notes = roles.or_tags(dataset.tags), dataset.name, dataset.notes
            source = (
                f"The reference is dataset {name!r} of run {version.run_id}: "
                f"{table.num_rows} rows from {dataset.source}."
            )
        else:
            table, name, notes = given, "the reference", ()
            source = f"The reference is what was given: {table.num_rows} rows."
    schema, assumed = told_schema(signature, table, roles, model=uri, dataset=name)
    reference = needed(table, schema, model=uri)
    return RegisteredModel(
        name=version.name,
        version=version.version,
        aliases=version.aliases,
        schema=schema,
        reference=reference,
        baseline=logged,
        notes=(
            source,
            _about_label(schema.label, table),
            *assumed,
            *notes,
            *_left_out(table, reference),
        ),
    )


def _about_label(label: str, table: pa.Table) -> str:
    missing = pc.sum(pc.is_null(table[label], nan_is_null=True)).as_py() or 0
    return f"The label is column {label!r}, missing in {missing} of these rows."


def _left_out(table: pa.Table, reference: pa.Table) -> list[str]:
    names = [name for name in table.column_names if name not in reference.column_names]
    return [f"Columns {names} are no inputs of the model and were left out."] if names else []
