"""Monitoring for machine-learning models: the SDK.

>>> import tocsin
>>> tocsin.__all__
['AsyncClient', 'Client', '__version__', 'autolog', 'log_context']
"""

from tocsin.capture import autolog, log_context
from tocsin.client import AsyncClient, Client

__version__ = "0.1.0"

__all__ = ["AsyncClient", "Client", "__version__", "autolog", "log_context"]
