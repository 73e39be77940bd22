"""Where the lake's files lie: a folder of this machine, or a prefix of an object store."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs

from tocsin.errors import StartupError

# Other characters of a name are quoted differently by the libraries that read and write there.
_ADDRESS = re.compile(r"(s3|gs|abfss)://[A-Za-z0-9._~@+-]+(/[A-Za-z0-9._~@+=-]+)*")
# What Arrow calls the file that a row is from.
FILE = "__filename"
# What is read ahead of a wide table, so that a row of the lake costs no more than memory for these.
_BATCH_ROWS = 65_536
_AHEAD = {"batch_readahead": 4, "fragment_readahead": 4}


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, or a prefix of an object store.

    address: a path or a URI. options: endpoint and credentials, called as the variables `AWS_...`
    of the environment are. filesystem: where `path` is the same place.
    """

    address: str
    options: Mapping[str, str] = field(repr=False)
    filesystem: pafs.FileSystem = field(repr=False)
    path: str

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return isinstance(self.filesystem, pafs.LocalFileSystem)

    def child(self, name: str) -> "Folder":
        """The folder of this name inside."""
        return replace(self, address=f"{self.address}/{name}", path=f"{self.path}/{name}")

    def make(self) -> None:
        """Let the folder be there; an object store has none."""
        if self.local:
            Path(self.path).mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Delete the folder with all that is in it, if it is there."""
        found = self.filesystem.get_file_info(self.path)
        if found.type != pafs.FileType.NotFound:
            self.filesystem.delete_dir(self.path)

    def opened(self, address: str) -> pa.NativeFile:
        """A file inside, by its address."""
        return self.filesystem.open_input_file(self.path_of(address))

    def path_of(self, address: str) -> str:
        """The path of a file inside on the filesystem."""
        return address if self.local else self.path + address.removeprefix(self.address)

    def batches(self, files: Sequence[str], schema: pa.Schema) -> pa.RecordBatchReader:
        """Rows of files, a few at a time, null where a file lacks a column, and last their file."""
        # Imported late: it brings pandas along, which a server needs only once it reads so.
        import pyarrow.dataset as ds

        dataset = ds.dataset(
            [self.path_of(file) for file in files],
            schema=schema,
            format=ds.ParquetFileFormat(
                default_fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=True)
            ),
            filesystem=self.filesystem,
        )
        columns = [*schema.names, FILE]
        return dataset.scanner(columns=columns, batch_size=_BATCH_ROWS, **_AHEAD).to_reader()


def folder_at(address: str, options: Mapping[str, str]) -> Folder:
    """The folder at an address, a path or a URI such as `s3://bucket/prefix`.

    Raises: StartupError for an address that cannot be one.
    """
    if "://" not in address:
        path = os.path.abspath(address)
        return Folder(path, {}, pafs.LocalFileSystem(), path)
    address = address.rstrip("/")
    if _ADDRESS.fullmatch(address) is None:
        raise StartupError(
            f"the lake cannot lie at {address!r}: write a folder, or s3://BUCKET/PREFIX (or gs://, "
            "abfss://) with letters, digits and . _ ~ @ + = - in its names"
        )
    if not address.startswith("s3://"):
        filesystem, path = pafs.FileSystem.from_uri(address)
        return Folder(address, dict(options), filesystem, path)
    endpoint = options.get("AWS_ENDPOINT_URL_S3") or options.get("AWS_ENDPOINT_URL")
    known = dict(options)
    if endpoint:
        # delta-rs asks that http is allowed; who writes http:// has done so.
        known |= {"AWS_ENDPOINT_URL": endpoint}
        if endpoint.startswith("http://"):
            known.setdefault("AWS_ALLOW_HTTP", "true")
    return Folder(address, known, _s3(known), address.removeprefix("s3://"))


def _s3(options: Mapping[str, str]) -> pafs.S3FileSystem:
    names = {
        "access_key": "AWS_ACCESS_KEY_ID",
        "secret_key": "AWS_SECRET_ACCESS_KEY",
        "session_token": "AWS_SESSION_TOKEN",
        "region": "AWS_REGION",
        "endpoint_override": "AWS_ENDPOINT_URL",
    }
    given = {name: options[variable] for name, variable in names.items() if options.get(variable)}
    if "region" not in given and options.get("AWS_DEFAULT_REGION"):
        given["region"] = options["AWS_DEFAULT_REGION"]
    anonymous = options.get("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true", "yes"}
    return pafs.S3FileSystem(**given, anonymous=anonymous)
