"""Rows in every form that a body may have."""

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]
Rows = list[Row]
Headers = dict[str, str]

PARTS = ("inputs", "outputs", "keys")
TIMES = ("timestamp", "outcome_timestamp", "inputs.found", "found")
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Form:
    """A way to send rows: the bodies that hold them, and what the headers say."""

    bodies: Callable[[Rows], list[bytes]]
    headers: Headers = field(default_factory=dict)


def flat(rows: Rows) -> Rows:
    """Rows with inputs, outputs and keys side by side."""
    return [
        {name: value for name, value in row.items() if name not in PARTS}
        | {name: value for part in PARTS for name, value in row.get(part, {}).items()}
        for row in rows
    ]


def dotted(rows: Rows) -> Rows:
    """Rows with names such as `inputs.distance`."""
    return [
        {name: value for name, value in row.items() if name not in PARTS}
        | {f"{part}.{n}": v for part in PARTS for n, v in row.get(part, {}).items()}
        for row in rows
    ]


def columns(rows: Rows) -> dict[str, list[Any]]:
    return {
        name: [row.get(name) for row in rows] for name in dict.fromkeys(n for r in rows for n in r)
    }


def nested_columns(rows: Rows) -> dict[str, Any]:
    """An object of arrays, with one for each part; what never differs is said once."""
    found = columns([{n: v for n, v in row.items() if n not in PARTS} for row in rows])
    of_parts = {part: columns([row.get(part, {}) for row in rows]) for part in PARTS}
    return {
        n: v[0] if n == "model_version" and len(set(v)) == 1 else v for n, v in found.items()
    } | {part: found for part, found in of_parts.items() if found}


def mlflow(shape: str, rows: Rows, predictions: list[Any]) -> bytes:
    inputs = [row["inputs"] for row in rows]
    rest = nested_columns(
        [{n: v for n, v in r.items() if n not in ("inputs", "outputs")} for r in rows]
    )
    names = list(inputs[0])
    shapes = {
        "dataframe_records": inputs,
        "instances": inputs,
        "dataframe_split": {
            "index": list(range(len(rows))),
            "columns": names,
            "data": [[row.get(name) for name in names] for row in inputs],
        },
    }
    return dumped({shape: shapes[shape], "predictions": predictions, **rest})


def scores(rows: Rows) -> list[Any]:
    """What a model gives as an array: a number a row, or the probabilities of several classes."""
    given = [list(row["outputs"].values()) for row in rows]
    return [values[0] if len(values) == 1 else values for values in given]


def both_classes(rows: Rows) -> list[Any]:
    """What `predict_proba` of a binary model gives."""
    return [[1 - row["outputs"]["p"], row["outputs"]["p"]] for row in rows]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def lines(rows: Rows, end: bytes = b"\n") -> bytes:
    return end.join(dumped(row) for row in rows) + end


def table(rows: Rows, *, unit: str = "us") -> pa.Table:
    """Rows as Arrow, times as times."""
    arrays: dict[str, Any] = {}
    for name, values in columns(rows).items():
        if name in TIMES:
            moments = [None if v is None else datetime.fromisoformat(v) for v in values]
            arrays[name] = pa.array(moments, pa.timestamp("us", "UTC")).cast(
                pa.timestamp(unit, "UTC")
            )
        else:
            arrays[name] = pa.array(values)
    return pa.table(arrays)


def with_dictionaries(rows: pa.Table) -> pa.Table:
    """Texts as pandas writes its categories."""
    for at, column in enumerate(rows.schema):
        if pa.types.is_string(column.type):
            rows = rows.set_column(at, column.name, rows[column.name].dictionary_encode())
    return rows


def stream(rows: pa.Table, *, most: int | None = None) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=most)
    return sink.getvalue()


def parquet(rows: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, **options)
    return sink.getvalue()


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as compressing:
        compressing.write(content)
    return bytes(sink.getvalue())


def one(encoded: Callable[[Rows], bytes]) -> Callable[[Rows], list[bytes]]:
    return lambda rows: [encoded(rows)]


