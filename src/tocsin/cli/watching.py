"""What `tocsin watch` is given."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tocsin.errors import InvalidInputError
from tocsin.schema import Task

TaskOption = Annotated[
    Task | None, typer.Option(help="What it predicts, if its training rows cannot tell.")
]
Label = Annotated[str | None, typer.Option(help="The column with the truth.")]
Score = Annotated[
    str | None, typer.Option(help="The column with the probability of the positive class.")
]
Prediction = Annotated[
    str | None, typer.Option(help="The column with the predicted class or number.")
]
Scores = Annotated[
    list[str] | None,
    typer.Option(help="CLASS=COLUMN: the column with its probability; repeat it for each class."),
]
Positive = Annotated[str | None, typer.Option(help="How the positive class is written.")]
Reference = Annotated[
    Path | None,
    typer.Option(help="A Parquet file to compare with, where the registry has no training rows."),
]
Negative = Annotated[str | None, typer.Option(help="How the negative class is written.")]

Importance = Annotated[
    bool,
    typer.Option("--importance", help="Then load the model here to find what it relies on."),
]


def scores_of(options: Sequence[str]) -> dict[str, str] | None:
    """`oak=p_oak` as the column with the probability of each class; None without any.

    Raises: InvalidInputError for an option of another form, or two for one class.
    """
    found: dict[str, str] = {}
    for option in options:
        name, _, column = option.partition("=")
        if not name or not column:
            raise InvalidInputError(
                f"--scores {option!r} has to be CLASS=COLUMN; write it once for each class"
            )
        if name in found:
            raise InvalidInputError(
                f"--scores {name}={found[name]} and {option} are for one class; leave one out"
            )
        found[name] = column
    return found or None
