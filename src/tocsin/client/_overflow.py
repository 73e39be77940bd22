"""What leaves the queue for the disk, and what comes back: the books stay right, nothing raises."""

from collections.abc import Callable, Iterable
from time import monotonic

from tocsin.client._body import Body, body_of, compressed
from tocsin.client._books import Fate
from tocsin.client._log import Warnings, logger, told
from tocsin.client._queue import Batch, RowQueue
from tocsin.client._spill import Spill, SpillFullError
from tocsin.client._spill_file import CorruptSpillError, SpillFile, body_in

LOOK_AGAIN_S = 60.0
WRITE_AGAIN_S = 5.0


class Overflow:
    """Moves rows of a queue to a folder of files, and settles those files."""

    look_again_s = LOOK_AGAIN_S

    def __init__(
        self,
        queue: RowQueue,
        warnings: Warnings,
        spill: Spill,
        *,
        compress: bool = False,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._queue = queue
        self._warnings = warnings
        self._spill = spill
        self._compress = compress
        self._now = now
        self._look_at = now()
        self._write_at = now()

    def relieve(self) -> bool:
        """Move batches to the disk until the queue is no longer crowded; False if it cannot."""
        while self._queue.crowded:
            if self._now() < self._write_at:
                return False
            batch = self._queue.take_waiting()
            if batch is not None and not self.spilled(batch):
                return False
        return True

    def spilled(self, batch: Batch) -> bool:
        """Move a batch that was taken to the disk; if that fails, it goes back to its place."""
        moved = self._moved(batch)
        if not moved:
            self._write_at = self._now() + WRITE_AGAIN_S
            self._queue.put_back(batch)
        return moved

    def keep(self, batches: Iterable[Batch], until: float) -> tuple[int, int]:
        """Spill what is left of a closing client, drop what cannot be; how many rows of each."""
        kept = lost = 0
        for batch in batches:
            if self._now() < until and self._moved(batch):
                kept += batch.rows
            else:
                lost += batch.rows
                self._queue.settle(batch, Fate(dropped=batch.rows))
        return kept, lost

    def _moved(self, batch: Batch) -> bool:
        body, misfits = body_of(batch)
        try:
            file = self._spill.write(compressed(body) if self._compress else body, batch.number)
        except (OSError, SpillFullError) as error:
            self._queue.note_error(told(error))
            self._warnings.warn("spill", f"rows cannot be spilled to disk: {told(error)}")
            return False
        self._warnings.resolve("spill")
        if self._queue.settle(batch, misfits.joined(Fate(spilled=body.rows))):
            self._spill.add(file)
        else:  # the client closed meanwhile, and its rows are in another file
            self._remove(file)
        return True

    def oldest(self) -> SpillFile | None:
        """The next file to be sent; looks now and then for those of dead clients."""
        if self._now() >= self._look_at:
            self._look_at = self._now() + LOOK_AGAIN_S
            try:
                rows = self._spill.adopt()
            except OSError as error:
                self._queue.note_error(told(error))
                self._warnings.warn("adopt", f"spilled rows cannot be looked for: {told(error)}")
            else:
                if rows:
                    logger.info("%d spilled row(s) of an earlier process will be sent", rows)
        return self._spill.oldest()

    def newest(self) -> SpillFile | None:
        """The file to be sent last."""
        return self._spill.newest()

    def body(self, file: SpillFile) -> Body | None:
        """What is in a file; None when it cannot be read, and is out of the way by now."""
        try:
            return body_in(file.path)
        except (OSError, CorruptSpillError) as error:
            self.set_aside(file, Fate(dropped=file.rows, error=told(error)))
        return None

    def set_aside(self, file: SpillFile, fate: Fate) -> None:
        """Say what became of the rows of a file that cannot be sent, and move it out of the way."""
        self._warnings.warn("corrupt", f"a spill file is set aside: {fate.error}")
        if file.own:
            self._queue.settle_spilled(file.rows, fate)
        try:
            self._spill.set_aside(file)
        except OSError as error:
            self._queue.note_error(told(error))

    def settle(self, file: SpillFile, fate: Fate) -> None:
        """Say what became of the rows of a file, and delete it."""
        self._remove(file)
        if file.own:
            self._queue.settle_spilled(file.rows, fate)
        elif fate.sent:
            self._queue.count_recovered(fate.sent)

    def _remove(self, file: SpillFile) -> None:
        try:
            self._spill.remove(file)
        except OSError as error:  # the server counts it once, whoever sends it again
            self._queue.note_error(told(error))
            self._warnings.warn("spill", f"a sent spill file cannot be deleted: {told(error)}")
