"""Finds what a registered model relies on, in a process of its own that can load it."""

from tocsin.explaining.comparing import compared
from tocsin.explaining.computing import Asked, Computed, computed

__all__ = ["Asked", "Computed", "compared", "computed"]
