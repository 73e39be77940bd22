"""Outcomes without an id are those of the latest prediction with their keys, within a span."""

from pathlib import Path

import pytest
from tests.world import HOUR, START, Feed, monitor_document, prediction, reference

from tocsin.app import App
from tocsin.engines.local import LocalEngine
from tocsin.errors import InvalidInputError, SchemaError


@pytest.fixture
def feed(app: App) -> Feed:
    document = monitor_document(join={"on": ["customer", "shop"], "within": "10h"})
    app.register.add("late", document, reference(400))
    return Feed(app, "late")


def _of(customer: object, hour: int, label: int, **more: object) -> dict[str, object]:
    time = (START + HOUR * hour).isoformat()
    return {"customer": customer, "shop": "x", "timestamp": time, "actual_outcome": label, **more}


def test_an_outcome_is_that_of_the_latest_prediction_before_it(feed: Feed) -> None:
    for hour, p in ((0, 0.1), (4, 0.2), (9, 0.3)):
        feed.predictions(
            prediction(f"p{hour}", timestamp=START + HOUR * hour, p=p, customer=7, shop="x")
        )
    feed.outcomes(_of(7, 5, 1))
    feed.work()

    labelled = {key.bucket // 3_600_000_000 % 24: v for key, v in feed.profiles().items()}
    assert feed.total("labelled") == 1
    assert feed.app.read.summary("late")["joined"] == 1
    assert len(labelled) == 3


@pytest.mark.parametrize(
    ("record", "joined"),
    [
        (_of(7, 10, 1), 1),
        (_of(7, 11, 1), 0),
        (_of(7.0, 3, 1), 1),
        (_of("7", 3, 1), 1),
        (_of(8, 3, 1), 0),
        (_of(7, 3, 1, shop="y"), 0),
        (_of(7, -1, 1), 0),
        ({**_of(None, 3, 1), "keys": {"customer": 7}}, 1),
    ],
)
def test_keys_and_span_decide(feed: Feed, record: dict[str, object], joined: int) -> None:
    feed.predictions({**prediction("a"), "keys": {"customer": 7, "shop": "x"}})
    assert feed.outcomes(record).accepted == 1
    feed.work()

    assert feed.total("labelled") == joined


def test_keys_may_be_inputs_of_the_model(app: App) -> None:
    document = monitor_document(join={"on": ["carrier"], "within": "10h"})
    app.register.add("late", document, reference(400))
    feed = Feed(app, "late")
    feed.predictions(prediction("a", carrier="B6"))
    feed.outcomes({**_of(None, 3, 1), "carrier": "B6"})
    feed.work()

    assert feed.total("labelled") == 1


def test_an_outcome_with_neither_id_nor_all_keys_is_quarantined(feed: Feed) -> None:
    found = feed.outcomes({**_of(7, 3, 1), "shop": None})

    assert found.quarantined == 1
    assert "prediction_id or customer and shop is missing" in found.reasons[0][1]


def test_engines_refuse_what_is_joined_by_keys(feed: Feed, tmp_path: Path) -> None:
    engine = LocalEngine(1)
    with pytest.raises(InvalidInputError, match="joined by keys"):
        feed.app.profile_source.rebuild("late", engine)
    with pytest.raises(InvalidInputError, match="joined by keys"):
        feed.app.profile_source.profile(
            "late", engine, predictions=str(tmp_path), outcomes=str(tmp_path)
        )
    engine.close()


def test_keys_that_would_share_a_column_are_refused(app: App) -> None:
    document = monitor_document(join={"on": ["customer id", "customer_id"], "within": "1d"})
    with pytest.raises(SchemaError, match="must differ"):
        app.register.add("other", document, reference(400))
