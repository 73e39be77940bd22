"""Personal data is hashed under every name that a client may give it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.world import Feed, monitor_document, prediction, reference

from tocsin.app import App
from tocsin.ids import ID_NAMES
from tocsin.lake import Table


def _stored(app: App, table: Table) -> pa.Table:
    (folder,) = Path(app.settings.data, "lake").iterdir()
    return pq.read_table(folder / table)


@pytest.mark.parametrize("name", ID_NAMES)
@pytest.mark.parametrize("declared", ["prediction_id", "request_id"])
def test_an_id_is_hashed_whatever_clients_call_it(app: App, name: str, declared: str) -> None:
    app.register.add("late", monitor_document(privacy={"hash": [declared]}), reference(400))
    feed = Feed(app, "late")
    row = prediction("me@home")
    row[name] = row.pop("prediction_id")
    feed.predictions(row)
    feed.work()

    (stored,) = _stored(app, Table.PREDICTIONS)["prediction_id"].to_pylist()
    assert stored.startswith("hmac:")


def test_a_renamed_feature_is_hashed_under_its_earlier_name_too(app: App) -> None:
    document = monitor_document(privacy={"hash": ["carrier"]})
    document["schema"]["features"][1] |= {"was": "airline"}
    app.register.add("late", document, reference(400))
    feed = Feed(app, "late")
    row = prediction("a")
    row["inputs"]["airline"] = row["inputs"].pop("carrier")
    feed.predictions(row)
    feed.work()

    (stored,) = _stored(app, Table.PREDICTIONS)["input_carrier"].to_pylist()
    assert stored.startswith("hmac:")
