"""Monitoring for machine-learning models: the SDK.

>>> import tocsin
>>> tocsin.__all__
['Client', '__version__']
"""

from tocsin.client import Client

__version__ = "0.1.0"

__all__ = ["Client", "__version__"]
