"""Which registered model a loaded one is: MLflow does not keep the address it was loaded by."""

from typing import Any

from tocsin.errors import RegistryError


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
    found = list(MlflowClient().search_model_versions(f"run_id='{run_id}'"))
    if model_id is None:
        return found
    # A run may log several models. A copied version names another version as its source.
    own = [version for version in found if model_id in (version.source or "")]
    return own or found
