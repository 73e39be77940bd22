"""What cannot be right is told: refused with its place, or in quarantine with its reason."""

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.api.formats import (
    ARROW,
    FORMS,
    NDJSON,
    PARQUET,
    dumped,
    flat,
    parquet,
    stream,
    table,
    zstd,
)
from tests.world import START, Feed, monitor_document, outcome, prediction, reference

from tocsin.api.server import application
from tocsin.app import App, opened
from tocsin.settings import Settings

GOOD = prediction("a")
JSON = dumped(GOOD)
COLUMNS = flat([GOOD])
RAW = dumped(GOOD).decode()
MB = 2**20


@dataclass
class Sent:
    """A body, what its headers say, and what has to be told of it."""

    content: bytes
    named: str
    status: int = 400
    position: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


def said(media: str) -> dict[str, str]:
    return {"content-type": media}


def packed(name: str) -> dict[str, str]:
    return {"content-encoding": name}


def with_column(name: str, values: pa.Array) -> bytes:
    """A good row as an Arrow stream, but for one column."""
    rows = table(COLUMNS)
    if name in rows.column_names:
        rows = rows.drop_columns([name])
    return stream(rows.append_column(name, values))


def of_two(names: list[str]) -> pa.StructArray:
    return pa.StructArray.from_arrays([pa.array([0.5]), pa.array([0.6])], names)


def corrupt(content: bytes, start: int, end: int) -> bytes:
    found = bytearray(content)
    found[start:end] = b"\xff" * len(found[start:end])
    return bytes(found)


ROWS = table(COLUMNS)
ARROW_FILE = pa.BufferOutputStream()
with pa.ipc.new_file(ARROW_FILE, ROWS.schema) as writer:
    writer.write_table(ROWS)
FOOTER = len(parquet(ROWS))

