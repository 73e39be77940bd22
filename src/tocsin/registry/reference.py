"""The rows of a training dataset, wherever they are kept."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tocsin.errors import RegistryError
from tocsin.registry.dataset import Dataset
from tocsin.registry.tracking import Tracking, probe, refused
from tocsin.schema import Kind, Schema

# How an MLflow server hands out its artifacts to plain HTTP clients.
_PROXY = "/api/2.0/mlflow-artifacts/artifacts/"
# When rows were predicted: what the moments among the features are measured from.
TIMESTAMP = "timestamp"


def rows(dataset: Dataset, tracking: Tracking, *, model: str) -> pa.Table:
    """All rows and columns of the dataset.

    Raises: RegistryError when its source is gone, or is neither Parquet nor CSV.
    """
    file = _file(dataset, tracking, model=model)
    try:
        if file.is_dir() or file.suffix in (".parquet", ".pq"):
            return pq.read_table(file)
        if ".csv" in file.suffixes:
            return pyarrow.csv.read_csv(file)
    except (pa.ArrowException, OSError) as error:
        raise RegistryError(
            f"the training dataset of {model} at {dataset.source} cannot be read: {error}"
        ) from error
    raise RegistryError(
        f"the training dataset of {model} at {dataset.source} is neither .parquet nor .csv"
    )


def needed(table: pa.Table, schema: Schema, *, model: str) -> pa.Table:
    """The columns that a reference of this schema has, as they are.

    Raises: RegistryError when one of the features is missing.
    """
    features = [feature.name for feature in schema.features]
    missing = [name for name in features if name not in table.column_names]
    if missing:
        raise RegistryError(
            f"{model} takes {missing[0]!r}, which its training dataset lacks; "
            "log the dataset with all inputs of the model"
        )
    wanted = {*features, schema.label, schema.score, schema.prediction, *schema.scores}
    if Kind.DATETIME in (feature.kind for feature in schema.features):
        wanted.add(TIMESTAMP)
    return table.select([i for i, name in enumerate(table.column_names) if name in wanted])


def _file(dataset: Dataset, tracking: Tracking, *, model: str) -> Path:
    """A local copy of what the dataset's source points to."""
    from mlflow.data import get_source
    from mlflow.data.filesystem_dataset_source import FileSystemDatasetSource
    from mlflow.data.http_dataset_source import HTTPDatasetSource

    # The address that an MLflow server had when the dataset was logged may not be its address of
    # today, and a plain HTTP request would carry no credentials: ask the server that we know.
    _, proxied, artifact = dataset.source.partition(_PROXY)
    if proxied:
        return tracking.download(f"mlflow-artifacts:/{artifact}")
    with refused(tracking.address):
        source = get_source(dataset.logged)
    if not isinstance(source, (FileSystemDatasetSource, HTTPDatasetSource)):
        raise RegistryError(
            f"the training dataset of {model} is kept as {dataset.logged.source_type!r}, "
            "which cannot be read yet; log one whose source is a Parquet or CSV file"
        )
    if isinstance(source, HTTPDatasetSource):
        probe(dataset.source, f"the host of the training dataset of {model}, {dataset.source},")
    try:
        with refused(dataset.source):
            return Path(source.load(dst_path=str(tracking.folder)))
    except RegistryError as error:
        raise RegistryError(
            f"the training dataset of {model} at {dataset.source} cannot be loaded from here; "
            f"log it as an artifact of the run ({error.__cause__})"
        ) from error
