"""Monitors as documents: strict, typed, with errors that name the field and the remedy."""

from tocsin.declared.derived import Against, Derived
from tocsin.declared.drift import DriftSettings, ReferenceKind
from tocsin.declared.monitor import Monitor, Prices, Privacy, parse_monitor
from tocsin.declared.receivers import parse_receiver
from tocsin.declared.routing import parse_routing, parse_silence, path_words, routing_document

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
    "parse_routing",
    "parse_silence",
    "path_words",
    "routing_document",
]
