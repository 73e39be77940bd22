"""The SDK: log predictions and outcomes from a serving process without slowing it down."""

from tocsin.client._client import Client
from tocsin.client._queue import ClientStats

__all__ = ["Client", "ClientStats"]
