"""The port of a server, had before anything that takes long."""

import socket

from tocsin.errors import StartupError


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
