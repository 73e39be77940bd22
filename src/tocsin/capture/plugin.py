"""Experimental: capture in an unmodified `mlflow models serve`, when TOCSIN_CAPTURE names a server.

MLflow loads the classes of the entry-point group `mlflow.run_context_provider` as it is imported.
This one provides no context. If the variable is set it waits for MLflow's scoring server to be
imported, and has `init` put capture around what it makes. Without the variable it does nothing.
"""

import importlib.abc
import importlib.util
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from tocsin import settings

logger = logging.getLogger("tocsin")

_MARK = "_tocsin_captured"
SCORING_SERVER = "mlflow.pyfunc.scoring_server"


class CaptureProvider:
    """What MLflow makes of the entry point."""

    def __init__(self) -> None:
        plan = settings.capture()
        if plan is not None:
            when_imported(SCORING_SERVER, lambda module: _wrap_init(module, plan))

    def in_context(self) -> bool:
        """Never: it says nothing of runs."""
        return False

    def tags(self) -> dict[str, str]:
        """None."""
        return {}


def when_imported(name: str, then: Callable[[ModuleType], None]) -> None:
    """Call `then` with a module once it is imported; at once if it is."""
    if name in sys.modules:
        then(sys.modules[name])
    else:
        sys.meta_path.insert(0, _Finder(name, then))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module as all others do, and tells when it was executed."""

    def __init__(self, name: str, then: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._then = then

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the interface of finders
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """The spec of the module, with a loader that tells."""
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def executed(module: ModuleType) -> None:
                execute(module)
                self._then(module)

            loader.exec_module = executed
        return spec


def _wrap_init(module: ModuleType, plan: settings.CaptureSettings) -> None:
    init = module.init
    if hasattr(init, _MARK):  # an environment may have the entry point twice
        return

    def captured_init(model: Any) -> Any:
        app = init(model)
        try:
            _put_around(app, model, plan)
        except Exception as error:  # noqa: BLE001 - serving goes on without us
            logger.warning("Tocsin does not capture: %s", type(error).__name__)
        return app

    setattr(captured_init, _MARK, True)
    module.init = captured_init  # type: ignore[attr-defined]


def _put_around(app: Any, pyfunc: Any, plan: settings.CaptureSettings) -> None:
    from tocsin.capture.exchange import Model, model_of
    from tocsin.capture.late import LateRecorder
    from tocsin.capture.middleware import Capture
    from tocsin.capture.monitored import Target
    from tocsin.capture.origin import origin_of
    from tocsin.capture.recorder import Recorder

    def found() -> tuple[Recorder, Model]:
        name, version = origin_of(pyfunc, plan.model)
        recorder = Recorder(Target(plan.url, name))
        recorder.serve(version)
        logger.warning(
            "Tocsin at %s captures %s version %s (experimental)", plan.url, name, version
        )
        return recorder, model_of(pyfunc, version)

    # The registry may be away or slow: the server does not wait for it.
    app.add_middleware(Capture, sink=LateRecorder(found), model=Model("", pyfunc))