# Nothing of these is taken: the whole body is refused.
REFUSED: dict[str, Sent] = {
    "nothing": Sent(b"", "empty", position=0),
    "nothing but blanks": Sent(b" \r\n\t", "empty", position=0),
    "nothing in gzip": Sent(gzip.compress(b""), "empty", position=0),
    "half an object": Sent(JSON[:-1], "truncated", position=len(JSON) - 1),
    "a missing comma": Sent(b'[{"a": 1} {"a": 2}]', "malformed", position=10),
    "two objects in one line": Sent(JSON + JSON, "trailing"),
    "a number": Sent(b"12", "a JSON int", position=0),
    "a text": Sent(b'"a"', "a JSON str", position=0),
    "null": Sent(b"null", "a JSON NoneType", position=0),
    "NaN": Sent(RAW.replace("0.5", "NaN").encode(), "malformed", position=RAW.index("0.5")),
    "Infinity": Sent(RAW.replace("0.5", "Infinity").encode(), "invalid", position=RAW.index("0.5")),
    "a float beyond doubles": Sent(RAW.replace("0.5", "1e400").encode(), "out of range"),
    "an integer of 5000 digits": Sent(RAW.replace("0.5", "1" * 5000).encode(), "out of range"),
    "half a surrogate pair": Sent(
        RAW.replace('"AA"', '"\\ud800"').encode(), "surrogate", position=RAW.index('"AA"') + 7
    ),
    "a body nested deeply": Sent(b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "a value nested deeply": Sent(
        RAW.replace("0.5", "[" * 5000 + "]" * 5000).encode(), "nested too deeply"
    ),
    "Latin-1": Sent(
        RAW.replace("AA", "é").encode("latin-1"), "UTF-8 at byte", position=RAW.index("AA")
    ),
    "UTF-16": Sent(RAW.encode("utf-16"), "invalid character", position=0),
    "a byte order mark": Sent(b"\xef\xbb\xbf" + JSON, "invalid character", position=0),
    "a line cut short": Sent(
        JSON + b"\n" + JSON[:-3], "line 2", position=2 * len(JSON) - 2, headers=said(NDJSON)
    ),
    "a line that closes what another opened": Sent(
        b'{"a": [1\n2]}', "line 1", position=8, headers=said(NDJSON)
    ),
    "gzip cut short": Sent(gzip.compress(JSON)[:-5], "gzip body is cut short"),
    "gzip of which only the head came": Sent(gzip.compress(JSON)[:8], "gzip body is cut short"),
    "gzip with a wrong sum": Sent(corrupt(gzip.compress(JSON), -8, -4), "not gzip: CRC"),
    "a second gzip file cut short": Sent(
        gzip.compress(JSON) + gzip.compress(JSON)[:-5], "gzip body is cut short"
    ),
    "gzip and something after it": Sent(gzip.compress(JSON) + b"more", "not gzip"),
    "what is not gzip but is said to be": Sent(JSON, "not gzip", headers=packed("gzip")),
    "gzip that is said to be gzip twice": Sent(
        gzip.compress(JSON), "not gzip", headers=packed("gzip, gzip")
    ),
    "a gzip bomb": Sent(gzip.compress(b" " * 65 * MB), "64 MiB; send it in parts", 413),
    "a gzip bomb in gzip": Sent(
        gzip.compress(gzip.compress(b" " * 65 * MB)), "64 MiB", 413, headers=packed("gzip")
    ),
    "a zstd bomb": Sent(zstd(b" " * 65 * MB), "64 MiB", 413, headers=packed("zstd")),
    "a body that is too large": Sent(b" " * 65 * MB, "64 MiB; send it in parts", 413),
    "zstd garbage": Sent(b"\x28\xb5\x2f\xfdgarbage", "not zstd"),
    "zstd cut short": Sent(zstd(JSON * 50)[:-8], "not zstd: Truncated"),
    "what is not zstd but is said to be": Sent(JSON, "not zstd", headers=packed("zstd")),
    "an encoding nobody reads": Sent(JSON, "'br' is not known; use", 415, headers=packed("br")),
    "deflate": Sent(JSON, "'deflate' is not known", 415, headers=packed("deflate")),
    "CSV": Sent(b"a,b\n1,2\n", "'text/csv' is not known; send", 415, headers=said("text/csv")),
    "a picture": Sent(JSON, "'image/png' is not known", 415, headers=said("image/png")),
    "a form": Sent(JSON, "'multipart/form-data'", 415, headers=said("multipart/form-data; b=x")),
    "no media type at all": Sent(JSON, "'x' is not known", 415, headers=said("x")),
    "JSON that is said to be Arrow": Sent(JSON, "not an Arrow IPC stream", headers=said(ARROW)),
    "JSON that is said to be Parquet": Sent(JSON, "not a Parquet file", headers=said(PARQUET)),
    "Arrow cut short": Sent(stream(ROWS)[:-60], "not an Arrow IPC stream: Expected"),
    "Arrow without its schema": Sent(stream(ROWS)[:200], "not an Arrow IPC stream"),
    "four bytes of Arrow": Sent(b"\xff\xff\xff\xff", "not an Arrow IPC stream"),
    "an Arrow file": Sent(
        ARROW_FILE.getvalue().to_pybytes(), "not an Arrow IPC stream", headers=said(ARROW)
    ),
    "Arrow with a column twice": Sent(
        stream(pa.Table.from_arrays([ROWS["p"], ROWS["p"]], ["p", "p"])), "two columns 'p'"
    ),
    "a struct with a field twice": Sent(with_column("outputs", of_two(["p", "p"])), "'outputs.p'"),
    "a struct and a column of one field": Sent(
        stream(ROWS.append_column("keys", pa.array([{"a": "x"}])).append_column("keys.a", [["y"]])),
        "two columns 'keys.a'; send one of each name",
    ),
    "a field whose name is no UTF-8": Sent(
        with_column("inputs", pa.array([{"wxyz": 1}])).replace(b"wxyz", b"w\xff\xfez"), "Arrow"
    ),
    "a column whose name is no UTF-8": Sent(
        with_column("wxyz", pa.array([1])).replace(b"wxyz", b"w\xff\xfez"), "Arrow"
    ),
    "inputs that are a map": Sent(
        with_column("inputs", pa.array([[("distance", 1)]], pa.map_(pa.string(), pa.int64()))),
        "'inputs' is of type map<string, int64>; send a struct",
    ),
    "outputs that are a list": Sent(with_column("outputs", pa.array([[0.5]])), "send a struct"),
    "Parquet cut short": Sent(parquet(ROWS)[:-20], "not a Parquet file: Parquet magic bytes"),
    "Parquet with a corrupt footer": Sent(
        corrupt(parquet(ROWS), FOOTER - 30, FOOTER - 8), "not a Parquet file"
    ),
    "Parquet with corrupt pages": Sent(corrupt(parquet(ROWS), 60, 120), "not a Parquet file"),
    "Parquet with an encrypted footer": Sent(parquet(ROWS)[:-4] + b"PARE", "encrypted"),
    "58 kB of Parquet with 30 million rows": Sent(
        parquet(pa.table({"prediction_id": pa.nulls(30_000_000, pa.string())})),
        "30,000,000 rows, and one request may have 1,000,000; send it in parts",
        413,
    ),
    "Arrow with a million rows of nothing": Sent(
        stream(pa.table({"p": pa.nulls(1_000_001)})), "1,000,001 rows", 413
    ),
    "a million rows of JSON": Sent(b"[" + b"0," * 1_000_000 + b"0]", "1,000,001 rows", 413),
    "Parquet that unpacks to 80 MB": Sent(
        parquet(pa.table({"prediction_id": pa.repeat("x" * 100, 800_000)})), "64 MiB", 413
    ),
    "columns of different lengths": Sent(
        dumped({"inputs": {"distance": [1, 2]}, "outputs": {"p": [0.5]}}),
        "different lengths: inputs.distance 2, outputs.p 1",
    ),
    "columns and an array of objects": Sent(
        dumped({"prediction_id": ["a"], "inputs": [{"distance": 1}]}), "an object of arrays"
    ),
    "columns and a number of inputs": Sent(
        dumped({"prediction_id": ["a"], "keys": 5}), "an object of arrays, not 5"
    ),
    "columns of one name": Sent(
        dumped({"p": [0.5], "inputs": {"a": [1]}, "inputs.a": [2]}), "two columns 'inputs.a'"
    ),
    "instances that are numbers": Sent(dumped({"instances": [1, 2]}), "instances needs an array"),
    "instances that are nothing": Sent(dumped({"instances": None}), "instances needs an array"),
    "instances without arrays": Sent(dumped({"instances": {"a": 1}}), "send an array of each"),
    "more predictions than instances": Sent(
        dumped({"instances": [{"distance": 1}], "predictions": [0.1, 0.2]}),
        "different lengths: instances 1, predictions 2",
    ),
    "a dataframe_split without data": Sent(
        dumped({"dataframe_split": {"columns": ["a"]}}), "needs `columns` and `data`"
    ),
    "a dataframe_split of a number of columns": Sent(
        dumped({"dataframe_split": {"columns": 5, "data": []}}), "an array of names"
    ),
    "a dataframe_split with a short row": Sent(
        dumped({"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [1]]}}),
        "rows as long as `columns`",
    ),
    "a dataframe_split with a column twice": Sent(
        dumped({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}), "two columns"
    ),
}  # fmt: skip


def changed(**fields: Any) -> dict[str, Any]:
    return {**GOOD, **fields}


def of_type(name: str, values: Any, kind: pa.DataType | None = None) -> bytes:
    return with_column(name, pa.array(values, kind) if not isinstance(values, pa.Array) else values)


def far(unit: str, value: int = 2**62, zone: str | None = "UTC") -> pa.Array:
    return pa.array([value]).cast(pa.timestamp(unit, zone))


LISTS = ROWS.drop_columns(["distance"]).append_column("distance", pa.array([[1.0]]))
FAR_DATE = pa.array([2**31 - 1], pa.int32()).cast(pa.date32())
NAIVE = START.replace(tzinfo=None)
# One row each that does not fit.
MISFITS: dict[str, tuple[bytes, str]] = {
    "an integer of 400 digits": (RAW.replace("1000.0", "1" * 400).encode(), "is too large"),
    "a number as text": (dumped(prediction("a", p="0.5")), 'expected a number, not "0.5"'),
    "a boolean as a number": (dumped(prediction("a", distance=True)), "a number, not true"),
    "a null for a score": (dumped(prediction("a", p=None)), "outputs.p is missing"),
    "a list for a number": (dumped(prediction("a", distance=[[None]])), "not [[null]]"),
    "an object for a category": (dumped(prediction("a", carrier={"a": None})), "expected text"),
    "nested 900 deep": (RAW.replace("0.5", "[" * 900 + "]" * 900).encode(), "expected a number"),
    "an id of 129 characters": (dumped(prediction("x" * 129)), "129 characters, at most 128"),
    "an id of nothing": (dumped(prediction("")), 'prediction_id has to be text, not ""'),
    "an id that is a list": (dumped([changed(prediction_id=["a"])]), "has to be text"),
    "an id that is a fraction": (dumped(changed(prediction_id=1.5)), "has to be text, not 1.5"),
    "a time without a zone": (dumped(changed(timestamp="2013-05-01T00:00:00")), "end it with Z"),
    "a date": (dumped(changed(timestamp="2013-05-01")), "no time zone"),
    "a time in the future": (dumped(changed(timestamp="2999-01-01T00:00:00Z")), "in the future"),
    "a time of 1969": (dumped(changed(timestamp="1969-12-31T23:59:59Z")), "is before 1970"),
    "a time of the year 10000": (dumped(changed(timestamp="10000-01-01T00:00:00Z")), "ISO 8601"),
    "a time of the year 0": (dumped(changed(timestamp="0000-01-01T00:00:00Z")), "beyond the years"),
    "a second of 60": (dumped(changed(timestamp="2013-05-01T23:59:60Z")), "not ISO 8601"),
    "seconds since 1970": (dumped(changed(timestamp=1367366400)), "has to be ISO 8601 text"),
    "an outcome of the year 0": (
        dumped(changed(actual_outcome=1, outcome_timestamp="0000-01-01T00:00:00Z")),
        "outcome_timestamp is beyond the years 1 to 9999",
    ),
    "an outcome of the future": (
        dumped(changed(actual_outcome=1, outcome_timestamp="9999-12-31T00:00:00Z")),
        "in the future",
    ),
    "an outcome of a wrong class": (dumped(changed(actual_outcome=2)), "none of the classes 0, 1"),
    "a version that is an object": (dumped(changed(model_version={})), "has to be text, not {}"),
    "a probability of 1.5": (dumped(prediction("a", p=1.5)), "1.5 is not a probability in [0, 1]"),
    "nothing": (b"{}", "inputs has to be an object, not null"),
    "no outputs": (dumped({"inputs": {"distance": 1}}), "outputs is missing"),
    "inputs in an array": (dumped(changed(inputs=[1])), "inputs has to be an object, not [1]"),
    "a key that is an object": (dumped(changed(keys={"customer": {}})), "keys.customer: expected"),
    "predictions of three classes of two": (
        dumped({"instances": [{"distance": 1}], "predictions": [[0.1, 0.2, 0.7]]}),
        "expected a number, not [0.1,0.2,0.7]",
    ),
    "Arrow: infinity for a score": (of_type("p", [float("inf")]), "inf is not a probability"),
    "Arrow: NaN for a score": (of_type("p", [float("nan")]), "nan is not a probability"),
    "Arrow: text for a number": (of_type("distance", ["far"]), "expected a number, not"),
    "Arrow: a boolean for a number": (of_type("distance", [True]), "expected a number, not true"),
    "Arrow: bytes for text": (of_type("carrier", [b"\xff"]), "expected text"),
    "Arrow: bytes for an id": (of_type("prediction_id", [b"a"]), "has to be text"),
    "Arrow: a dictionary with a null": (
        of_type("p", pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([None], pa.float64()))),
        "outputs.p is missing",
    ),
    "Arrow: a time without a zone": (of_type("timestamp", [NAIVE]), "no time zone"),
    "Arrow: a number for a time": (of_type("timestamp", [1]), "has to be ISO 8601 text, not 1"),
    "Arrow: a date": (of_type("timestamp", [100], pa.date32()), "has to be ISO 8601 text"),
    "Arrow: seconds that wrap around to 1970": (of_type("timestamp", far("s", 2**58)), "timestamp"),
    "Arrow: microseconds of the year 146108": (of_type("timestamp", far("us")), "beyond the years"),
    "Arrow: a feature of the year 146108": (of_type("seen", far("us")), "inputs.seen is beyond"),
    "Arrow: a decimal beyond doubles": (
        of_type("p", [Decimal(10) ** 70], pa.decimal256(76, 0)), "is not a probability",
    ),
    "Arrow: a union": (
        of_type("distance", pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array(["x"])])),
        "expected a number",
    ),
    "Arrow: an empty id": (of_type("prediction_id", [""]), "has to be text"),
    "Arrow: no outputs": (stream(ROWS.drop_columns(["p"])), "outputs.p is missing"),
    "Parquet: a list for a number": (
        parquet(LISTS), "expected a number",
    ),
}  # fmt: skip

