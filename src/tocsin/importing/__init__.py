"""What `tocsin ingest` does: rows of a source into a running server, each once."""

from tocsin.importing.loop import Report, run
from tocsin.importing.model import Kind, Model
from tocsin.importing.rows import Columns
from tocsin.importing.server import Server

__all__ = ["Columns", "Kind", "Model", "Report", "Server", "run"]
