"""Commands about single rows: those that did not fit, and those that have to go."""

import time
from typing import Annotated

import typer
from rich.console import Console

from tocsin.cli.options import Url, pairs, remote_at
from tocsin.cli.tables import quarantine_table
from tocsin.errors import UnavailableError
from tocsin.remote import Remote

_out = Console()
_LOOK_S = 0.2
# What fails so often in a row does not pass in a second.
_FAILURES = 4


def quarantine(model: str, url: Url = None) -> None:
    """Show why rows of a model did not fit, and how many."""
    found = remote_at(url).get("models", model, "quarantine", "reasons")
    if not found:
        _out.print(f"No row of {model} is in quarantine.")
        return
    _out.print(quarantine_table(found))
    _out.print(f"Once they fit: tocsin replay {model}")


def replay(
    model: str,
    rename: Annotated[
        list[str] | None, typer.Option(help="OLD=NEW: what a field should have been called.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only rows whose reason has this.")] = None,
    url: Url = None,
) -> None:
    """Try the rows in quarantine again, with the monitor of now."""
    request = {"rename": pairs(rename or [], "--rename"), "reason": reason}
    done = remote_at(url).post("models", model, "quarantine", "replay", document=request)
    _out.print(f"Accepted {done['accepted']:,} rows; {done['kept']:,} still do not fit.")
    for still in done["reasons"]:
        _out.print(f"  {still['rows']:,}  {still['reason']}", markup=False)


def erase(
    model: str,
    prediction_id: Annotated[list[str] | None, typer.Argument(help="Whose rows to erase.")] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: all keys of `join`, instead of ids.")
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Until they are gone.")] = False,
    url: Url = None,
) -> None:
    """Erase predictions and their outcomes, from lake, quarantine and profiles."""
    keys = pairs(key or [], "--key")
    request = {"prediction_ids": prediction_id or [], "keys": [keys] if keys else []}
    remote = remote_at(url)
    asked = remote.post("models", model, "erase", document=request)
    at = ("models", model, "erasures", str(asked["offset"]))
    if not wait:
        _out.print(
            f"Erasing {asked['requested']:,}; it is done once the rows before it are folded."
        )
        _out.print(f"What became of it: {remote.address(*at)}", soft_wrap=True)
        return
    while (done := remote.get(*at))["state"] != "done":
        _check_work(remote, model)
        time.sleep(_LOOK_S)
    _out.print(
        f"Erased {done['predictions']:,} predictions, {done['outcomes']:,} outcomes and "
        f"{done['quarantined']:,} rows in quarantine."
    )


def _check_work(remote: Remote, model: str) -> None:
    """Raises: UnavailableError when the server fails each time at what an erasure waits for."""
    for trouble in remote.get("status")["trouble"]:
        if trouble["model"] == model and trouble["failures"] >= _FAILURES:
            raise UnavailableError(
                f"the erasure waits, as {trouble['work']} of {model} failed "
                f"{trouble['failures']} times in a row: {trouble['error']}; it stays asked for, "
                "and is done once that is mended"
            )
