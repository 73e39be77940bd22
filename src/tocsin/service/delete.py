"""Delete a model with all that was recorded of it."""

from collections.abc import Callable, Sequence

from sqlalchemy.engine import Connection

from tocsin.lake import Lake
from tocsin.records import Records, audit, changes, deletions, endings, models
from tocsin.records.deletions import Deletion
from tocsin.service import last_words
from tocsin.service.aliases import config_hash
from tocsin.service.clock import Clock


class Delete:
    """Deletes models: they are gone with the request, their files once nobody works on them.

    forgetting: told of each, to let go of what they remember of it.
    """

    def __init__(
        self,
        records: Records,
        lake: Lake,
        clock: Clock,
        forgetting: Sequence[Callable[[Deletion], None]] = (),
    ) -> None:
        self._records = records
        self._lake = lake
        self._clock = clock
        self._forgetting = forgetting

    def delete(self, model: str, *, actor: str = audit.UNKNOWN) -> None:
        """Forget a model: rows that wait, profiles, evaluations, incidents, messages about it.

        Its name is free at once. A crash afterwards loses nothing of the request: the files in the
        lake go with the next `finish`. Raises: UnknownModelError.
        """
        now = self._clock()
        with self._records.write() as connection:
            self.write_deleted(connection, model, actor=actor, now=now)

    def write_deleted(self, connection: Connection, model: str, *, actor: str, now: int) -> None:
        """The same within a transaction; who knows of its alerts is told that they are over.

        Nothing is kept of that once it is delivered. Raises: UnknownModelError.
        """
        model_id, document = models.monitor_named(connection, model)
        deed = audit.Deed(
            actor, "none", "model.deleted", f"model/{model}", config_hash=config_hash(document)
        )
        audit.append(connection, deed, now=now)
        drafts = last_words.of_model(connection, model_id, model, by=actor)
        deletions.delete_model(connection, model_id, model, now=now)
        for draft in drafts:
            endings.put_last(connection, draft, forgets=True, now=now)
        changes.announce(connection, f"model/{model}", now=now)

    def waiting(self) -> list[Deletion]:
        """The deleted models whose files are to be removed."""
        with self._records.read() as connection:
            return deletions.unfinished(connection)

    def finish(self, deletion: Deletion) -> None:
        """Remove the files of a deleted model; nobody may fold meanwhile. A repeat changes nothing.

        Raises: UnavailableError while somebody reads what the database was before.
        """
        for forget in self._forgetting:
            forget(deletion)
        self._lake.remove(deletion.model_id, deletion.name)
        self._records.forget()
        with self._records.write() as connection:
            deletions.done(connection, deletion.model_id, now=self._clock())
