"""Monitors as code: check, plan, apply."""

import io
import json as jsons
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from tocsin.cli.options import AsJson, Url, print_json, remote_at
from tocsin.errors import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

    from tocsin.declared.configuration import Checked
    from tocsin.declared.fault import Fault
    from tocsin.service.configuration_files import Loaded

_out = Console(highlight=False, soft_wrap=True)
_errors = Console(highlight=False, soft_wrap=True, stderr=True)
_SIGNS = {"added": "+", "changed": "~", "removed": "-"}
_NOTHING, _FAULTS, _CHANGES = 0, 1, 2

Files = Annotated[list[Path], typer.Argument(help="Files of monitors, or folders with such files.")]


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of monitors, or folders with such files.")
    ] = None,
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the files instead.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Tell every fault in files of monitors, with its line; no server is needed."""
    if schema:
        from tocsin.declared.json_schema import monitors_schema

        print_json(monitors_schema())
        return
    from tocsin.service.configuration_files import load

    if not files:
        raise typer.BadParameter("name at least one file, or ask for --schema")
    checked = load(files).checked
    if json:
        print_json([fault.to_dict() for fault in checked.faults])
    elif checked.faults:
        _tell(checked.faults)
    else:
        found = checked.configuration
        _out.print(
            f"No faults: {_number(len(found.monitors), 'monitor')}, "
            f"{_number(len(found.receivers), 'receiver')}."
        )
    raise typer.Exit(_FAULTS if checked.faults else _NOTHING)


def plan(files: Files, *, json: AsJson = False, url: Url = None) -> None:
    """Show what applying files would change, and what that costs; exit status 2 if anything."""
    _, made = _planned(files, url)
    if json:
        print_json(made)
    else:
        _show(made)
        if made["changes"]:
            _out.print(f"Do it with `tocsin apply {' '.join(map(str, files))}`.", markup=False)
    raise typer.Exit(_CHANGES if made["changes"] else _NOTHING)


def apply(
    files: Files,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    delete_models: Annotated[
        bool,
        typer.Option("--delete-models", help="Delete models that are gone from the files."),
    ] = False,
    url: Url = None,
) -> None:
    """Let the server be as the files say, all or nothing."""
    loaded, made = _planned(files, url)
    _show(made)
    if made["changes"] and not yes:
        typer.confirm("Apply this?", abort=True)
    remote = remote_at(url)
    document = loaded.checked.configuration.to_document()
    options = {"basis": made["basis"], **({"delete_models": "true"} if delete_models else {})}
    tables = [loaded.tables[digest] for digest in made["missing"] if digest in loaded.tables]
    with _placed(loaded.checked):
        done = (
            remote.put_tables("apply", document=document, tables=map(_parquet, tables), **options)
            if tables
            else remote.post("apply", document=document, **options)
        )
    if done["number"] is None:
        _out.print("Nothing to apply: the server is as the files say.")
        return
    _out.print(f"Applied as number {done['number']}; see `tocsin status` for what is made anew.")


def _planned(files: Sequence[Path], url: str | None) -> tuple["Loaded", dict[str, Any]]:
    """Files as they were loaded, and the server's plan for them; exits where they have faults."""
    from tocsin.service.configuration_files import load

    loaded = load(files)
    if loaded.checked.faults:
        _tell(loaded.checked.faults)
        raise typer.Exit(_FAULTS)
    document = loaded.checked.configuration.to_document()
    with _placed(loaded.checked):
        made: dict[str, Any] = remote_at(url).post("plan", document=document)
    return loaded, made


@contextmanager
def _placed(checked: "Checked") -> Iterator[None]:
    """Tells faults that only the server can find at their places in the files, and exits."""
    try:
        yield
    except ConfigurationError as error:
        if not error.faults:
            raise
        found = checked.configuration
        names = {
            "monitors": [monitor.name for monitor in found.monitors],
            "receivers": list(found.receivers),
        }
        faults = []
        for fault in error.faults:
            kind, *rest = fault["path"] or [""]
            if kind in names and rest:
                name = names[kind][rest[0]]
                faults.append(checked.fault_of(kind, name, tuple(rest[1:]), fault["message"]))
            else:
                faults.append(checked.fault_at(tuple(fault["path"]), fault["message"]))
        _tell(faults)
        raise typer.Exit(_FAULTS) from error


def _tell(faults: Sequence["Fault"]) -> None:
    from tocsin.declared.fault import counted

    for fault in faults:
        _errors.print(str(fault), markup=False)
    _errors.print(f"{counted(faults)}.", markup=False)


def _show(plan: dict[str, Any]) -> None:
    """A plan as people read it: what is added, changed and removed, and what that costs."""
    for thing in plan["things"]:
        sign = _SIGNS.get(thing["action"])
        if sign is None:
            continue
        _out.print(f"{sign} {thing['kind']}/{thing['name']}  {thing['action']}", markup=False)
        for each in thing["differences"]:
            before, after = _value(each["before"]), _value(each["after"])
            _out.print(f"    {each['field']}: {before} -> {after}", markup=False)
        for cost in thing["costs"]:
            _out.print(f"    cost: {cost}", markup=False)
    same = len(plan["things"]) - plan["changes"]
    rest = f"; {same} as they are" if same else ""
    _out.print(f"{_number(plan['changes'], 'change')}{rest}.")


def _value(value: object) -> str:
    return "nothing" if value is None else jsons.dumps(value, ensure_ascii=False)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _parquet(table: "pa.Table") -> bytes:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
