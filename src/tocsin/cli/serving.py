"""Runs the server until it is told to stop."""

from collections.abc import Callable
from dataclasses import replace

import uvicorn

from tocsin.api.server import application
from tocsin.app import opened
from tocsin.cli.listening import listening
from tocsin.settings import Settings

# Pages that watch keep their connection open: they are not waited for.
_GRACE_S = 1


def serve(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` is told the address.

    Raises: StartupError when the port or the data cannot be had.
    """
    with listening(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        url = settings.url if settings.port else f"http://{settings.host}:{port}"
        with opened(replace(settings, port=port, url=url)) as app:
            config = uvicorn.Config(
                application(app),
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
            ready(url)
            uvicorn.Server(config).run(sockets=[listener])
