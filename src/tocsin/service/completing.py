"""Monitors of which the registry tells the schema: as it told it, or as it tells it now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from tocsin.declared.configuration import DeclaredMonitor, is_whole
from tocsin.errors import RegistryError
from tocsin.registry import Roles, registered_model
from tocsin.schema import Task
from tocsin.service.planning import Now

_ROLES = ("label", "score", "prediction", "positive", "negative")


@dataclass(frozen=True, eq=False)
class Completed:
    """A monitor with its schema, and the rows of its reference where they were asked for too."""

    monitor: DeclaredMonitor
    rows: pa.Table | None = None


def completed(monitor: DeclaredMonitor, now: Now, tracking_uri: str | None) -> Completed:
    """A monitor whose schema is whole.

    What the registry told stays until the file says otherwise, wherever an alias goes meanwhile.
    Raises: RegistryError, SchemaError.
    """
    document = dict(monitor.document)
    if is_whole(document):
        return Completed(monitor)
    record, last = now.models.get(monitor.name), now.declared("monitors").get(monitor.name, {})
    said = document.get("schema") or {}
    if record is not None and _asked(last) == _asked({**document, "reference": monitor.reference}):
        return Completed(
            replace(monitor, document={**document, "schema": record.monitor["schema"]})
        )
    try:
        found = registered_model(document["model"], tracking_uri=tracking_uri, roles=roles_of(said))
    except RegistryError as error:
        raise RegistryError(
            f"monitor {monitor.name!r}: {error}; what MLflow does not know, `schema` may say"
        ) from error
    told = {name: part for name, part in found.schema.to_dict().items() if part}
    whole = replace(monitor, document={**document, "schema": {**told, **said}})
    return Completed(whole, found.reference)


def roles_of(schema: Mapping[str, Any]) -> Roles:
    """What a schema says of the columns of a dataset."""
    task, scores = schema.get("task"), schema.get("scores")
    return Roles(
        task=None if task is None else Task(task),
        **{name: schema[name] for name in _ROLES if schema.get(name) is not None},
        scores=tuple(scores) if scores else None,
    )


def _asked(document: Mapping[str, Any]) -> list[Any]:
    """What the registry was asked for."""
    return [document.get(key) for key in ("model", "reference", "schema")]
