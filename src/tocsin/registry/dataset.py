"""The dataset that a run was trained on, as MLflow's tracking store remembers it."""

import json
from dataclasses import dataclass
from typing import Any

from tocsin.errors import RegistryError
from tocsin.registry.tracking import Tracking, refused

_REMEDY = (
    "log it in the run with mlflow.log_input(mlflow.data.from_pandas(rows, source=...), "
    "context='training'), where source is a Parquet or CSV file that can be read from here, or "
    "give a reference as Parquet"
)


@dataclass(frozen=True)
class Dataset:
    """A dataset that can be loaded again.

    tags: those it was logged with, such as `tocsin.label`.
    logged: what MLflow stored, for `mlflow.data.get_source`.
    """

    name: str
    source: str
    tags: dict[str, str]
    notes: tuple[str, ...]
    logged: Any


def training_dataset(run_id: str, tracking: Tracking, *, model: str) -> Dataset:
    """The training dataset of a run.

    Raises: RegistryError when the run has none, or none that was kept as a file.
    """
    with refused(tracking.address):
        inputs = tracking.client.get_run(run_id).inputs.dataset_inputs
    training = [
        (logged.dataset, tags)
        for logged in inputs
        if (tags := {tag.key: tag.value for tag in logged.tags}).get("mlflow.data.context")
        in ("training", "train")
    ]
    if not training:
        raise RegistryError(f"run {run_id} of {model} has no training dataset; {_REMEDY}")
    # Autologging records only the code that made the rows, not where they are.
    kept = [(dataset, tags) for dataset, tags in training if dataset.source_type != "code"]
    if not kept:
        raise RegistryError(
            f"the training dataset of {model} (run {run_id}) was not kept as a file; {_REMEDY}"
        )
    # One that tells its roles was logged with Tocsin in mind.
    kept.sort(key=lambda entry: "tocsin.label" not in entry[1])
    chosen, tags = kept[0]
    others = [dataset.name for dataset, _ in kept[1:]]
    note = f"The run has more training datasets, {others}, which were not used."
    return Dataset(
        name=chosen.name,
        source=_address(chosen.source),
        tags=tags,
        notes=(note,) if others else (),
        logged=chosen,
    )


def _address(source: str) -> str:
    document = json.loads(source)
    return str(document.get("uri") or document.get("url") or source)