MISFITS["columns beside a part that is null"] = (
    dumped({"inputs.distance": [1], "inputs": None}),
    "outputs.p is missing",
)
BAD_OUTCOMES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"[{}]", "an outcome has to say whose it is"),
    "nobody's": (dumped({"actual_outcome": 1}), "prediction_id or customer is missing"),
    "without an outcome": (dumped({"prediction_id": "a"}), "actual_outcome is missing"),
    "of a wrong class": (dumped(outcome("a", "maybe")), '"maybe" is none of the classes 0, 1'),
    "of a fraction": (dumped(outcome("a", 0.5)), "0.5 is none of the classes"),
    "deleted: yes": (dumped({**outcome("a", 1), "deleted": "yes"}), "true or false, not"),
    "deleted: 2": (dumped({**outcome("a", 1), "deleted": 2}), "true or false, not 2"),
    "of 1969": (dumped({**outcome("a", 1), "timestamp": "1969-01-01T00:00:00Z"}), "before 1970"),
    "an object": (dumped(outcome("a", {"late": 1})), 'is none of the classes'),
    "Arrow: a far date": (
        stream(pa.table({"prediction_id": ["a"], "late": FAR_DATE})),
        "late: ",
    ),
    "columns: a null id": (dumped({"prediction_id": [None], "label": [1]}), "whose it is"),
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, TestClient]]:
    folder = tmp_path_factory.mktemp("malformed")
    document = monitor_document(join={"on": ["customer"], "within": "30h"})
    document["schema"]["features"].append({"name": "seen", "kind": "datetime"})
    rows = reference(200)
    rows = rows.append_column("seen", pa.array([START] * 200, pa.timestamp("us", "UTC")))
    with opened(Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)) as app:
        app.register.add("late", document, rows)
        yield app, TestClient(application(app))
        # None of it may stop the fold, or keep anybody from looking at what came.
        Feed(app, "late").work()
        with TestClient(application(app)) as client:
            assert client.get("/api/v1/models/late/quarantine?limit=10000").status_code == 200
            assert client.get("/api/v1/models/late/quarantine/reasons").status_code == 200