FORMS: dict[str, Form] = {
    "records": Form(one(dumped)),
    "one object a request": Form(lambda rows: [dumped(row) for row in rows]),
    "one flat object a request": Form(lambda rows: [dumped(row) for row in flat(rows)]),
    "flat records": Form(one(lambda rows: dumped(flat(rows)))),
    "nested columns": Form(one(lambda rows: dumped(nested_columns(rows)))),
    "dotted columns": Form(one(lambda rows: dumped(columns(dotted(rows))))),
    "flat columns": Form(one(lambda rows: dumped(columns(flat(rows))))),
    "lines": Form(one(lines), {"content-type": NDJSON}),
    "lines of Windows, with empty ones": Form(
        one(lambda rows: lines(rows, b"\r\n\r\n")), {"content-type": "application/jsonl"}
    ),
    "lines that nobody says are lines": Form(one(lines)),
    "Arrow with structs": Form(one(lambda rows: stream(table(rows))), {"content-type": ARROW}),
    "Arrow, dotted, in small batches": Form(
        one(lambda rows: stream(table(dotted(rows)), most=7)), {"content-type": ARROW}
    ),
    "Arrow, flat, nanoseconds": Form(
        one(lambda rows: stream(table(flat(rows), unit="ns"))), {"content-type": ARROW}
    ),
    "Arrow, flat, dictionaries": Form(
        one(lambda rows: stream(with_dictionaries(table(flat(rows))))), {"content-type": ARROW}
    ),
    "Arrow that nobody says is Arrow": Form(one(lambda rows: stream(table(flat(rows))))),
    "Parquet with structs": Form(one(lambda rows: parquet(table(rows))), {"content-type": PARQUET}),
    "Parquet, flat": Form(
        one(lambda rows: parquet(table(flat(rows)), row_group_size=9)), {"content-type": PARQUET}
    ),
    "Parquet that nobody says is Parquet": Form(
        one(lambda rows: parquet(table(dotted(rows)))), {"content-type": "application/octet-stream"}
    ),
    **{
        f"{shape} with named predictions": Form(
            one(lambda rows, shape=shape: mlflow(shape, rows, [row["outputs"] for row in rows]))
        )
        for shape in ("dataframe_split", "dataframe_records", "instances")
    },
    **{
        f"{shape} with predictions by place": Form(
            one(lambda rows, shape=shape: mlflow(shape, rows, scores(rows)))
        )
        for shape in ("dataframe_split", "dataframe_records", "instances")
    },
    "gzip by header": Form(
        one(lambda rows: gzip.compress(dumped(rows))), {"content-encoding": "gzip"}
    ),
    "gzip by its first bytes": Form(one(lambda rows: gzip.compress(dumped(rows)))),
    "gzip of gzip": Form(
        one(lambda rows: gzip.compress(gzip.compress(dumped(rows)))),
        {"content-encoding": "GZIP, gzip"},
    ),
    "two gzip files in one": Form(
        one(lambda rows: gzip.compress(lines(rows[:11])) + gzip.compress(lines(rows[11:]))),
        {"content-type": NDJSON},
    ),
    "Parquet in gzip": Form(one(lambda rows: gzip.compress(parquet(table(rows))))),
    "zstd by header": Form(one(lambda rows: zstd(dumped(rows))), {"content-encoding": "zstd"}),
    "zstd by its first bytes": Form(one(lambda rows: zstd(lines(rows))), {"content-type": NDJSON}),
    "Arrow in zstd": Form(
        one(lambda rows: zstd(stream(table(rows)))),
        {"content-encoding": "zstd", "content-type": ARROW},
    ),
    "what curl says": Form(one(dumped), {"content-type": "application/x-www-form-urlencoded"}),
    "text": Form(one(dumped), {"content-type": "text/plain; charset=utf-8"}),
    "some JSON": Form(one(dumped), {"content-type": "application/vnd.api+json"}),
}  # fmt: skip
