"""What `tocsin profile` is given, as engines and columns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from tocsin.engines import Engine, LocalEngine
from tocsin.errors import InvalidInputError, StartupError

_ROLES = ("prediction_id", "timestamp", "model_version", "label", "outcome_timestamp")


@contextmanager
def engine_of(kind: Literal["local", "spark"], master: str) -> Iterator[Engine]:
    """The engine, until the block ends.

    Raises: StartupError when Spark cannot be had.
    """
    if kind == "local":
        engine: Engine = LocalEngine()
    else:
        try:
            from tocsin.engines.spark import SparkEngine

            engine = SparkEngine(master)
        except ModuleNotFoundError as error:
            raise StartupError(
                f"Spark needs {error.name}; install it with pip install 'tocsin[spark]'"
            ) from error
    try:
        yield engine
    finally:
        engine.close()


def check_options(*, table: str | None, outcomes: str | None, columns: Sequence[str]) -> None:
    """Raises: InvalidInputError for options that say nothing of a model's own lake."""
    given = {"--outcomes": outcomes is not None, "--column": bool(columns)}
    odd = next((option for option, is_given in given.items() if is_given), None)
    if table is None and odd is not None:
        raise InvalidInputError(f"{odd} needs --table; without it the model's own lake is profiled")


def columns_of(options: Sequence[str]) -> dict[str, str]:
    """`timestamp=scored_at` as what a column of the lake is called in the table.

    Raises: InvalidInputError for an option of another form or role.
    """
    found: dict[str, str] = {}
    for option in options:
        role, given, name = option.partition("=")
        if not given or not name or role.removeprefix("outcome.") not in _ROLES:
            raise InvalidInputError(
                f"--column {option!r} has to be ROLE=NAME with one of {', '.join(_ROLES)}, or of "
                "those with outcome. before it for the table of outcomes"
            )
        found[role] = name
    return found
