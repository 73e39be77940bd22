"""Calls to logged rows: read, sampled, stripped of what shall not leave, scored, named."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tocsin.capture.answers import outputs_of, wants_scores
from tocsin.capture.exchange import Call, Model, Rows, UnreadableError
from tocsin.capture.monitored import Monitored, Target
from tocsin.capture.scores import Budget, Scorer
from tocsin.client import Client
from tocsin.schema import Schema

Count = Callable[..., None]
_SCALE = 2**64
_Scores = list[list[float]]


class _Read(NamedTuple):
    """A call with its rows, and the numbers of those that are kept."""

    call: Call
    rows: Rows
    kept: list[int]


class RowLog:
    """Logs the rows of calls of one model.

    count: told by version what became of them: `rows`, `captured`, `sampled_out` in rows,
    `unreadable` in calls; `dropped` in rows of calls that were read, and in calls that were not.
    """

    def __init__(
        self,
        target: Target,
        monitored: Monitored,
        *,
        count: Count,
        say_once: Callable[[str, str], None],
    ) -> None:
        self._target = target
        self._monitored = monitored
        self._count = count
        self._say_once = say_once
        self._budget = Budget()
        # By the identity of the loaded model: MLflow's have no hash.
        self._scorers: dict[int, Scorer] = {}
        self._client: Client | None = None
        self._version = ""
        self._kept = self._lost = 0

    @property
    def is_ready(self) -> bool:
        """Whether the monitor is known, without which outputs have no names."""
        return self._monitored.schema is not None

    def log(self, calls: Sequence[Call]) -> None:
        """Log the rows of calls; call it when `is_ready`."""
        schema = self._monitored.schema
        assert schema is not None
        by_model: dict[Model, list[_Read]] = {}
        for call in calls:
            read = self._read(call)
            if read is not None and read.kept:
                by_model.setdefault(call.model, []).append(read)
        for model, reads in by_model.items():
            self._log(model, reads, schema)

    def close(self, timeout_s: float) -> None:
        """Send what waits until the deadline."""
        if self._client is not None:
            self._client.close(timeout_s)
            self.count_settled()

    def count_settled(self) -> None:
        """Count the rows that the server or the disk has, and those that are lost, since last time.

        Rows that wait are counted once it is known.
        """
        if self._client is None:
            return
        stats = self._client.stats
        lost, kept = stats.dropped + stats.rejected, stats.sent + stats.spilled
        # What lay on disk may be lost later: the next rows make up for it.
        captured = max(0, kept - self._kept)
        self._count(self._version, captured=captured, dropped=lost - self._lost)
        self._kept, self._lost = self._kept + captured, lost

    def _read(self, call: Call) -> _Read | None:
        version = call.model.version
        try:
            rows = call.rows()
        except Exception as error:  # noqa: BLE001 - anybody may send anything
            # The text of others' errors may hold what was sent.
            why = str(error) if isinstance(error, UnreadableError) else type(error).__name__
            self._say_once("unreadable", f"a request that was answered is not recorded: {why}")
            self._count(version, unreadable=1)
            return None
        kept = [i for i, name in enumerate(rows.ids) if is_sampled(name, self._target.sample)]
        self._count(version, rows=len(rows.ids), sampled_out=len(rows.ids) - len(kept))
        return _Read(call, rows, kept)

    def _log(self, model: Model, reads: list[_Read], schema: Schema) -> None:
        scorer = self._scorer_of(model)
        records: list[dict[str, Any]] = []
        for read, scores in zip(reads, self._scores(scorer, reads, schema), strict=True):
            if scores is None and self._lacks_scores(scorer, read, schema):
                self._count(model.version, dropped=len(read.kept))
                continue
            of_rows = [None] * len(read.kept) if scores is None else scores
            try:
                found = [
                    self._record(read, i, of_row, scorer, schema)
                    for i, of_row in zip(read.kept, of_rows, strict=True)
                ]
            except UnreadableError as error:
                self._say_once("outputs", f"an answer is not recorded: {error}")
                self._count(model.version, unreadable=1)
                continue
            records += found
        self._send(records, model.version)

    def _scorer_of(self, model: Model) -> Scorer:
        scorer = self._scorers.get(id(model.pyfunc))
        if scorer is None or scorer.pyfunc is not model.pyfunc:
            alive = {key: s for key, s in self._scorers.items() if s.pyfunc is not None}
            scorer = Scorer(model)
            self._scorers = {**alive, id(model.pyfunc): scorer}
        return scorer

    def _send(self, records: list[dict[str, Any]], version: str) -> None:
        if self._client is None:
            target = self._target
            self._client = Client(
                target.url,
                model=target.model,
                model_version=version,
                # They were gathered already.
                max_delay_s=0.05,
                spill_dir=target.spill_dir,
                transport=target.transport,
            )
        self._version = version
        self._client.log_predictions(records)

    def _record(
        self,
        read: _Read,
        row: int,
        scores: Sequence[float] | None,
        scorer: Scorer,
        schema: Schema,
    ) -> dict[str, Any]:
        rows = read.rows
        outputs = outputs_of(rows.predictions[row], schema, scorer.classes, scores)
        return {
            "prediction_id": rows.ids[row],
            "timestamp": rows.timestamps[row],
            "model_version": read.call.model.version,
            "inputs": self._allowed(rows.inputs[row]),
            "outputs": self._allowed(outputs),
        }

    def _allowed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        exclude = self._target.exclude
        return {str(name): value for name, value in values.items() if name not in exclude}

    def _scores(self, scorer: Scorer, reads: list[_Read], schema: Schema) -> list[_Scores | None]:
        """The probabilities of the kept rows; None where there are none or none are needed."""
        if not scorer.is_needed or not wants_scores(schema) or not self._budget.is_left:
            return [None] * len(reads)
        # Not the time of this thread: a model may compute in threads of its own.
        began = time.perf_counter()
        try:
            return self._scored(scorer, reads)
        finally:
            self._budget.spend(time.perf_counter() - began)

    def _scored(self, scorer: Scorer, reads: list[_Read]) -> list[_Scores | None]:
        try:
            return _parted(_probabilities(scorer, reads), reads)
        except Exception as error:  # noqa: BLE001 - the model and its inputs are the host's
            if len(reads) > 1:  # one of them may spoil all
                return [self._scored(scorer, [read])[0] for read in reads]
            self._say_once("scores", f"no probabilities of some rows: {type(error).__name__}")
            return [None]

    def _lacks_scores(self, scorer: Scorer, read: _Read, schema: Schema) -> bool:
        """Whether a call without scores has nothing that the monitor has a name for."""
        if not scorer.is_needed or not wants_scores(schema) or schema.prediction is not None:
            return False
        return not isinstance(read.rows.predictions[0], Mapping | list)


def _probabilities(scorer: Scorer, reads: list[_Read]) -> _Scores:
    """Of the kept rows of all calls, in one go where the rows have all there is."""
    found: _Scores = []
    together: list[Mapping[str, Any]] = []
    for read in reads:
        frame = read.call.frame()
        if frame is None:
            together += [read.rows.inputs[i] for i in read.kept]
        else:
            whole = scorer.probabilities_of(frame)
            found += [whole[i] for i in read.kept]
    return found + scorer.probabilities(together) if together else found


def _parted(found: _Scores, reads: list[_Read]) -> list[_Scores | None]:
    """The probabilities of each call."""
    left = iter(found)
    parts: list[_Scores | None] = [[next(left) for _ in read.kept] for read in reads]
    return parts


def is_sampled(prediction_id: str, share: float) -> bool:
    """Whether a row is kept: the same for the same id, everywhere and always.

    >>> is_sampled("a", 1.0), is_sampled("a", 0.0)
    (True, False)
    """
    if share >= 1.0:
        return True
    digest = hashlib.blake2b(prediction_id.encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest) < share * _SCALE
