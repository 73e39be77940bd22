"""The rows of a training dataset, each column read as the role it plays."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from tocsin.errors import RegistryError, SchemaError
from tocsin.registry.dataset import Dataset
from tocsin.registry.tracking import Tracking, probe, refused
from tocsin.schema import Feature, Kind

# How an MLflow server hands out its artifacts to plain HTTP clients.
_PROXY = "/api/2.0/mlflow-artifacts/artifacts/"
_TYPES = {Kind.NUMERIC: pa.float64(), Kind.CATEGORICAL: pa.string(), Kind.BOOLEAN: pa.bool_()}
_TRUTHS = {"0": 0, "false": 0, "1": 1, "true": 1}


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


def values(table: pa.Table, feature: Feature, *, model: str) -> pa.ChunkedArray:
    """A feature of the reference, of the type of its kind."""
    if feature.name not in table.column_names:
        raise RegistryError(
            f"{model} takes {feature.name!r}, which its training dataset lacks; "
            "log the dataset with all inputs of the model"
        )
    return _cast(table, feature.name, _TYPES[feature.kind], model=model)


def scores(table: pa.Table, name: str, *, model: str) -> pa.ChunkedArray:
    """The column as probabilities, NaN as null.

    Raises: SchemaError when a value is outside [0, 1].
    """
    column = _without_nan(_cast(table, name, pa.float64(), model=model))
    extremes = pc.min_max(column).as_py()
    if column.null_count < len(column) and not 0 <= extremes["min"] <= extremes["max"] <= 1:
        raise SchemaError(
            f"score {name!r} of {model} reaches from {extremes['min']:g} to {extremes['max']:g}, "
            "but a probability lies in [0, 1]; only binary classifiers can be monitored so far"
        )
    return column


def labels(table: pa.Table, name: str, *, model: str) -> pa.ChunkedArray:
    """The column as 0 and 1, int8; null and NaN as null.

    Raises: SchemaError when it holds anything but 0, 1, false and true.
    """
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = _without_nan(column)
    distinct = pc.unique(column).drop_null()
    truths = [_truth(value) for value in distinct.to_pylist()]
    if None in truths:
        raise SchemaError(
            f"label {name!r} of {model} has {len(distinct)} values such as "
            f"{distinct.slice(0, 3).to_pylist()}; only binary classifiers, whose label is 0 or 1, "
            "can be monitored so far"
        )
    positions = pc.index_in(column, value_set=distinct)
    return pc.take(pa.array(truths, pa.int8()), positions)


def _truth(value: object) -> int | None:
    text = f"{value:g}" if isinstance(value, float) else str(value).strip().lower()
    return _TRUTHS.get(text)


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


def _cast(table: pa.Table, name: str, to: pa.DataType, *, model: str) -> pa.ChunkedArray:
    try:
        # Unsafe only in that whole numbers from 2**53 on are rounded.
        return table[name].cast(to, safe=not pa.types.is_integer(table[name].type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"column {name!r} of the training dataset of {model} is {table[name].type}, "
            f"where the model takes {to}"
        ) from error


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
