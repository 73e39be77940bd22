"""Rows that lie elsewhere: files, tables, databases, streams."""

from tocsin.sources.base import Batch, Options, Say, Source, Tombstone, Wait
from tocsin.sources.opening import opened, shown

__all__ = ["Batch", "Options", "Say", "Source", "Tombstone", "Wait", "opened", "shown"]
