"""The records database: everything that Tocsin knows besides rows."""

from tocsin.records.database import Records

__all__ = ["Records"]
