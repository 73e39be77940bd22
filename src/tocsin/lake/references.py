"""The rows that plans were made from, kept beside the tables of a model."""

from datetime import datetime

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from tocsin.lake.folder import Folder

_PART = ".part"


def keep_reference(folder: Folder, digest: str, reference: pa.Table) -> None:
    """Keep the rows that the plan of this digest was made from."""
    folder.make()
    path = f"{folder.path}/{digest}.parquet"
    # An object is there when it is whole; a file has to be made elsewhere first.
    written = path + _PART if folder.local else path
    with folder.filesystem.open_output_stream(written, compression=None) as file:
        pq.write_table(reference, file, compression="zstd")
    if written != path:
        folder.filesystem.move(written, path)


def reference(folder: Folder, digest: str) -> pa.Table:
    """The rows that `keep_reference` kept. Raises: FileNotFoundError."""
    with folder.filesystem.open_input_file(f"{folder.path}/{digest}.parquet") as file:
        return pq.read_table(file)


def sweep(folder: Folder, older_than: datetime) -> int:
    """Remove what writers that died left unfinished on this machine; how many files that were.

    delta-rs writes to names that end in `#` and a number or in `.tmp`, and passes over them when it
    looks for what no commit refers to. An object store shows no unfinished objects.
    """
    if not folder.local:
        return 0
    found = folder.filesystem.get_file_info(
        pafs.FileSelector(folder.path, allow_not_found=True, recursive=True)
    )
    left = [
        file.path
        for file in found
        if file.type == pafs.FileType.File
        and _unfinished(file.base_name)
        and file.mtime < older_than
    ]
    for path in left:
        folder.filesystem.delete_file(path)
    return len(left)


def _unfinished(name: str) -> bool:
    return name.endswith((_PART, ".tmp")) or (name.rpartition("#")[2].isdigit() and "#" in name)
