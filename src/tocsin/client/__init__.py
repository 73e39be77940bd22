"""The SDK: log predictions and outcomes from a serving process without slowing it down."""

from tocsin.client._async_client import AsyncClient
from tocsin.client._books import ClientStats
from tocsin.client._client import Client

__all__ = ["AsyncClient", "Client", "ClientStats"]
