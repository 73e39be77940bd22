"""The Parquet files at an address that somebody gives."""

from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from tocsin.errors import InvalidInputError


def files_of(address: str) -> tuple[str, ...]:
    """The Parquet files at an address: one, those of a folder, or those of a Delta table.

    What is neither is taken for the name of a table and handed back as it is.
    Raises: InvalidInputError for a folder without any, and for an empty file; for a Delta table
    whose files alone do not say which rows it has.
    """
    path = Path(address)
    if path.is_file():
        found = [str(path)]
    elif not path.is_dir():
        return (address,)
    elif DeltaTable.is_deltatable(address):
        found = _of_delta(address)
    else:
        # As Spark does: what begins so is being written, or is about the others.
        found = [
            str(file)
            for file in path.rglob("*.parquet")
            if not any(part.startswith(("_", ".")) for part in file.relative_to(path).parts)
        ]
    if not found:
        raise InvalidInputError(f"there are no Parquet files in {address}")
    for file in map(Path, found):
        if file.is_file() and file.stat().st_size == 0:
            raise InvalidInputError(
                f"{file} has no bytes: it was not written to its end; write it anew or remove it"
            )
    return tuple(sorted(found))


def _of_delta(address: str) -> list[str]:
    try:
        table = DeltaTable(address)
        if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
            raise InvalidInputError(
                f"the Delta table {address} maps its columns to other names in its files; give it "
                "to Spark by its name, or write it without column mapping"
            )
        if _deletes_rows(table):
            raise InvalidInputError(
                f"the Delta table {address} has rows that were deleted but are still in its files; "
                "purge them with REORG TABLE ... APPLY (PURGE), or give it to Spark by its name"
            )
        return [unquote(uri) for uri in table.file_uris()]
    except DeltaError as error:
        raise InvalidInputError(f"the Delta table {address} cannot be read: {error}") from error


def _deletes_rows(table: DeltaTable) -> bool:
    """Whether deletion vectors hide rows of the files."""
    features = table.protocol().reader_features or []
    return "deletionVectors" in features and bool(table.deletion_vectors().read_all().num_rows)
