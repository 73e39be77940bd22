"""Who is told: add or replace receivers."""

from tocsin.declared import parse_receiver
from tocsin.records import Records, outbox
from tocsin.records.outbox import Receiver


class Receivers:
    """Changes receivers."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def put(self, name: str, document: object) -> Receiver:
        """Add or replace a receiver. Raises: InvalidInputError."""
        receiver = parse_receiver(name, document)
        with self._records.write() as connection:
            outbox.set_receiver(connection, receiver)
        return receiver
