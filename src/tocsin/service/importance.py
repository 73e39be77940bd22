"""What models rely on: rows to find it out with, and what was found."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa

from tocsin.declared import parse_monitor
from tocsin.errors import InvalidInputError
from tocsin.explain import AttributionShift, Importance, Method
from tocsin.lake import Lake
from tocsin.records import Records, changes, importances, models
from tocsin.records.importances import StoredImportance
from tocsin.service.clock import Clock
from tocsin.service.recent_rows import recent_rows


class Importances:
    """Keeps what was computed elsewhere: no model is ever loaded in the server."""

    def __init__(self, records: Records, lake: Lake, clock: Clock) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock

    def reference(self, name: str, *, rows: int, seed: int) -> tuple[pa.Table, str]:
        """At most so many rows of the reference, in their order, and the digest of its plan.

        The same for the same seed. Raises: UnknownModelError.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
        monitor = parse_monitor(name, record.monitor)
        digest = record.plan.digest
        table = self._lake.model(record.id, name, monitor.schema).reference(digest)
        if table.num_rows > rows:
            chance = np.random.default_rng(seed)
            table = table.take(np.sort(chance.choice(table.num_rows, rows, replace=False)))
        return table, digest

    def recent(self, name: str, *, span: int, rows: int, seed: int) -> tuple[pa.Table, int, int]:
        """At most so many rows of the last `span` of event time, as those of the reference are.

        Outcomes that name their prediction are in it. Returns: the rows, and their start and end.
        Raises: UnknownModelError; InvalidInputError without any.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
        monitor = parse_monitor(name, record.monitor)
        if record.newest_event is None:
            raise InvalidInputError(f"{name!r} has no predictions yet")
        end = record.newest_event + 1
        lake = self._lake.model(record.id, name, monitor.schema)
        table = recent_rows(lake, monitor, end - span, end, rows, seed=seed)
        return table, end - span, end

    def put_recent(
        self, name: str, version: str, shift: AttributionShift, *, plan: str
    ) -> StoredImportance:
        """Keep a comparison of recent rows with the importance that is known, until that changes.

        Raises: UnknownModelError; InvalidInputError where no importance is known.
        """
        with self._records.write() as connection:
            record = models.model_named(connection, name)
            method = shift.then.method
            known = importances.find(connection, record, version=version, method=method)
            if known is None or plan != record.plan.digest:
                raise InvalidInputError(
                    f"no importance of version {version} is known on the reference of now to "
                    f"compare with; find it first: tocsin importance {name} --compute"
                )
            schema = parse_monitor(name, record.monitor).schema
            for each in (shift.then, shift.now):
                _check_features(each, [feature.name for feature in schema.features])
            found = replace(known, recent=shift)
            importances.put(connection, record, found)
            changes.announce(connection, f"model/{name}", now=self._clock())
        return found

    def put(
        self, name: str, version: str, importance: Importance, *, plan: str
    ) -> StoredImportance:
        """Store what was found on rows of the reference with this plan.

        Raises: UnknownModelError; InvalidInputError when the reference is another one by now, or
        the features are not the model's.
        """
        now = self._clock()
        with self._records.write() as connection:
            record = models.model_named(connection, name)
            if plan != record.plan.digest:
                raise InvalidInputError(
                    f"the reference of {name!r} changed since these rows were read; compute the "
                    "importance again"
                )
            schema = parse_monitor(name, record.monitor).schema
            _check_features(importance, [feature.name for feature in schema.features])
            found = StoredImportance(version, importance, now)
            importances.put(connection, record, found)
            changes.announce(connection, f"model/{name}", now=now)
        return found

    def find(
        self, name: str, *, version: str | None = None, method: Method | None = None
    ) -> StoredImportance | None:
        """What is known on the reference of now; None where nothing is.

        version: the one computed last if None. method: any if None. Raises: UnknownModelError.
        """
        with self._records.read() as connection:
            record = models.model_named(connection, name)
            return importances.find(connection, record, version=version, method=method)


def _check_features(importance: Importance, wanted: list[str]) -> None:
    given = Counter(found.feature for found in importance.features)
    odd = next((name for name in given if given[name] > 1 or name not in wanted), None)
    missing = next((name for name in wanted if name not in given), None)
    if odd is not None or missing is not None:
        what = f"has {odd!r}" if odd is not None else f"lacks {missing!r}"
        raise InvalidInputError(
            f"the importance {what}; it has to have each feature of the model once: "
            f"{', '.join(wanted)}"
        )
