"""A registered model that can be asked for its outputs; needs what the model was made with."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tocsin.errors import RegistryError, StartupError
from tocsin.registry.signature import signature_of
from tocsin.registry.tracking import Tracking, refused
from tocsin.registry.version import find_version
from tocsin.schema import Schema, Task

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """One version of a registered model in this process.

    inputs: the features that it takes. raw: the model as its library has it, if MLflow gives it.
    """

    version: str
    inputs: tuple[str, ...]
    raw: Any
    _predict: Any
    _address: str

    def frame(self, table: pa.Table) -> Any:
        """The rows of a table as the model takes them. Raises: RegistryError."""
        missing = [name for name in self.inputs if name not in table.column_names]
        if missing:
            raise RegistryError(
                f"version {self.version} takes {missing[0]!r}, which the reference lacks"
            )
        return table.select(list(self.inputs)).to_pandas()

    def outputs(self, frame: Any, schema: Schema) -> Floats:
        """(n, c) what the model gives for rows, as the schema has it.

        That is the probability of the positive class or those of all classes (1 for the predicted
        one where it gives only that), or the number. Raises: RegistryError.
        """
        with refused(self._address):
            answer = self._predict(frame)
        return outputs_of(answer, schema, getattr(self.raw, "classes_", None))


@contextmanager
def loaded_model(uri: str, *, tracking_uri: str | None) -> Iterator[LoadedModel]:
    """The model at `models:/name@alias` or `models:/name/version`, loaded until the block ends.

    Raises: InvalidInputError for another address; RegistryError when it cannot be had; StartupError
    when a package is missing.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-model-") as folder:
        tracking = Tracking.connect(tracking_uri, Path(folder))
        version = find_version(uri, tracking, needs_run=False)
        signature = signature_of(version.artifacts, tracking, model=uri)
        local = tracking.download(version.artifacts)
        try:
            import mlflow.pyfunc

            # From the folder: by its address MLflow would ask the server of the whole process.
            with refused(tracking.address):
                model = mlflow.pyfunc.load_model(str(local))
        except ImportError as error:
            raise StartupError(
                f"{uri} cannot be loaded here: {error}; install 'tocsin[server,mlflow]' and what "
                "the model was trained with"
            ) from error
        raw = _raw(model)
        inputs = tuple(feature.name for feature in signature.inputs)
        yield LoadedModel(version.version, inputs, raw, _predict(model, raw), tracking.address)


def _raw(model: Any) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return model.get_raw_model()
    except (NotImplementedError, AttributeError, MlflowException):
        return None


def _predict(model: Any, raw: Any) -> Any:
    """Probabilities where the model knows them, even if it is served with its classes only."""
    flavor = model.metadata.flavors.get("python_function", {})
    if flavor.get("predict_fn", "predict") == "predict" and hasattr(raw, "predict_proba"):
        return raw.predict_proba
    return model.predict


def outputs_of(answer: Any, schema: Schema, classes: Sequence[Any] | None) -> Floats:
    """(n, c) what a model answered, in the order of the schema.

    classes: what the columns of an answer of probabilities are, the schema's order if None.
    Raises: RegistryError for an answer that is neither probabilities nor classes nor numbers.
    """
    values = np.asarray(answer)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if schema.task is Task.REGRESSION:
        return _finite(values.reshape(len(values), -1)[:, :1], schema)
    if values.ndim == 1:
        return _of_classes(values, schema)
    count = len(schema.labels)
    order = list(range(count))
    if classes is not None:
        order = [-1 if (at := schema.class_of(_plain(c))) is None else at for c in classes]
    if values.shape[1:] != (count,) or set(order) != set(range(count)):
        given = "" if classes is None else f" of {[_plain(c) for c in classes]}"
        raise RegistryError(
            f"the model gives {values.shape[-1]} columns{given}, but the monitor has the classes "
            f"{list(schema.labels)}"
        )
    ordered = np.empty(values.shape)
    ordered[:, order] = values
    return _finite(ordered[:, 1:] if schema.task is Task.BINARY else ordered, schema)


def _of_classes(values: NDArray[Any], schema: Schema) -> Floats:
    """Of one value a row: the probability of the positive class, or the predicted class."""
    numbers = [schema.class_of(_plain(value)) for value in values.tolist()]
    if None not in numbers:
        hot = np.eye(len(schema.labels))[np.array(numbers, np.int64)]
        return hot[:, 1:] if schema.task is Task.BINARY else hot
    if schema.task is Task.BINARY and values.dtype.kind == "f":
        return _finite(values[:, None], schema)
    odd = values.tolist()[numbers.index(None)]
    raise RegistryError(f"the model gives {odd!r}, which is none of {list(schema.labels)}")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _finite(values: NDArray[Any], schema: Schema) -> Floats:
    try:
        found = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise RegistryError(f"the model gives no numbers for {schema.output!r}: {error}") from error
    if not np.isfinite(found).all():
        raise RegistryError(f"the model gives NaN or infinity for {schema.output!r}")
    return found
