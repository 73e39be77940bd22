"""What several commands are given: the server, and options of the form NAME=VALUE."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from tocsin.errors import InvalidInputError
from tocsin.remote import Remote
from tocsin.settings import settings

Url = Annotated[str | None, typer.Option(help="The server (default: http://127.0.0.1:8765).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the API answers.")]
TrackingUri = Annotated[
    str | None, typer.Option(help="The MLflow server (default: MLFLOW_TRACKING_URI).")
]


def remote_at(url: str | None) -> Remote:
    """The server of an option, or else of the settings."""
    return Remote(url or settings().url)


def print_json(document: object) -> None:
    """A document that other programs read: without colours, and not wrapped."""
    typer.echo(json.dumps(document, indent=2))


def pairs(options: Sequence[str], what: str) -> dict[str, str]:
    """Names and values of repeated options.

    Raises: InvalidInputError for one of another form, or two of one name.

    >>> pairs(["prob=p", "dist=distance"], "--rename")
    {'prob': 'p', 'dist': 'distance'}
    """
    found: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not name or not equals or not value:
            raise InvalidInputError(f"{what} {option!r} has to be NAME=VALUE")
        if name in found:
            raise InvalidInputError(f"{what} names {name!r} twice")
        found[name] = value
    return found
