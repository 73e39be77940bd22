"""Probabilities of classes where a served model gives classes only: computed beside the requests.

MLflow's scikit-learn models answer with `predict` unless they were logged otherwise, and no AUC can
be told from classes. The model that is loaded knows its probabilities all the same.
"""

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tocsin.capture.exchange import Model
from tocsin.capture.reading import POSITION

# How much of the time may go into it, and how much at once after a quiet while.
SHARE = 0.1
BURST_S = 2.0


class Budget:
    """Seconds that may be spent: a share of the time that passes."""

    def __init__(
        self,
        share: float = SHARE,
        burst_s: float = BURST_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._burst_s = burst_s
        self._now = now
        self._left_s = burst_s
        self._at = now()

    @property
    def is_left(self) -> bool:
        """Whether there is any."""
        now = self._now()
        self._left_s = min(self._burst_s, self._left_s + self._share * (now - self._at))
        self._at = now
        return self._left_s > 0

    def spend(self, seconds: float) -> None:
        """Take from it, even more than there is: the cost is known only afterwards."""
        self._left_s -= seconds


class Scorer:
    """The classes of one loaded model, and their probabilities; does not keep the model alive."""

    def __init__(self, model: Model) -> None:
        self._pyfunc = weakref.ref(model.pyfunc)
        raw = _raw(model.pyfunc)
        self._names = model.names
        self._schema = model.pyfunc.metadata.get_input_schema()
        found = getattr(raw, "classes_", None)
        # Of several outputs it is a list of arrays: not one classification.
        self.classes: list[Any] | None = None
        if found is not None and hasattr(found, "tolist"):
            self.classes = found.tolist()
        flavor = getattr(model.pyfunc.metadata, "flavors", {}).get("python_function", {})
        gives_classes = flavor.get("predict_fn", "predict") == "predict"
        has_more = callable(getattr(raw, "predict_proba", None))
        self.is_needed = gives_classes and has_more and self.classes is not None

    @property
    def pyfunc(self) -> Any:
        """The loaded model; None once nobody else has it."""
        return self._pyfunc()

    def probabilities(self, inputs: Sequence[Mapping[str, Any]]) -> list[list[float]]:
        """(rows, classes) of inputs by name, in the order of `classes`."""
        import numpy as np
        import pandas as pd

        first = list(inputs[0])
        if self._names:
            frame = pd.DataFrame(list(inputs), columns=list(self._names))
            return self.probabilities_of(_cast(frame, self._schema))
        if first == [f"{POSITION}{i}" for i in range(len(first))]:
            return self.probabilities_of(np.array([list(row.values()) for row in inputs]))
        return self.probabilities_of(pd.DataFrame(list(inputs)))

    def probabilities_of(self, frame: Any) -> list[list[float]]:
        """(rows, classes) of inputs as the model takes them."""
        columns = getattr(frame, "columns", None)
        if columns is not None and self._names and set(self._names) <= set(columns):
            frame = frame[list(self._names)]
        found: list[list[float]] = _raw(self.pyfunc).predict_proba(frame).tolist()
        return found


def _cast(frame: Any, schema: Any) -> Any:
    """The frame with the types of the signature, as MLflow gives it to the model."""
    from mlflow.utils.proto_json_utils import cast_df_types_according_to_schema

    return cast_df_types_according_to_schema(frame, schema)


def _raw(pyfunc: Any) -> Any:
    """The model inside MLflow's wrapper; None where the wrapper does not give it."""
    from mlflow.exceptions import MlflowException

    try:
        return pyfunc.get_raw_model()
    except (NotImplementedError, AttributeError, MlflowException):
        return None
