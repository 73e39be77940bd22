"""Reading the audit trail, and following its chain."""

from collections.abc import Sequence

from tocsin.records import Records, audit
from tocsin.records.audit import Anchor, AuditRecord, Verified

MOST_RECORDS = 1_000


class Audit:
    """Answers who did what; what is done is recorded where it is done."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def listed(
        self,
        *,
        object_like: str | None = None,
        actor: str | None = None,
        event: str | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[AuditRecord]:
        """Records, the newest first; those with numbers above `after` the oldest first.

        Raises: InvalidInputError where a record was damaged.
        """
        with self._records.read() as connection:
            return audit.listed(
                connection,
                object_like=object_like,
                actor=actor,
                event=event,
                after=after,
                before=before,
                limit=min(limit, MOST_RECORDS),
            )

    def verified(self, anchors: Sequence[Anchor] = ()) -> Verified:
        """Whether every record is as it was written, and none that was anchored is gone."""
        with self._records.read() as connection:
            return audit.verified(connection, anchors)
