"""Runs the server until it is told to stop."""

import socket
from collections.abc import Callable
from dataclasses import replace

import uvicorn

from tocsin.api.server import application
from tocsin.app import opened
from tocsin.errors import StartupError
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


def listening(host: str, port: int) -> socket.socket:
    """A socket that is bound. Raises: StartupError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise StartupError(
            f"cannot listen on {host}:{port} ({reason}); choose another with --port or --host"
        ) from error
    return listener
