"""Which version of which registered model an address means."""

from dataclasses import dataclass

from tocsin.errors import RegistryError
from tocsin.model_uri import parse_address
from tocsin.registry.tracking import Tracking, refused

_SHOWN = 20


@dataclass(frozen=True)
class Version:
    """A version in the registry; `artifacts` is where MLflow keeps its files."""

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str
    artifacts: str


def find_version(uri: str, tracking: Tracking, *, needs_run: bool = True) -> Version:
    """The version at `models:/name@alias` or `models:/name/version`.

    needs_run: refuse one that was registered without a run, which has no training rows.
    Raises: InvalidInputError for any other text; RegistryError, naming what exists, when the
    registry lacks the model, the alias or the version.
    """
    from mlflow.exceptions import MlflowException

    address = parse_address(uri)
    name, alias, number = address.name, address.alias, address.version
    with refused(tracking.address):
        try:
            if alias is not None:
                number = tracking.client.get_model_version_by_alias(name, alias).version
            found = tracking.client.get_model_version(name, number)
        except MlflowException as error:
            # An absent alias is reported as an invalid parameter.
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            raise RegistryError(_absence(name, alias, number, tracking)) from error
    if needs_run and not found.run_id:
        raise RegistryError(
            f"{uri} was registered without a run, so its training rows are not known; "
            "log and register it within a run, or give a reference as Parquet"
        )
    with refused(tracking.address):
        # Follows copied versions, whose source is another version.
        artifacts = tracking.client.get_model_version_download_uri(name, found.version)
    return Version(
        name, str(found.version), tuple(sorted(found.aliases)), found.run_id or "", artifacts
    )


def _absence(name: str, alias: str | None, number: str | None, tracking: Tracking) -> str:
    """What is missing, and what is there instead."""
    client = tracking.client
    if not client.search_registered_models(f"name = '{name}'", max_results=1):
        names = sorted(model.name for model in client.search_registered_models(max_results=_SHOWN))
        return f"MLflow at {tracking.address} has no model {name!r}; it has {names or 'none'}"
    if alias is not None:
        aliases = sorted(client.get_registered_model(name).aliases)
        return f"model {name!r} has no alias {alias!r}; it has {aliases or 'none'}"
    versions = client.search_model_versions(f"name = '{name}'", max_results=_SHOWN)
    numbers = sorted(int(version.version) for version in versions)
    return f"model {name!r} has no version {number}; it has {numbers or 'none'}"
