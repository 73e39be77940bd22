"""The features of a model, from the signature that it was logged with."""

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
}


def features(artifacts: str, tracking: Tracking, *, model: str) -> tuple[Feature, ...]:
    """The inputs of the model whose files are at `artifacts`, in the order of its signature.

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
    return tuple(Feature(column["name"], _KINDS[column["type"]]) for column in columns)
