"""`tocsin.autolog()`: predictions of MLflow models in batch jobs and inside other programs."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import wraps
from typing import Any

from tocsin import settings
from tocsin.capture.exchange import UnreadableError, id_given
from tocsin.capture.predict_recorder import PredictRecorder
from tocsin.client._wire import model_url
from tocsin.errors import InvalidInputError
from tocsin.ids import uuid7s

_MARK = "_tocsin_original"


class Logged:
    """What a `log_context` gives to the predictions in it.

    prediction_ids: of the rows that were predicted so far, in order.
    """

    def __init__(
        self,
        prediction_ids: Sequence[str] | None,
        timestamps: Sequence[datetime | str] | datetime | str | None,
    ) -> None:
        self.prediction_ids: list[str] = []
        self._given_ids = (
            None if prediction_ids is None else [_id(given) for given in prediction_ids]
        )
        single = timestamps is None or isinstance(timestamps, datetime | str)
        self._moment = timestamps if single else None
        self._given_times = None if single else list(timestamps)  # type: ignore[arg-type]
        self._lock = threading.Lock()

    def taken(self, rows: int, now: datetime) -> tuple[list[str], list[datetime | str]]:
        """The ids and times of the next rows; made up where none are left."""
        with self._lock:
            begin = len(self.prediction_ids)
            given = (self._given_ids or [])[begin : begin + rows]
            given += [None] * (rows - len(given))
            made = iter(uuid7s(given.count(None)))
            ids = [next(made) if name is None else name for name in given]
            times: list[datetime | str] = (self._given_times or [])[begin : begin + rows]
            moment: datetime | str = now if self._moment is None else self._moment  # type: ignore[assignment]
            times += [moment] * (rows - len(times))
            self.prediction_ids += ids
            return ids, times

    def lose_count(self) -> bool:
        """Give new ids from now on, as nobody knows which row is next; whether any were given."""
        with self._lock:
            were_given = self._given_ids is not None or self._given_times is not None
            self._given_ids = self._given_times = None
            return were_given


def _id(given: object) -> str | None:
    """An id of a context, None for one to be made. Raises: InvalidInputError."""
    try:
        return id_given(given)
    except UnreadableError as error:
        raise InvalidInputError(f"log_context: {error}") from error


_context: ContextVar[Logged | None] = ContextVar("tocsin_log_context", default=None)
# A model may ask others inside: what the host asked is logged, once.
_inside: ContextVar[bool] = ContextVar("tocsin_inside_predict", default=False)
_recorder: PredictRecorder | None = None
_changing = threading.Lock()


@contextmanager
def log_context(
    *,
    prediction_ids: Sequence[str] | None = None,
    timestamps: Sequence[datetime | str] | datetime | str | None = None,
) -> Iterator[Logged]:
    """Ids and times for the rows that are predicted inside, in order, over all calls.

    prediction_ids: new ones where left out; the yielded object has those that were used.
    timestamps: aware datetimes or ISO 8601 texts, one for each row or one for all; now if left out.
    Raises: InvalidInputError for an id that is neither a text nor a whole number.

    >>> with log_context(prediction_ids=["order-1"]) as logged:
    ...     pass  # model.predict(...)
    >>> logged.prediction_ids
    []
    """
    logged = Logged(prediction_ids, timestamps)
    token = _context.set(logged)
    try:
        yield logged
    finally:
        _context.reset(token)


def autolog(
    url: str | None = None,
    *,
    model: str | None = None,
    sample: float = 1.0,
    exclude: Sequence[str] = (),
    disable: bool = False,
) -> None:
    """Log what MLflow's pyfunc models predict from now on, in the background.

    It never changes a result, waits or raises in `predict`: what cannot be logged is said once to
    the `tocsin` logger.

    url: the Tocsin server; TOCSIN_URL, or the one of this machine, if left out.
    model: what Tocsin calls the model; the registered name of each model if left out.
    sample: the share of rows to keep, chosen by their ids.
    exclude: inputs and outputs to leave out.
    disable: undo it; what waits is sent.
    Raises: InvalidInputError for an address or a share that cannot be.
    """
    global _recorder
    if disable:
        with _changing:
            _unpatch()
            if _recorder is not None:
                _recorder.close(5.0)
            _recorder = None
        return
    if not 0 <= sample <= 1:
        raise InvalidInputError(f"sample {sample} is not a share from 0 to 1")
    url = url or settings.settings().url
    model_url(url, model or "any")  # raises for what is no address
    with _changing:
        before, _recorder = _recorder, PredictRecorder(url, model, sample, frozenset(exclude))
        _patch()
    if before is not None:
        before.close(5.0)


def _patch() -> None:
    from mlflow.pyfunc import PyFuncModel

    original = PyFuncModel.predict
    if hasattr(original, _MARK):
        return

    @wraps(original)
    def predict(self: Any, data: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = _recorder
        if recorder is None or _inside.get():
            return original(self, data, *args, **kwargs)
        token = _inside.set(True)
        try:
            before = recorder.before(data)
            result = original(self, data, *args, **kwargs)
        finally:
            _inside.reset(token)
        ids = _context.get() or Logged(None, None)
        recorder.record(self, before, result, ids, time.time_ns() // 1000)
        return result

    setattr(predict, _MARK, original)
    PyFuncModel.predict = predict


def _unpatch() -> None:
    from mlflow.pyfunc import PyFuncModel

    original = getattr(PyFuncModel.predict, _MARK, None)
    if original is not None:
        PyFuncModel.predict = original
