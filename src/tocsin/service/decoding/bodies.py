"""Bodies of requests: JSON in its shapes, JSON lines, Arrow streams and Parquet files."""

import gzip
import io
import re
import zlib
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.errors import BodyTooLargeError, MalformedBodyError, UnknownFormatError
from tocsin.schema import Schema, Task
from tocsin.service.decoding.given import ID_NAMES, PARTS, Columns, Given, Records
from tocsin.service.decoding.misfits import shown
from tocsin.service.decoding.values import Values

JSON, LINES, ARROW, PARQUET = "json", "ndjson", "arrow", "parquet"
# What a body may unpack to; Python objects of JSON are about ten times its size.
MOST_BYTES = 64 * 2**20
# Columns of nothing have many rows in a few bytes.
MOST_ROWS = 1_000_000
_MEDIA = {
    "application/json": JSON,
    "application/x-ndjson": LINES,
    "application/ndjson": LINES,
    "application/jsonl": LINES,
    "application/x-jsonlines": LINES,
    "application/vnd.apache.arrow.stream": ARROW,
    "application/vnd.apache.parquet": PARQUET,
    "application/x-parquet": PARQUET,
}
MEDIA_TYPES = tuple(sorted(_MEDIA))
# What clients say who do not care: the body tells.
_SILENT = frozenset(
    {"", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain"}
)
_MLFLOW = ("dataframe_split", "dataframe_records", "instances")
_TOO_LARGE = f"the body unpacks to more than {MOST_BYTES // 2**20} MiB; send it in parts"
Rows = tuple[int, dict[str, Values]]


@dataclass(frozen=True)
class Body:
    """The content of a request, with what its headers say of it."""

    content: bytes
    media_type: str = ""
    encoding: str = ""


def records_of(body: Body) -> list[Any] | Rows:
    """The records of a body, or its columns with how many rows they have.

    Raises: MalformedBodyError when it cannot be read, with the position; BodyTooLargeError;
    UnknownFormatError.
    """
    content = unpacked(body)
    form = _form(body.media_type, content)
    if not content.strip():
        raise MalformedBodyError("the body is empty; send a JSON record or an array of them", 0)
    tabular = form in (ARROW, PARQUET)
    found = _tabular(content, form) if tabular else _shaped(_json(content, form))
    _check_rows(len(found) if isinstance(found, list) else found[0])
    return found


def given(found: list[Any] | Rows, schema: Schema, what: str) -> Given:
    """Rows to be read; `what` one of them is."""
    if isinstance(found, list):
        return Records(found, schema, what)
    rows, columns = found
    return Columns(rows, _mlflow_outputs(columns, schema), schema)


def unpacked(body: Body) -> bytes:
    """The content without its compression.

    Raises: MalformedBodyError, BodyTooLargeError, UnknownFormatError.
    """
    names = [name.strip().lower() for name in body.encoding.split(",")]
    content = body.content
    for name in reversed([name for name in names if name not in ("", "identity")]):
        content = _decompressed(content, name)
    # Files that were compressed before they were sent come without a header.
    if content[:2] == b"\x1f\x8b":
        content = _decompressed(content, "gzip")
    elif content[:4] == b"\x28\xb5\x2f\xfd":
        content = _decompressed(content, "zstd")
    return content


def _check_rows(rows: int) -> None:
    if rows > MOST_ROWS:
        raise BodyTooLargeError(
            f"the body has {rows:,} rows, and one request may have {MOST_ROWS:,}; send it in parts"
        )


def _decompressed(content: bytes, name: str) -> bytes:
    if name not in ("gzip", "zstd"):
        raise UnknownFormatError(f"content encoding {name!r} is not known; use gzip or zstd")
    try:
        if name == "zstd":
            with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
                found = bytes(stream.read(MOST_BYTES + 1))
        else:
            # Of one file after another as well: parallel and appending writers make such.
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                found = stream.read(MOST_BYTES + 1)
    except EOFError as error:
        raise MalformedBodyError(f"the {name} body is cut short", len(content)) from error
    except (OSError, zlib.error, pa.ArrowInvalid) as error:
        raise MalformedBodyError(f"the body is not {name}: {error}", 0) from error
    if len(found) > MOST_BYTES:
        raise BodyTooLargeError(_TOO_LARGE)
    return found


def _form(media_type: str, content: bytes) -> str:
    name = media_type.partition(";")[0].strip().lower()
    if name in _MEDIA:
        return _MEDIA[name]
    if name not in _SILENT and not name.endswith("+json"):
        raise UnknownFormatError(
            f"content type {name!r} is not known; send one of {', '.join(MEDIA_TYPES)}"
        )
    if content[:4] == b"PAR1":
        return PARQUET
    if content[:4] == b"\xff\xff\xff\xff":
        return ARROW
    if content[:6] == b"ARROW1":
        raise UnknownFormatError("the body is an Arrow file; send an Arrow IPC stream, or Parquet")
    # Several objects, one after the other, are lines.
    return LINES if re.match(rb"\s*\{[^\n]*\}\s*\n\s*\{", content) else JSON


def _json(content: bytes, form: str) -> Any:
    try:
        if form == LINES:
            return msgspec.json.decode(b"[" + _joined(content) + b"]")
        return msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise MalformedBodyError(
            f"the body is not JSON: {error}", _position(error, content)
        ) from error
    except RecursionError as error:
        raise MalformedBodyError("the body is nested too deeply") from error
    except UnicodeDecodeError as error:
        position = _not_utf8(content)
        raise MalformedBodyError(f"the body is not UTF-8 at byte {position}", position) from error


def _joined(lines: bytes) -> bytes:
    """Lines of JSON as the elements of an array, at the same positions but for the bracket.

    Raises: MalformedBodyError for a line that is no value of its own.
    """
    position = 0
    for number, line in enumerate(lines.split(b"\n"), start=1):
        try:
            if line.strip():
                msgspec.json.decode(line, type=msgspec.Raw)
        except msgspec.DecodeError as error:
            stopped = _position(error, line)
            raise MalformedBodyError(
                f"line {number} is not JSON: {error}",
                None if stopped is None else position + stopped,
            ) from error
        position += len(line) + 1
    return b",".join(line for line in lines.split(b"\n") if line.strip())


def _position(error: msgspec.DecodeError, body: bytes) -> int | None:
    """Where the parser stopped, if it says so; at the end, when the body was cut short."""
    found = re.search(r"\(byte (\d+)\)", str(error))
    if found:
        return int(found[1])
    return len(body) if "truncated" in str(error) else None


def _not_utf8(content: bytes) -> int | None:
    """Where text ceases to be UTF-8; the parser counts from the start of a text in it."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def _shaped(parsed: Any) -> list[Any] | Rows:
    """What JSON holds: an array of records, one record, columns, or MLflow's shapes."""
    if isinstance(parsed, list):
        return parsed
    if not isinstance(parsed, dict):
        raise MalformedBodyError(
            f"the body is a JSON {type(parsed).__name__}; send a record or an array of records", 0
        )
    shape = next((name for name in _MLFLOW if name in parsed), None)
    if shape is not None:
        return _mlflow(parsed, shape)
    columns = _flat(parsed)
    if any(isinstance(parsed.get(name), str | int) for name in ID_NAMES):
        # No rows share an id: arrays in it are values of one record.
        return [parsed]
    own = (*ID_NAMES, "timestamp", "model_version", "actual_outcome", "label")
    if any(
        isinstance(values, list)
        for name, values in columns.items()
        if name in own or name.startswith(tuple(f"{part}." for part in PARTS))
    ):
        return _even(columns)
    return [parsed]


def _flat(parsed: dict[str, Any]) -> dict[str, Any]:
    """Columns with those of `inputs`, `outputs` and `keys` under dotted names."""
    found: list[tuple[str, Any]] = []
    for name, values in parsed.items():
        if name in PARTS and isinstance(values, dict):
            found += [(f"{name}.{inner}", column) for inner, column in values.items()]
        else:
            found.append((name, values))
    return _different(found)


def _different(columns: list[tuple[str, Any]]) -> dict[str, Any]:
    """Columns by name. Raises: MalformedBodyError when two have one name."""
    names = [name for name, _ in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MalformedBodyError(f"there are two columns {twice[0]!r}; send one of each name")
    return dict(columns)


def _even(columns: dict[str, Any], **known: int) -> Rows:
    """Columns of one length; single values are those of every row. known: other lengths."""
    for part in PARTS:
        if columns.get(part) is not None:
            raise MalformedBodyError(
                f"{part!r} beside columns has to be an object of arrays, not "
                f"{shown(columns[part])}; or send an array of records"
            )
    columns = {name: values for name, values in columns.items() if name not in PARTS}
    lengths = known | {n: len(values) for n, values in columns.items() if isinstance(values, list)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise MalformedBodyError(f"the columns have different lengths: {told}")
    if not lengths:
        raise MalformedBodyError("none of the columns is an array; send an array of each")
    rows = next(iter(lengths.values()))
    return rows, {
        name: values if isinstance(values, list) else [values] * rows
        for name, values in columns.items()
    }


def _mlflow(parsed: dict[str, Any], shape: str) -> Rows:
    """MLflow's shapes of inputs, with what the model gave as `predictions` beside them."""
    inputs = parsed[shape]
    rest = [(name, values) for name, values in _flat(parsed).items() if name != shape]
    if shape == "dataframe_split":
        rows, columns = _split(inputs)
        return _even(_different(rest + columns), **{shape: rows})
    if isinstance(inputs, dict):
        return _even(_different(rest + [(f"inputs.{n}", values) for n, values in inputs.items()]))
    if not isinstance(inputs, list) or any(not isinstance(row, dict) for row in inputs):
        raise MalformedBodyError(f"{shape} needs an array of objects by the names of the inputs")
    names = dict.fromkeys(name for row in inputs for name in row)
    columns = [(f"inputs.{name}", [row.get(name) for row in inputs]) for name in names]
    return _even(_different(rest + columns), **{shape: len(inputs)})


def _split(inputs: Any) -> tuple[int, list[tuple[str, Any]]]:
    """How many rows a dataframe_split has, and its columns."""
    if not isinstance(inputs, dict) or not {"columns", "data"} <= inputs.keys():
        raise MalformedBodyError("dataframe_split needs `columns` and `data`")
    names, rows = inputs["columns"], inputs["data"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MalformedBodyError("dataframe_split needs in `columns` an array of names")
    if not isinstance(rows, list) or any(
        not isinstance(row, list) or len(row) != len(names) for row in rows
    ):
        raise MalformedBodyError("dataframe_split needs in `data` rows as long as `columns`")
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return len(rows), [(f"inputs.{n}", list(c)) for n, c in zip(names, columns, strict=True)]


def _mlflow_outputs(columns: dict[str, Values], schema: Schema) -> dict[str, Values]:
    """Columns with MLflow's `predictions` as the outputs that they are."""
    values = columns.get("predictions")
    if not isinstance(values, list) or "predictions" in {f.name for f in schema.features}:
        return columns
    rest = {name: column for name, column in columns.items() if name != "predictions"}
    if values and all(isinstance(value, dict) for value in values):
        names = dict.fromkeys(name for value in values for name in value)
        return rest | {f"outputs.{name}": [v.get(name) for v in values] for name in names}
    scores = schema.scores or ((schema.score,) if schema.score else ())
    if values and scores and all(isinstance(value, list) for value in values):
        # predict_proba of a binary model gives both classes, the positive one last.
        widths = {len(value) for value in values}
        if widths == {len(scores)} or (len(scores) == 1 and widths == {2}):
            columns_of = zip(*(value[-len(scores) :] for value in values), strict=True)
            return rest | {f"outputs.{n}": list(c) for n, c in zip(scores, columns_of, strict=True)}
    name = schema.prediction or (schema.score if schema.task is Task.BINARY else None)
    return rest | {f"outputs.{name or 'predictions'}": values}


def _tabular(content: bytes, form: str) -> Rows:
    try:
        table = _table(content, form)
        # Names are looked at here for the first time, and may be no UTF-8.
        return table.num_rows, _different(_columns_of(table))
    except (pa.ArrowException, OSError, ValueError) as error:
        said = str(error).splitlines()[0]
        what = "an Arrow IPC stream" if form == ARROW else "a Parquet file"
        raise MalformedBodyError(f"the body is not {what}: {said}") from error


def _columns_of(table: pa.Table) -> list[tuple[str, Values]]:
    """The columns of a table by name; the fields of a struct `inputs` are `inputs.NAME`."""
    columns: list[tuple[str, Values]] = []
    for name, chunks in zip(table.column_names, table.columns, strict=True):
        values = chunks.combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = pa.concat_arrays(values.chunks)
        if name in PARTS and pa.types.is_struct(values.type):
            inner = [f"{name}.{field.name}" for field in values.type]
            columns += zip(inner, values.flatten(), strict=True)
        elif name in PARTS:
            raise MalformedBodyError(
                f"the column {name!r} is of type {values.type}; send a struct, or columns such as "
                f"'{name}.NAME'"
            )
        else:
            columns.append((name, values))
    return columns


def _table(content: bytes, form: str) -> pa.Table:
    """The rows of an Arrow stream or a Parquet file. Raises: BodyTooLargeError."""
    kept: list[pa.RecordBatch] = []
    size = rows = 0
    batches = (
        pa.ipc.open_stream(content) if form == ARROW else pq.ParquetFile(pa.BufferReader(content))
    )
    if form == PARQUET:
        _check_rows(batches.metadata.num_rows)
    for batch in batches if form == ARROW else batches.iter_batches():
        # Even to ask its size, what was damaged on the way would read beyond its buffers.
        batch.validate(full=True)
        kept.append(batch)
        size, rows = size + batch.nbytes, rows + batch.num_rows
        _check_rows(rows)
        # Batches may share a dictionary, which is counted once.
        if size > MOST_BYTES and pa.Table.from_batches(kept).get_total_buffer_size() > MOST_BYTES:
            raise BodyTooLargeError(_TOO_LARGE)
    return pa.Table.from_batches(kept, batches.schema if form == ARROW else batches.schema_arrow)
