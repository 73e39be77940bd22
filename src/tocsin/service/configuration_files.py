"""Files of monitors on this machine, and the references that they name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.declared.configuration import Checked, DeclaredMonitor, Source, check
from tocsin.declared.fault import Fault, in_order
from tocsin.engines import reference_digest
from tocsin.errors import InvalidInputError

_ENDINGS = (".yaml", ".yml")
_OF_TESTS = ".test"


@dataclass(frozen=True)
class Loaded:
    """Files as they were checked, with the SHA-256 of every reference that they name by its file.

    tables: the rows of these by SHA-256. references: where they are.
    """

    checked: Checked
    tables: Mapping[str, pa.Table]
    references: tuple[Path, ...] = ()


def load(paths: Sequence[Path], *, new: bool = False) -> Loaded:
    """Files and all files in folders, checked together.

    new: as of `check`. Raises: InvalidInputError for a file that cannot be read; faults in files
    are in what is returned.
    """
    checked = check([_source(path) for path in files_of(paths)], new=new)
    tables: dict[str, pa.Table] = {}
    faults: list[Fault] = []
    monitors = []
    places = [place for m in checked.configuration.monitors if (place := _place(m)) is not None]
    for monitor in checked.configuration.monitors:
        try:
            found, table = _with_digest(monitor)
        except InvalidInputError as error:
            faults.append(checked.fault_of("monitors", monitor.name, ("reference",), str(error)))
            continue
        if table is not None:
            tables[(found.reference or {})["sha256"]] = table
        monitors.append(found)
    configuration = replace(checked.configuration, monitors=tuple(monitors))
    told = in_order([*checked.faults, *faults])
    return Loaded(replace(checked, configuration=configuration, faults=told), tables, tuple(places))


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files of a list of files and folders, those of a folder by name, without tests of rules.

    Raises: InvalidInputError for what is not there, or a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if _is_of_monitors(p) and p.is_file())
            if not inside:
                raise InvalidInputError(f"there is no .yaml file in {path}")
            found += inside
        elif not path.exists():
            raise InvalidInputError(f"there is no file {path}")
        else:
            found.append(path)
    return found


def _is_of_monitors(path: Path) -> bool:
    """Whether a file in a folder is one of monitors, by its name."""
    return path.suffix in _ENDINGS and not path.stem.endswith(_OF_TESTS)


def _source(path: Path) -> Source:
    try:
        return Source(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read as UTF-8 text: {error}") from error


def _place(monitor: DeclaredMonitor) -> Path | None:
    """Where the rows of a reference are, if its monitor names a file."""
    said = monitor.reference
    if not isinstance(said, dict) or not isinstance(said.get("file"), str):
        return None
    return Path(monitor.file).parent / str(said["file"])


def _with_digest(monitor: DeclaredMonitor) -> tuple[DeclaredMonitor, pa.Table | None]:
    """A monitor whose reference has its digest, and the rows. Raises: InvalidInputError."""
    said, path = monitor.reference, _place(monitor)
    if said is None or path is None:
        return monitor, None
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise InvalidInputError(
            f"there is no file {path}; paths of references begin at the folder of {monitor.file}"
        ) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInputError(f"{path} is not Parquet: {error}") from error
    digest = reference_digest(table)
    if said.get("sha256", digest) != digest:
        raise InvalidInputError(
            f"{path} has rows of another sha256 than is written beside it, {digest}; correct it, "
            "or leave `sha256` out"
        )
    return replace(monitor, reference={**said, "sha256": digest}), table
