"""A process that delivers until it is killed, by others or, at the worst moments, by itself.

python outbox_worker.py RECORDS LEASE_S CHANCE: the records are a file or an address of PostgreSQL.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tocsin.notify import Outside
from tocsin.records import Records
from tocsin.service.clock import wall_clock
from tocsin.service.deliver import Deliver
from tocsin.values import SECOND


class PostgresRecords:
    """As `Records`, on the tables of a PostgreSQL."""

    def __init__(self, address: str) -> None:
        self.engine = sa.create_engine(address)

    @contextmanager
    def write(self) -> Iterator[Any]:
        with self.engine.begin() as connection:
            yield connection

    read = write

    def close(self) -> None:
        self.engine.dispose()


class Dying(Deliver):
    """Ends at once, by chance, before or after a message is sent."""

    chance = 0.0

    def _try(self, *arguments: Any) -> Any:
        self._die()
        receipt = super()._try(*arguments)
        self._die()
        return receipt

    def _die(self) -> None:
        if random.random() < self.chance:
            os.kill(os.getpid(), signal.SIGKILL)


def records_at(place: str) -> Any:
    return PostgresRecords(place) if "://" in place else Records(Path(place))


def main(place: str, lease_s: str, chance: str) -> None:
    outside = Outside((ip_network("127.0.0.0/8"),))
    sending = Dying(records_at(place), wall_clock, outside, lease=round(float(lease_s) * SECOND))
    sending.chance = float(chance)
    while True:
        if not sending.deliver():
            time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
