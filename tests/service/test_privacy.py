"""Personal data is in no file when it is hashed or dropped, and in none after it is erased."""

import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient
from tests.api.formats import FORMS, Form, dumped, one, stream
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.api.server import application
from tocsin.app import App, opened
from tocsin.errors import UnavailableError
from tocsin.settings import Settings

PLAIN = "plain-"
# Of each kind: a feature, a key, an input that the schema does not know, an id.
HASHED = ["carrier", "customer", "mail", "request_id"]
DROPPED = ["note"]
PRIVACY = {"hash": HASHED, "drop": DROPPED}


def document() -> dict[str, Any]:
    return monitor_document(join={"on": ["customer"], "within": "30h"}, privacy=PRIVACY)


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A prediction that is full of personal data."""
    found = prediction(
        f"{PLAIN}id-{number}",
        carrier=f"{PLAIN}carrier-{number % 3}",
        distance=float(number),
        keys={"customer": f"{PLAIN}customer-{number % 4}"},
    )
    found["inputs"] |= {"mail": f"{PLAIN}mail-{number}", "note": f"{PLAIN}note-{number}"}
    return {**found, **changes}


def told(number: int) -> dict[str, Any]:
    return outcome(f"{PLAIN}id-{number}", number % 2, timestamp=START + HOUR)


def holding(folder: Path, text: str) -> list[str]:
    """The files in a folder that have a text anywhere, as bytes or in the columns of Parquet."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        said = path.read_bytes()
        if path.suffix == ".parquet":
            said += str(pq.ParquetFile(path).read().to_pydict()).encode()
        if text.encode() in said:
            found.append(str(path.relative_to(folder)))
    return found


MISFITTING: dict[str, Form] = {
    "rows that do not fit": Form(
        one(lambda rows: dumped([{**row, "outputs": {"p": "high"}} for row in rows]))
    ),
    "rows with personal data where it does not belong": Form(
        one(
            lambda rows: dumped(
                [{**row, "inputs": [row["inputs"]], "rows": [{"a": row["keys"]}]} for row in rows]
            )
        )
    ),
    "rows that are no objects": Form(one(lambda rows: dumped([[row] for row in rows]))),
    "Arrow with personal data where it does not belong": Form(
        one(
            lambda rows: stream(
                pa.table(
                    {
                        "prediction_id": [row["prediction_id"] for row in rows],
                        "people": [{"mail": {"mail": row["inputs"]["mail"]}} for row in rows],
                        "lists": [[{"note": row["inputs"]["note"]}] for row in rows],
                        "maps": pa.array(
                            [[("customer", row["keys"]["customer"])] for row in rows],
                            pa.map_(pa.string(), pa.string()),
                        ),
                    }
                )
            )
        )
    ),
    "predictions that name somebody": Form(
        one(
            lambda rows: dumped(
                {
                    "instances": [{"carrier": row["inputs"]["carrier"]} for row in rows],
                    "predictions": [{"mail": row["inputs"]["mail"]} for row in rows],
                }
            )
        )
    ),
}


@pytest.mark.parametrize("name", [*FORMS, *MISFITTING])
def test_nothing_of_the_plain_value_is_in_any_file(app: App, name: str) -> None:
    known = reference(60)
    carriers = pa.array([f"{PLAIN}carrier-{i % 3}" for i in range(60)])
    app.register.add(
        "late", document(), known.set_column(1, "carrier", carriers).append_column("note", carriers)
    )
    client, form = TestClient(application(app)), {**FORMS, **MISFITTING}[name]
    rows = [row(number) for number in range(12)]
    answers = [
        client.post("/api/v1/models/late/predictions", content=body, headers=form.headers)
        for body in form.bodies(rows)
    ]
    assert holding(app.settings.data, PLAIN) == []
    feed = Feed(app, "late")
    feed.outcomes(*(told(number) for number in range(12)))
    feed.outcomes({"mail": f"{PLAIN}mail-1", "request_id": f"{PLAIN}id-1", "label": "x"})
    feed.work()

    assert all(answer.status_code == 202 for answer in answers)
    assert not any(PLAIN in answer.text for answer in answers)
    assert holding(app.settings.data, PLAIN) == []
    counted = client.get("/api/v1/models/late/summary").json()
    if name in FORMS:
        # The same values have the same hashes: outcomes and categories are found by them.
        assert (feed.total("n"), feed.total("labelled"), counted["quarantined"]) == (12, 12, 1)
    else:
        assert counted["quarantined"] == 13
        assert PLAIN not in client.get("/api/v1/models/late/quarantine").text


def test_what_is_hashed_can_be_erased_by_its_plain_value(app: App) -> None:
    app.register.add("late", document(), reference(60))
    feed = Feed(app, "late")
    feed.predictions(row(0), row(1), row(2))
    feed.work()
    app.erase.erase("late", prediction_ids=[f"{PLAIN}id-0"])
    app.erase.erase("late", keys=[{"customer": f"{PLAIN}customer-1"}])
    feed.work()

    assert feed.total("n") == app.rebuild.rebuild("late") == 1
    assert holding(app.settings.data, PLAIN) == []


GONE = "gone-"


