"""Monitors as documents: strict, typed, with errors that name the field and the remedy."""

from tocsin.declared.monitor import Monitor, Prices, Privacy, parse_monitor, parse_receiver

__all__ = ["Monitor", "Prices", "Privacy", "parse_monitor", "parse_receiver"]
