"""Features that are called like a field of every row: told at once, and read from `inputs`."""

import json
from typing import Any

import pytest
from tests.world import START, Feed, monitor_document, reference

from tocsin.app import App
from tocsin.records import models, profiles

NAMES = ("timestamp", "prediction_id", "model_version", "label", "outputs")


@pytest.fixture
def feed(app: App) -> Feed:
    document = monitor_document()
    document["schema"]["features"] = [{"name": name, "kind": "numeric"} for name in NAMES]
    table = reference(400)
    for name in NAMES:
        table = table.append_column(name, table["distance"])
    app.register.add("late", document, table)
    return Feed(app, "late")


def sent(feed: Feed, body: Any) -> tuple[int, int]:
    receipt = feed.app.ingest.accept("late", "predictions", json.dumps(body).encode())
    feed.work()
    return receipt.accepted, receipt.quarantined


def known(feed: Feed) -> set[str]:
    """The features of which the model has a value."""
    with feed.app.records.read() as connection:
        record = models.model_named(connection, "late")
        (profile,) = (p for _, p in profiles.stored(connection, record.id, record.plan, 0, 2**62))
        return {
            n for n in NAMES if profile.feature(n).shares[: profile.feature(n).bins.regular].sum()
        }


def test_registration_tells_of_each(feed: Feed) -> None:
    notes = feed.app.read.model("late").notes
    assert [note.split("'")[1] for note in notes] == list(NAMES)
    assert "send it within `inputs`, or as a column `inputs.timestamp`" in notes[0]


@pytest.mark.parametrize("form", ["record", "dotted columns"])
def test_within_inputs_they_are_told_from_the_fields(feed: Feed, form: str) -> None:
    own = {"prediction_id": "a", "timestamp": START.isoformat(), "model_version": "7"}
    inputs = dict.fromkeys(NAMES, 1000.0)
    if form == "record":
        body: Any = {**own, "inputs": inputs, "outputs": {"p": 0.5}}
    else:
        flat = {**own, **{f"inputs.{n}": v for n, v in inputs.items()}, "outputs.p": 0.5}
        body = {name: [value] for name, value in flat.items()}
    assert sent(feed, body) == (1, 0)
    assert known(feed) == set(NAMES)
    assert {key.version for key in feed.profiles()} == {"7"}
