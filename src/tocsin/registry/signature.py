"""What goes into a model and comes out, from the signature that it was logged with."""

from dataclasses import dataclass
from typing import Any

from tocsin.errors import SchemaError
from tocsin.registry.tracking import Tracking
from tocsin.schema import Feature, Kind

_KINDS = {
    "integer": Kind.NUMERIC,
    "long": Kind.NUMERIC,
    "float": Kind.NUMERIC,
    "double": Kind.NUMERIC,
    "string": Kind.CATEGORICAL,
    "boolean": Kind.BOOLEAN,
    "datetime": Kind.DATETIME,
}


@dataclass(frozen=True)
class Signature:
    """What goes into a model and comes out.

    inputs: the features, in the order of the signature.
    number: whether each row gets one number with a fraction, as regressions give it.
    """

    inputs: tuple[Feature, ...]
    number: bool


def signature_of(artifacts: str, tracking: Tracking, *, model: str) -> Signature:
    """The signature of the model whose files are at `artifacts`.

    Raises: SchemaError without a signature, or for one that is not made of named plain columns.
    """
    # mlflow.models.get_model_info asks the global tracking URI; a local MLmodel file needs none.
    from mlflow.models import Model

    signature = Model.load(tracking.download(f"{artifacts}/MLmodel")).signature
    if signature is None or signature.inputs is None:
        raise SchemaError(
            f"{model} has no signature; log it with signature=mlflow.models.infer_signature(...)"
        )
    columns = signature.inputs.to_dict()
    for column in columns:
        if column["type"] not in _KINDS or "name" not in column:
            raise SchemaError(
                f"{model} takes {column.get('name', 'an unnamed input')} of type "
                f"{column['type']}; only named columns of {', '.join(_KINDS)} can be monitored: "
                "infer its signature from a data frame of such columns"
            )
    return Signature(
        tuple(Feature(column["name"], _KINDS[column["type"]]) for column in columns),
        _is_number(signature.outputs.to_dict() if signature.outputs is not None else []),
    )


def _is_number(outputs: list[dict[str, Any]]) -> bool:
    if len(outputs) != 1:
        return False
    kind = outputs[0]["type"]
    if kind != "tensor":
        return kind in ("float", "double")
    tensor = outputs[0]["tensor-spec"]
    one = len(tensor["shape"]) == 1 or tuple(tensor["shape"][1:]) == (1,)
    return one and tensor["dtype"] in ("float32", "float64")