def people(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Predictions and outcomes of several people, some of whom want to be forgotten."""
    chance = random.Random(seed)
    predictions, outcomes = [], []
    for i in range(120):
        who = chance.choice(["anna", "ben", f"{GONE}one", f"{GONE}two"])
        at = START + HOUR * chance.randrange(100)
        name = f"{who}-{i}"
        bad = {"outputs": {"p": "high"}} if chance.random() < 0.15 else {}
        made = prediction(name, timestamp=at, customer=who, distance=float(i), carrier=who) | bad
        made["inputs"]["note"] = f"written by {who}"
        if chance.random() < 0.2:
            made["actual_outcome"] = 1
        predictions.append(made)
        told = outcome(name, i % 2, timestamp=at + HOUR * chance.randrange(1, 20))
        if chance.random() < 0.3:
            told = {**told, "prediction_id": None, "customer": who}
        if chance.random() < 0.8:
            outcomes.append(told)
        if chance.random() < 0.1:
            outcomes.append({**told, "actual_outcome": f"maybe, says {who}"})
    return predictions, outcomes


def sent(folder: Path, seed: int, *, erased: str | None) -> tuple[dict[Any, Any], list[str]]:
    """The profiles of a world, and the files that still name somebody who is to be forgotten.

    erased: by `ids`, by `keys`, or with None, in a world that never knew them.
    """
    predictions, outcomes = people(seed)
    if erased is None:
        predictions = [row for row in predictions if GONE not in row["customer"]]
        outcomes = [row for row in outcomes if GONE not in json.dumps(row)]
    with opened(Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)) as app:
        document = monitor_document(join={"on": ["customer"], "within": "15h"})
        app.register.add("late", document, reference(100))
        feed = Feed(app, "late")
        for start in range(0, len(predictions), 25):
            feed.predictions(*predictions[start : start + 25])
            feed.outcomes(*outcomes[start : start + 25])
            feed.work()
        feed.outcomes(*outcomes[len(predictions) // 25 * 25 + 25 :])
        feed.work()
        if erased == "ids":
            # Outcomes that are joined by keys name nobody else: they go by keys.
            ids = [row["prediction_id"] for row in predictions if GONE in row["customer"]]
            app.erase.erase("late", prediction_ids=ids)
        if erased is not None:
            customers = [{"customer": f"{GONE}one"}, {"customer": f"{GONE}two"}]
            app.erase.erase("late", keys=customers)
        feed.work()
        app.rebuild.rebuild("late")
        return feed.profiles(), holding(folder, GONE)


@pytest.mark.parametrize("erased", ["ids", "keys"])
def test_after_an_erasure_all_is_as_if_they_had_never_been(tmp_path: Path, erased: str) -> None:
    found, files = sent(tmp_path / "erased", seed=3, erased=erased)
    expected, _ = sent(tmp_path / "never", seed=3, erased=None)

    # While the server runs: neither in pages that SQLite no longer uses nor in its log.
    assert files == []
    assert found.keys() == expected.keys()
    for key, vector in expected.items():
        np.testing.assert_allclose(found[key], vector, rtol=1e-9, atol=1e-9)


def test_erasing_ids_leaves_nothing_of_them_in_any_file(feed: Feed) -> None:
    feed.predictions(
        *(prediction(f"p{i}") for i in range(30)),
        prediction(f"{GONE}a", carrier=f"{GONE}carrier"),
        prediction(f"{GONE}b", p=9),
        {**prediction("x"), "prediction_id": None, "inference_id": f"{GONE}c", "outputs": {}},
    )
    app = feed.app
    app.ingest.accept("late", "predictions", dumped([[{"rows": [prediction(f"{GONE}b")]}]]))
    feed.outcomes(outcome(f"{GONE}a", 1), outcome(f"{GONE}a", "maybe"), outcome(f"{GONE}d", 1))
    feed.work()
    assert holding(feed.app.settings.data, GONE) != []

    feed.app.erase.erase("late", prediction_ids=[f"{GONE}{letter}" for letter in "abcd"])
    feed.work()
    assert holding(feed.app.settings.data, GONE) == []
    assert feed.total("n") == 30


def test_an_erasure_is_not_done_while_somebody_reads_what_was_before(feed: Feed) -> None:
    feed.predictions(prediction(f"{GONE}a"))
    feed.work()
    feed.app.erase.erase("late", prediction_ids=[f"{GONE}a"])
    reader = sqlite3.connect(feed.app.settings.data / "records.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM inbox").fetchall()
    with pytest.raises(ExceptionGroup) as told:
        feed.app.worker.work()
    assert told.group_contains(UnavailableError, match="end long reads of records.db")
    reader.close()

    feed.work()
    assert holding(feed.app.settings.data, GONE) == []
    assert feed.total("n") == 0


def test_keys_that_are_numbers_are_erased_however_they_were_written(app: App) -> None:
    app.register.add(
        "late", monitor_document(join={"on": ["customer"], "within": "9h"}), reference(100)
    )
    feed = Feed(app, "late")
    feed.predictions(
        *(prediction(f"a{i}", customer=kind) for i, kind in enumerate((17, 17.0, "17", 18))),
        *(prediction(f"b{i}", customer=kind, p=9) for i, kind in enumerate((17, 17.0, "17", 18))),
    )
    feed.work()
    app.erase.erase("late", keys=[{"customer": "17"}])
    feed.work()

    assert feed.total("n") == 1
    assert [row["row"]["customer"] for row in app.quarantine.rows("late")] == [18]


def test_keys_of_others_that_look_alike_together_are_not_erased(app: App) -> None:
    document = monitor_document(join={"on": ["shop", "customer"], "within": "9h"})
    app.register.add("late", document, reference(100))
    feed = Feed(app, "late")
    keys = [("a\x1f", "b"), ("a", "\x1fb"), ("a\x1e1", "b"), ("a\x1e", "1b")]
    feed.predictions(
        *(prediction(f"p{i}", shop=shop, customer=c) for i, (shop, c) in enumerate(keys))
    )
    feed.work()
    app.erase.erase("late", keys=[{"shop": keys[0][0], "customer": keys[0][1]}])
    feed.work()

    assert feed.total("n") == 3
    assert app.rebuild.rebuild("late") == 3
