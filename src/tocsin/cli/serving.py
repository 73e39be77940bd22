"""Runs the server until it is told to stop."""

import ctypes
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import uvicorn

from tocsin.api.server import application
from tocsin.app import opened
from tocsin.cli.listening import listening
from tocsin.settings import Settings

# Pages that watch keep their connection open: they are not waited for.
_GRACE_S = 1
# The numbers of M_ARENA_MAX, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD in malloc.h.
_MALLOC = {-8: 2, -1: 1_000_000, -3: 1_000_000}


def serve(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` is told the address.

    Raises: StartupError when the port or the data cannot be had.
    """
    _give_memory_back()
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


def _give_memory_back() -> None:
    """Let what tables took go back to the system when they are gone, as the process may run long.

    glibc keeps up to eight heaps a core, each as large as its largest moment, and Arrow's own
    allocator keeps what it ever had: together some 100 MB that nobody uses.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # glibc only
        for option, value in _MALLOC.items():
            mallopt(option, value)
