"""The books of a client: where each row is that was logged."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClientStats:
    """Where the rows are: logged = sent + rejected + dropped + queued + spilled.

    sent: acknowledged by the server; `quarantined` of them did not fit the model's schema.
    rejected: cannot be sent, or refused by the server.
    dropped: the queue was full, or the client was closed before they could be sent or spilled.
    queued: waiting in memory, or on their way.
    spilled: in files of `spill_dir`, to be sent later, by this process or by another one.
    recovered: rows of earlier processes that this one found in `spill_dir` and sent; they were
        not logged here and are in no other number.
    retries: requests that were sent again.
    """

    logged: int = 0
    sent: int = 0
    quarantined: int = 0
    rejected: int = 0
    dropped: int = 0
    queued: int = 0
    spilled: int = 0
    recovered: int = 0
    retries: int = 0
    last_error: str | None = None


@dataclass
class Books:
    """The same, to be counted in under a lock; plain attributes, as each logged row adds to them.

    dropped_told: how many of the dropped rows the server was told of.
    """

    logged: int = 0
    sent: int = 0
    quarantined: int = 0
    rejected: int = 0
    dropped: int = 0
    spilled: int = 0
    recovered: int = 0
    retries: int = 0
    dropped_told: int = 0
    last_error: str | None = None

    def note(self, fate: "Fate") -> None:
        """Count rows that left the queue or the disk."""
        self.sent += fate.sent
        self.quarantined += fate.quarantined
        self.rejected += fate.rejected
        self.dropped += fate.dropped
        self.last_error = fate.error or self.last_error

    def stats(self, queued: int) -> ClientStats:
        """The books at this moment."""
        return ClientStats(
            logged=self.logged,
            sent=self.sent,
            quarantined=self.quarantined,
            rejected=self.rejected,
            dropped=self.dropped,
            queued=queued,
            spilled=self.spilled,
            recovered=self.recovered,
            retries=self.retries,
            last_error=self.last_error,
        )


@dataclass(frozen=True)
class Fate:
    """What became of the rows of a batch."""

    sent: int = 0
    quarantined: int = 0
    rejected: int = 0
    dropped: int = 0
    spilled: int = 0
    error: str | None = None
