"""Where the aliases of registered models are, and moving them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tocsin.errors import RegistryError
from tocsin.registry.tracking import Tracking, refused

READY = "READY"
_PAGE = 200


@dataclass(frozen=True)
class RegisteredVersion:
    """A version in the registry. created_at: wall time; run_id: empty without one."""

    version: str
    status: str
    created_at: int
    run_id: str


@dataclass(frozen=True)
class RegistryState:
    """A registered model as it was read. aliases: the version that each one is at."""

    registered: str
    versions: tuple[RegisteredVersion, ...]
    aliases: Mapping[str, str]


class Registry:
    """The registry of one MLflow server; every call asks it anew."""

    def __init__(self, tracking_uri: str | None) -> None:
        self._tracking_uri = tracking_uri

    @property
    def is_named(self) -> bool:
        """Whether somebody said where the MLflow server is."""
        return self._tracking_uri is not None

    def state(self, registered: str) -> RegistryState:
        """A registered model as it is now.

        Raises: RegistryError when MLflow cannot be reached, or has no such model.
        """
        tracking = self._connected()
        with refused(tracking.address):
            aliases = tracking.client.get_registered_model(registered).aliases
            versions: list[RegisteredVersion] = []
            token = None
            while True:
                page = tracking.client.search_model_versions(
                    f"name = '{registered}'", max_results=_PAGE, page_token=token
                )
                versions += [
                    RegisteredVersion(
                        str(v.version), str(v.status), v.creation_timestamp * 1_000, v.run_id or ""
                    )
                    for v in page
                ]
                token = page.token
                if not token:
                    break
        versions.sort(key=lambda found: int(found.version))
        return RegistryState(
            registered, tuple(versions), {alias: str(at) for alias, at in aliases.items()}
        )

    def alias(self, registered: str, alias: str) -> str | None:
        """The version that an alias is at now, None if there is no such alias.

        Raises: RegistryError.
        """
        tracking = self._connected()
        with refused(tracking.address):
            found = tracking.client.get_registered_model(registered).aliases.get(alias)
        return None if found is None else str(found)

    def set_alias(self, registered: str, alias: str, version: str) -> None:
        """Move an alias, wherever it is now.

        Raises: RegistryError; what became of it is then unknown.
        """
        tracking = self._connected()
        with refused(tracking.address):
            tracking.client.set_registered_model_alias(registered, alias, version)

    def set_tags(self, registered: str, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version. Raises: RegistryError."""
        tracking = self._connected()
        with refused(tracking.address):
            for name, text in tags.items():
                tracking.client.set_model_version_tag(registered, version, name, text)

    def _connected(self) -> Tracking:
        if self._tracking_uri is None:
            raise RegistryError(
                "this Tocsin was not told where MLflow is; start it with --tracking-uri, or set "
                "MLFLOW_TRACKING_URI"
            )
        # Nothing is downloaded.
        return Tracking.connect(self._tracking_uri, Path())
