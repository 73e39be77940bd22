"""One call of a model, as it was when the model was done with it: nothing is read yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isnan
from numbers import Integral
from typing import Any, NamedTuple, Protocol


class Rows(NamedTuple):
    """The rows of one call.

    inputs, predictions: of each row, as the model took and gave them. ids, timestamps: of each row.
    """

    inputs: list[dict[str, Any]]
    predictions: list[Any]
    ids: list[str]
    timestamps: Sequence[datetime | str]


def id_given(given: Any) -> str | None:
    """An id that a caller gave, None where it is null, empty or not a number, as of a table.

    Raises: UnreadableError for what is neither a text nor a whole number.

    >>> id_given("biopsy-17"), id_given(17), id_given(None), id_given("")
    ('biopsy-17', '17', None, None)
    """
    if isinstance(given, str):
        return given or None
    if given is None or (isinstance(given, float) and isnan(given)):
        return None
    if isinstance(given, Integral) and not isinstance(given, bool):
        return str(given)
    raise UnreadableError(f"an id of type {type(given).__name__} is no text and no whole number")


class UnreadableError(ValueError):
    """A call whose rows cannot be told apart; it is counted, and nothing of it is kept."""


@dataclass(frozen=True, eq=False)
class Model:
    """A version of a model that answers calls, and what helps to read them.

    pyfunc: as MLflow loaded it. names: the inputs by the signature; none where it has no names.
    """

    version: str
    pyfunc: Any
    names: tuple[str, ...] = ()


class Call(Protocol):
    """A call that waits to be read, in a thread that nobody waits for."""

    @property
    def model(self) -> Model:
        """The version that answered."""
        ...

    @property
    def size(self) -> int:
        """About how many bytes it holds."""
        ...

    def rows(self) -> Rows:
        """Its rows. Raises: UnreadableError, or whatever a strange body may raise."""
        ...

    def frame(self) -> Any:
        """The inputs of its rows as the model took them; None where `rows` has all there is."""
        ...


def model_of(pyfunc: Any, version: str) -> Model:
    """A loaded model with the names of its inputs."""
    schema = pyfunc.metadata.get_input_schema()
    names = () if schema is None or not schema.has_input_names() else tuple(schema.input_names())
    return Model(version, pyfunc, names)