def counted(app: App) -> tuple[int, int]:
    """How many rows were ever accepted and quarantined."""
    found = app.read.summary("late")
    return found.get("predictions", 0) + found.get("outcomes", 0), found.get("quarantined", 0)


@pytest.mark.parametrize("kind", ["predictions", "outcomes"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_body_that_cannot_be_read_is_refused_whole_with_what_is_wrong(
    served: tuple[App, TestClient], kind: str, name: str
) -> None:
    app, client = served
    sent, before = REFUSED[name], counted(app)
    answer = client.post(f"/api/v1/models/late/{kind}", content=sent.content, headers=sent.headers)

    assert answer.status_code == sent.status, answer.text
    error = answer.json()["error"]
    assert sent.named in error["message"]
    if sent.position is not None:
        assert error["position"] == sent.position
    assert counted(app) == before


@pytest.mark.parametrize(
    ("kind", "name"),
    [("predictions", name) for name in MISFITS] + [("outcomes", name) for name in BAD_OUTCOMES],
)
def test_a_row_that_does_not_fit_is_quarantined_with_the_reason(
    served: tuple[App, TestClient], kind: str, name: str
) -> None:
    app, client = served
    body, reason = (MISFITS if kind == "predictions" else BAD_OUTCOMES)[name]
    accepted, quarantined = counted(app)
    answer = client.post(f"/api/v1/models/late/{kind}", content=body)

    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["accepted"], told["quarantined"]) == (0, 1)
    assert reason in told["reasons"][0]["reason"]
    assert counted(app) == (accepted, quarantined + 1)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"prediction_id": []}',
        b'{"instances": [], "predictions": []}',
        b'{"dataframe_records": []}',
        b'{"dataframe_split": {"columns": [], "data": []}}',
        stream(ROWS.slice(0, 0)),
        stream(pa.table({})),
        parquet(ROWS.slice(0, 0)),
    ],
)
def test_no_rows_are_no_fault(served: tuple[App, TestClient], body: bytes) -> None:
    for kind in ("predictions", "outcomes"):
        answer = served[1].post(f"/api/v1/models/late/{kind}", content=body)
        assert answer.status_code == 202, answer.text
        assert (answer.json()["accepted"], answer.json()["quarantined"]) == (0, 0)


