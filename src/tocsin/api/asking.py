"""Requests that wait for MLflow, on threads of their own."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from tocsin.app import App

T = TypeVar("T")


async def asked_mlflow(app: App, ask: Callable[[], T]) -> T:
    """What `ask` returns, on a thread that rows and pages do not need.

    Raises: UnavailableError when enough wait for MLflow already.
    """
    with app.asking.place():
        return await run_sync(ask, limiter=CapacityLimiter(1))
