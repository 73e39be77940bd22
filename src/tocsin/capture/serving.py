"""MLflow's own scoring server for a registered model, with capture, following its alias."""

import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tocsin.capture.exchange import Model, model_of
from tocsin.capture.middleware import Asgi, Capture, Receive, Scope, Send
from tocsin.capture.monitored import Target
from tocsin.capture.recorder import Recorder
from tocsin.errors import RegistryError, without_credentials
from tocsin.model_uri import Address

logger = logging.getLogger("tocsin")

# How many times as long a look waits after one that failed: loading a model is no small thing.
_RESTS = 6


@dataclass(frozen=True)
class Serving:
    """What is served, and what becomes of its predictions.

    reload: load the version to which the alias moves. poll_s: how often to look where it is.
    own_ids: do not take the ids of requests from their header.
    """

    address: Address
    target: Target
    reload: bool = False
    poll_s: float = 10.0
    own_ids: bool = False


def version_of(address: Address) -> str:
    """The version that an address means now. Raises: RegistryError."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    try:
        if address.alias is not None:
            found = client.get_model_version_by_alias(address.name, address.alias)
        else:
            found = client.get_model_version(address.name, str(address.version))
    except MlflowException as error:
        raise RegistryError(
            f"MLflow does not give {address.spoken}: {without_credentials(error.message)}; is "
            "MLFLOW_TRACKING_URI that of the registry?"
        ) from error
    return str(found.version)


def loaded(address: Address, version: str) -> Model:
    """The version as MLflow loads it for serving. Raises: RegistryError."""
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import scoring_server

    try:
        pyfunc = scoring_server.load_model_with_mlflow_config(f"models:/{address.name}/{version}")
    except (MlflowException, ImportError, OSError) as error:
        raise RegistryError(
            f"version {version} of {address.name} cannot be loaded here: "
            f"{without_credentials(str(error))}"
        ) from error
    return model_of(pyfunc, version)


class Switch:
    """An ASGI application that another one can replace; a request ends on the one it began on."""

    def __init__(self, app: Asgi) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application of this moment does."""
        await self.app(scope, receive, send)


def captured(model: Model, recorder: Recorder, *, own_ids: bool = False) -> Asgi:
    """MLflow's scoring server for a loaded model, with capture around it."""
    from mlflow.pyfunc import scoring_server

    # FastAPI keeps what it has seen of an application in caches of the module, for good. The model
    # lives as long as `Capture` does: while it is served, and a request is under way.
    app: Any = scoring_server.init(weakref.proxy(model.pyfunc))
    return Capture(app, sink=recorder, model=model, own_ids=own_ids)


def application(serving: Serving) -> Switch:
    """The application of one serving process, its alias followed in a thread.

    Raises: RegistryError when the model cannot be had.
    """
    version = version_of(serving.address)
    model = loaded(serving.address, version)
    recorder = Recorder(serving.target)
    switch = Switch(captured(model, recorder, own_ids=serving.own_ids))
    recorder.serve(version)
    if serving.address.alias is not None:

        def replace(found: Model) -> None:
            switch.app = captured(found, recorder, own_ids=serving.own_ids)
            recorder.serve(found.version)

        Follower(serving, version, replace).start()
    return switch


class Follower:
    """Looks where an alias is, and has the version there served."""

    def __init__(self, serving: Serving, version: str, replace: Callable[[Model], None]) -> None:
        self._serving = serving
        self._version = version
        self._replace = replace
        self._told: str | None = None

    def start(self) -> None:
        """Follow until the process ends."""
        threading.Thread(target=self._run, name="tocsin-follower", daemon=True).start()

    def _run(self) -> None:
        rest_s = self._serving.poll_s
        while True:
            time.sleep(rest_s)
            rest_s = self._serving.poll_s
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - loading runs the code of the model
                why = without_credentials(str(error))
                self._tell(f"{self._serving.address.spoken} is not followed: {why}")
                rest_s *= _RESTS

    def look(self) -> None:
        """See where the alias is, once. Raises: RegistryError."""
        address = self._serving.address
        version = version_of(address)
        if version == self._version:
            self._told = None
            return
        if not self._serving.reload:
            self._tell(
                f"{address.spoken} is version {version} now; this process serves version "
                f"{self._version} until it is started again (or use --reload)"
            )
            return
        self._replace(loaded(address, version))
        logger.warning(
            "%s: version %s is served now, instead of %s", address.spoken, version, self._version
        )
        self._version, self._told = version, None

    def _tell(self, message: str) -> None:
        if message != self._told:
            self._told = message
            logger.warning("%s", message)