TYPES: dict[str, pa.Array] = {
    "seconds of a far year": far("s", 2**58),
    "microseconds of a far year": far("us"),
    "microseconds of long ago": far("us", -(2**62)),
    "a far year without a zone": far("us", zone=None),
    "a zone that is not": far("us", 1, "Mars/Phobos"),
    "nanoseconds": far("ns", 1_367_366_400_000_000_001),
    "date": pa.array([100], pa.date32()),
    "far date": FAR_DATE,
    "date of milliseconds": pa.array([0], pa.date64()),
    "time": pa.array([1], pa.time64("ns")),
    "far duration": pa.array([2**62]).cast(pa.duration("s")),
    "interval": pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
    "boolean": pa.array([True]),
    "unsigned": pa.array([2**64 - 1], pa.uint64()),
    "half": pa.array([0.5], pa.float16()),
    "NaN": pa.array([float("nan")]),
    "infinity": pa.array([float("-inf")]),
    "decimal": pa.array([Decimal("0.50")]),
    "large decimal": pa.array([Decimal(10) ** 70], pa.decimal256(76, 0)),
    "bytes": pa.array([b"\xff\xfe"]),
    "bytes of a width": pa.array([b"abcd"], pa.binary(4)),
    "view of bytes": pa.array([b"\xff"], pa.binary_view()),
    "view of text": pa.array(["x"], pa.string_view()),
    "large text": pa.array(["x"], pa.large_string()),
    "null": pa.nulls(1),
    "dictionary of texts": pa.array(["x"]).dictionary_encode(),
    "dictionary of numbers": pa.array([0.5]).dictionary_encode(),
    "dictionary of nulls": pa.array([None], pa.string()).dictionary_encode(),
    "list": pa.array([[1.0]]),
    "list of far times": pa.array([[2**62]]).cast(pa.list_(pa.timestamp("us"))),
    "view of a list": pa.array([[1]], pa.list_view(pa.int64())),
    "struct": pa.array([{"a": {"b": [None]}}]),
    "null struct": pa.array([None], pa.struct([("distance", pa.float64())])),
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    "map of bytes": pa.array([[(b"\xff", 1)]], pa.map_(pa.binary(), pa.int64())),
    "sparse union": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
    "dense union": pa.UnionArray.from_dense(
        pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array(["x"])]
    ),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["x"])),
    "uuid": pa.array([b"0123456789abcdef"], pa.uuid()),
    "JSON": pa.array(['{"a": 1}'], pa.json_()),
}
PLACES = [
    *("prediction_id", "timestamp", "model_version", "p", "distance", "carrier", "seen"),
    *("customer", "anything", "inputs", "outputs", "keys", "actual_outcome", "outcome_timestamp"),
    *("deleted", "inputs.distance", "label", "request_id"),
]


