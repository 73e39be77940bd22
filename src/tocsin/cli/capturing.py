"""`tocsin serve`: a registered model behind MLflow's own scoring server, watched from inside."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Annotated, Any, NoReturn

import typer
import uvicorn

from tocsin.capture.monitored import Target
from tocsin.capture.serving import Serving, application
from tocsin.cli.listening import listening
from tocsin.errors import InvalidInputError, StartupError, without_credentials
from tocsin.model_uri import parse_address
from tocsin.settings import settings
from tocsin.values import SECOND, parse_duration

_GRACE_S = 30
# How long a thread that reads what was captured may hold up one that answers: else it is 5 ms.
_SWITCH_S = 0.0005
# Processes that live for less cannot serve here: so many in a row are the last.
_QUICK_S, _MOST_QUICK = 60.0, 3
_PAUSE_S = 1.0

ModelUri = Annotated[
    str, typer.Option("--model-uri", "-m", help="models:/NAME@ALIAS or models:/NAME/VERSION.")
]
Host = Annotated[str, typer.Option("--host", "-h", help="The address to listen on.")]
Port = Annotated[int, typer.Option("--port", "-p", help="The port to listen on.")]
Workers = Annotated[int, typer.Option("--workers", "-w", min=1, help="How many processes.")]


def serve(
    model_uri: ModelUri,
    *,
    host: Host = "127.0.0.1",
    port: Port = 5001,
    workers: Workers = 1,
    tocsin: Annotated[
        str | None, typer.Option(help="The Tocsin server (default: TOCSIN_URL, or here).")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="What Tocsin calls the model (default: its name).")
    ] = None,
    sample: Annotated[float, typer.Option(min=0, max=1, help="The share of rows to keep.")] = 1.0,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A column not to keep; may be repeated.")
    ] = None,
    spill: Annotated[
        str | None, typer.Option(help="A folder for rows while Tocsin is away for long.")
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Serve the version to which the alias moves.")
    ] = False,
    own_ids: Annotated[
        bool, typer.Option("--own-ids", help="Do not take ids from the X-Request-Id of requests.")
    ] = False,
    poll: Annotated[str, typer.Option(help="How often to look where the alias is.")] = "10s",
) -> None:
    """Serve a model as `mlflow models serve` does, and record what it predicts."""
    _log()
    address = parse_address(model_uri)
    poll_s = parse_duration(poll) / SECOND
    if poll_s == 0:
        raise InvalidInputError(f"--poll {poll} is no pause; write one such as 10s")
    if reload and address.alias is None:
        raise InvalidInputError(f"--reload needs an alias, and {model_uri} is a version")
    target = Target(
        url=(tocsin or settings().url).rstrip("/"),
        model=model or address.name,
        sample=sample,
        exclude=frozenset(exclude or ()),
        spill_dir=spill,
    )
    serving = Serving(address, target, reload=reload, poll_s=poll_s, own_ids=own_ids)
    with listening(host, port) as listener:
        if workers == 1:
            _serve(serving, listener)
        else:
            _serve_in_processes(serving, listener, workers)


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for chatty in ("alembic", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _serve(serving: Serving, listener: socket.socket) -> None:
    """Serve until interrupted; requests that came are answered. Raises: RegistryError."""
    app: Any = application(serving)
    sys.setswitchinterval(_SWITCH_S)
    host, port = listener.getsockname()[:2]
    logging.getLogger("tocsin").info(
        "%s is served at http://%s:%s, and recorded by Tocsin at %s",
        serving.address.spoken,
        host,
        port,
        serving.target.url,
    )
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_S
    )
    uvicorn.Server(config).run(sockets=[listener])


def _serve_in_processes(serving: Serving, listener: socket.socket, workers: int) -> None:
    """The same in several processes. Raises: StartupError when they do not live."""
    context = multiprocessing.get_context("spawn")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keep_running(lambda: context.Process(target=_worker, args=(serving, listener)), workers)


def keep_running(
    process: Callable[[], BaseProcess],
    workers: int,
    *,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Have so many processes run, others in place of those that end, until interrupted.

    Raises: StartupError when several in a row end soon after they began.
    """
    running: dict[BaseProcess, float] = {}
    quick = 0
    try:
        while True:
            while len(running) < workers:
                new = process()
                new.start()
                running[new] = now()
            wait([each.sentinel for each in running])
            for ended in [each for each in running if not each.is_alive()]:
                quick = quick + 1 if now() - running.pop(ended) < _QUICK_S else 0
                if quick >= _MOST_QUICK:
                    raise StartupError(
                        f"{quick} serving processes in a row ended soon; the reason is above"
                    )
                logging.getLogger("tocsin").error(
                    "process %s has ended (exit code %s); another one starts",
                    ended.pid,
                    ended.exitcode,
                )
            pause(_PAUSE_S * (1 + quick))
    finally:
        for each in running:
            each.terminate()
        for each in running:
            each.join()


def _worker(serving: Serving, listener: socket.socket) -> None:
    # Ctrl-C reaches the whole group: the parent ends the workers then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _log()
    try:
        _serve(serving, listener)
    except Exception as error:  # noqa: BLE001 - the entry point of a process
        logging.getLogger("tocsin").error(
            "process %s cannot serve: %s", os.getpid(), without_credentials(str(error))
        )
        sys.exit(1)
