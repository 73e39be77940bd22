"""The outbox as people handle it: what waits, what is dead, try it again, drop it."""

from tocsin.errors import InvalidInputError
from tocsin.records import Records, audit, letters
from tocsin.records.letters import Letter
from tocsin.records.outbox import DeliveryState
from tocsin.service.clock import Clock

MOST_LETTERS = 1_000


class Outgoing:
    """Lists and changes messages; every change goes into the audit."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def listed(
        self, *, state: str | None = None, receiver: str | None = None, limit: int = 100
    ) -> list[Letter]:
        """Messages, the newest first. Raises: InvalidInputError for a state that there is not."""
        if state is not None and state not in set(DeliveryState):
            raise InvalidInputError(
                f"there is no state {state!r}; there are {', '.join(DeliveryState)}"
            )
        with self._records.read() as connection:
            return letters.listed(
                connection, state=state, receiver=receiver, limit=min(limit, MOST_LETTERS)
            )

    def retry(self, message: int, *, actor: str) -> Letter:
        """Send a dead message again. Raises: InvalidInputError when that would do harm."""
        now = self._clock()
        with self._records.write() as connection:
            found = letters.letter(connection, message)
            if found is None:
                raise InvalidInputError(_unknown(message))
            if letters.overtaken(connection, found):
                raise InvalidInputError(
                    f"message {message} is followed by one that was delivered, so that it would "
                    "say what is over; drop it"
                )
            if not letters.try_again(connection, message, now=now):
                raise InvalidInputError(
                    f"message {message} is {found.state}; only dead ones are sent again"
                )
            audit.append(connection, _deed(actor, "outbox.retry", found, ""), now=now)
        return found

    def drop(self, message: int, *, reason: str, actor: str) -> Letter:
        """Give a message up that waits or is dead. Raises: InvalidInputError."""
        if not reason.strip():
            raise InvalidInputError("`reason` is missing: it goes into the audit")
        with self._records.write() as connection:
            found = letters.letter(connection, message)
            if found is None:
                raise InvalidInputError(_unknown(message))
            if not letters.drop(connection, message, reason=reason):
                raise InvalidInputError(
                    f"message {message} is {found.state}; only what waits or is dead is dropped"
                )
            deed = _deed(actor, "outbox.drop", found, reason)
            audit.append(connection, deed, now=self._clock())
        return found


def _unknown(message: int) -> str:
    return f"there is no message {message} in the outbox; see `tocsin outbox list`"


def _deed(actor: str, event: str, letter: Letter, reason: str) -> audit.Deed:
    return audit.Deed(
        actor=actor,
        auth="none",
        event=event,
        object=f"outbox/{letter.id}",
        before={"state": letter.state, "receiver": letter.receiver, "message": letter.message_id},
        reason=reason,
    )