@pytest.mark.parametrize("kind", ["predictions", "outcomes"])
@pytest.mark.parametrize("name", TYPES)
def test_a_column_of_any_type_at_any_place_is_taken_or_told(
    served: tuple[App, TestClient], kind: str, name: str
) -> None:
    client = served[1]
    for place in PLACES:
        body = with_column(place, TYPES[name])
        answer = client.post(f"/api/v1/models/late/{kind}", content=body)
        if answer.status_code == 400:
            assert place in answer.json()["error"]["message"]
            continue
        assert answer.status_code == 202, (place, answer.text)
        told = answer.json()
        assert told["accepted"] + told["quarantined"] == 1, place
        assert told["quarantined"] == len(told["reasons"])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "AA", "0", "1", "true", "2013-05-01T00:00:00Z", "\0", "\u2028"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["distance", "p", "customer", "columns", "data", "a"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [*PLACES, "predictions", "instances", "dataframe_split", "dataframe_records", "late"]
)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["predictions", "outcomes"]),
    record=st.dictionaries(NAMES, VALUES, max_size=5),
    more=st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=2),
)
def test_whatever_json_comes_is_counted_or_refused(
    served: tuple[App, TestClient], kind: str, record: dict[str, Any], more: list[dict[str, Any]]
) -> None:
    client = served[1]
    body = [record, *more] if more else record
    answer = client.post(f"/api/v1/models/late/{kind}", content=json.dumps(body))

    assert answer.status_code in (202, 400), answer.text
    if answer.status_code == 202 and more:
        told = answer.json()
        assert told["accepted"] + told["quarantined"] == len(body)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(name for name in FORMS if "request" not in name)),
    chance=st.randoms(use_true_random=False),
)
def test_bytes_that_were_damaged_on_the_way_hurt_nobody_else(
    served: tuple[App, TestClient], name: str, chance: random.Random
) -> None:
    client, form = served[1], FORMS[name]
    (body,) = form.bodies([prediction(f"d{i}") for i in range(15)])
    damaged = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    damaged = damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])]
    answer = client.post(
        "/api/v1/models/late/predictions", content=bytes(damaged), headers=form.headers
    )
    assert answer.status_code in (202, 400, 413), answer.text
    good = client.post("/api/v1/models/late/predictions", content=dumped(prediction("good")))
    assert good.json()["accepted"] == 1


def test_rows_nested_deeply_are_kept_as_far_as_anybody_can_read(feed: Feed) -> None:
    client = TestClient(application(feed.app))
    for levels in (50, 500, 980, 985, 990):
        deep = "[" * levels + "]" * levels
        body = RAW.replace("0.5", deep).replace('"carrier"', f'"more": {deep}, "carrier"')
        answer = client.post("/api/v1/models/late/predictions", content=body)
        assert answer.status_code in (202, 400), answer.text
    feed.work()

    kept = client.get("/api/v1/models/late/quarantine").json()
    assert len(kept) >= 3
    for row in kept:
        assert row["row"]["inputs"]["carrier"] == "AA"
    assert json.loads("[" * 50 + "]" * 50) in [row["row"]["outputs"]["p"] for row in kept]
    assert "(nested too deeply)" in json.dumps(kept)
    assert feed.app.quarantine.replay("late").kept == len(kept)
    feed.app.erase.erase("late", prediction_ids=["a"])
    feed.work()
    assert client.get("/api/v1/models/late/quarantine").json() == []
