"""Which registered model a loaded one is: MLflow does not keep the address it was loaded by."""

import re
from typing import Any

from tocsin.errors import RegistryError

# What a version that was copied from another has as its source.
_VERSION = re.compile(r"models:/([^/@]+)/(\d+)")
_MOST_COPIES = 20


def origin_of(pyfunc: Any, name: str | None = None) -> tuple[str, str]:
    """The registered name and version of a loaded model, the newest of several versions.

    name: which registered model, or what Tocsin calls it where it is in none.
    Raises: RegistryError when it is registered under no name, or under several.
    """
    model_id = getattr(pyfunc.metadata, "model_id", None)
    found = _versions(pyfunc.metadata.run_id, model_id)
    names = sorted({version.name for version in found})
    chosen = name or (names[0] if len(names) == 1 else None)
    if chosen is None:
        raise RegistryError(
            f"model {model_id} is registered under {names or 'no name'}; say which model of Tocsin "
            "it is with `model`"
        )
    versions = [int(version.version) for version in found if version.name == chosen]
    return chosen, str(max(versions)) if versions else str(model_id or "unregistered")


def _versions(run_id: str | None, model_id: str | None) -> list[Any]:
    """The versions in the registry that were made of a logged model."""
    from mlflow import MlflowClient

    if run_id is None:
        return []
    client = MlflowClient()
    found = list(client.search_model_versions(f"run_id='{run_id}'"))
    # A run may log several models.
    return [v for v in found if model_id is None or _is_of(v, model_id, client)]


def _is_of(version: Any, model_id: str, client: Any) -> bool:
    """Whether a version is a logged model, or a copy of a version that is."""
    for _ in range(_MOST_COPIES):
        source = version.source or ""
        if model_id in source:
            return True
        copied = _VERSION.fullmatch(source)
        if copied is None:
            return False
        version = client.get_model_version(*copied.groups())
    return False
