"""Monitoring for machine-learning models: the SDK.

>>> import tocsin
>>> tocsin.__all__
['AsyncClient', 'Client', '__version__']
"""

from tocsin.client import AsyncClient, Client

__version__ = "0.1.0"

__all__ = ["AsyncClient", "Client", "__version__"]
