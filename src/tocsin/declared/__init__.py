"""Monitors as documents: strict, typed, with errors that name the field and the remedy."""

from tocsin.declared.derived import Against, Derived
from tocsin.declared.drift import DriftSettings, ReferenceKind
from tocsin.declared.monitor import Monitor, Prices, Privacy, parse_monitor, parse_receiver

__all__ = [
    "Against",
    "Derived",
    "DriftSettings",
    "Monitor",
    "Prices",
    "Privacy",
    "ReferenceKind",
    "parse_monitor",
    "parse_receiver",
]
