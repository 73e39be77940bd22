"""Segments and groups on a live model, against fairlearn on the same rows."""

import fairlearn.metrics as oracle
import pytest
from fastapi.testclient import TestClient
from tests.world import Feed, flights, monitor_document, reference

from tocsin.api.server import application
from tocsin.app import App
from tocsin.errors import InvalidInputError
from tocsin.values import HOUR, Bounded, Undefined

WATCHED = monitor_document(
    segments=[{"name": "far", "where": "distance > 1000"}, {"column": "distance", "cuts": [500]}],
    protected=["carrier"],
    rules=[],
)


@pytest.fixture
def watched(app: App) -> Feed:
    app.register.add("late", WATCHED, reference())
    feed = Feed(app, "late")
    feed.hours(0, 4, rows=400)
    feed.work()
    return feed


def test_segments_are_the_parts_of_the_newest_window(watched: Feed) -> None:
    view = watched.app.read.segments("late", metric="accuracy_score", window=HOUR)
    assert view is not None
    assert view.protected == {"carrier"}
    assert list(view.segments) == ["far", "distance", "carrier"]
    made = flights(400, seed=1_000 + 2)
    right = (made.score >= 0.5) == made.late
    for value, mask in (("true", made.distance > 1000), ("false", made.distance <= 1000)):
        (found,) = [v for v in view.segments["far"] if v.value == value]
        assert isinstance(found.measure, Bounded)
        assert (found.rows, found.measure.value) == (
            mask.sum(), pytest.approx(right[mask].mean()),
        )  # fmt: skip
    for values in view.segments.values():
        assert sum(v.rows for v in values) == 400


def test_groups_are_compared_as_fairlearn_does(watched: Feed) -> None:
    view = watched.app.read.groups("late", "carrier", window=HOUR)
    assert view is not None
    made = flights(400, seed=1_000 + 2)
    said = (made.score >= 0.5).astype(int)
    found = {criterion.name: comparison for criterion, comparison in view.comparisons}
    for name, function in (
        ("demographic_parity", oracle.demographic_parity_difference),
        ("equalized_odds", oracle.equalized_odds_difference),
    ):
        truth = function(made.late, said, sensitive_features=made.carrier)
        assert found[name].difference.value == pytest.approx(truth), name
    parity = found["demographic_parity"]
    assert parity.highest == "AA"
    assert parity.p_value is not None
    assert parity.p_value < 0.05


def test_rows_of_an_unknown_group_are_no_group(app: App) -> None:
    app.register.add("late", WATCHED, reference())
    feed = Feed(app, "late")
    feed.hours(0, 2)
    from tests.world import START, prediction

    feed.predictions(*(prediction(f"x{i}", carrier=None, timestamp=START) for i in range(50)))
    feed.work()
    view = app.read.groups("late", "carrier", window=HOUR)
    assert view is not None
    assert set(view.comparisons[0][1].groups) == {"AA", "B6", "UA", "other"}
    assert isinstance(view.comparisons[0][1].groups["other"], Undefined)
    segments = app.read.segments("late", metric="coverage", window=HOUR)
    assert segments is not None
    assert [v.rows for v in segments.segments["carrier"] if v.value == "unknown"] == [50]


def test_what_is_not_protected_has_no_groups(watched: Feed) -> None:
    with pytest.raises(InvalidInputError, match="'far' is no protected attribute; there are carr"):
        watched.app.read.groups("late", "far")


def test_the_api_and_the_page_show_segments(watched: Feed) -> None:
    client = TestClient(application(watched.app))
    base = "/api/v1/models/late"
    assert client.get(base).json()["segments"]["far"] == ["false", "true", "unknown"]
    found = client.get(f"{base}/segments?window=1h&metric=coverage").json()
    assert found["segments"]["far"][0]["segment"] == "far=false"
    assert found["all"]["value"] == 1.0
    series = client.get(f"{base}/metrics/roc_auc?window=1h&segment=far=true").json()
    assert series["segment"] == "far=true"
    assert 0 < series["points"][-1]["rows"] < 400
    assert client.get(f"{base}/metrics/roc_auc?segment=far=perhaps").status_code == 422
    groups = client.get(f"{base}/groups/carrier?window=1h").json()
    assert groups["criteria"][0]["criterion"] == "demographic_parity"
    assert client.get(f"{base}/groups/distance").status_code == 422

    page = client.get("/models/late?window=1h").text
    assert "far" in page
    assert "segment=far%3Dtrue" in page
    only = client.get("/models/late?window=1h&segment=far%3Dtrue").text
    assert "Only rows of <code>far=true</code>" in only
    assert client.get("/models/late?segment=nothing").status_code == 422
    fragment = client.get("/models/late?window=1h&fragment=live_segments")
    assert "far" in fragment.text


def test_a_model_without_a_window_has_no_segments_yet(app: App) -> None:
    app.register.add("late", WATCHED, reference())
    client = TestClient(application(app))
    assert client.get("/api/v1/models/late/segments").status_code == 404
    assert client.get("/api/v1/models/late/groups/carrier").status_code == 404
    assert "No window of" in client.get("/models/late").text
    assert app.read.segments("late") is None
