"""What the pages say of the quality of data."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from tests.world import HOUR, START, Feed, monitor_document, prediction, reference

from tocsin.api.server import application
from tocsin.app import opened
from tocsin.quality import FEATURE_CHECKS, Cell, Expectation, QualityVerdict
from tocsin.service.data_quality import Measured
from tocsin.service.quality_words import why_words
from tocsin.settings import Settings
from tocsin.values import Bounded, Undefined


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    where = Settings(tmp_path_factory.mktemp("data"), "127.0.0.1", 1, "http://tocsin.test", None)
    document = monitor_document(windows=["1h"])
    with opened(where) as app:
        for name in ("late", "well", "silent"):
            app.register.add(name, document, reference())
        for name in ("late", "well"):
            feed = Feed(app, name)
            feed.hours(0, 4, labelled=False)
            rows = (
                prediction(f"p{i}", timestamp=START + HOUR * (4 + i / 60), distance=900.0 + i)
                for i in range(62)
            )
            broken = name == "late"
            for i, row in enumerate(rows):
                row["inputs"]["carrier"] = ("AA", "B6", "UA", None)[i % (4 if broken else 3)]
                row["inputs"]["distance"] = -9999.0 if broken and i % 2 else 900.0 + i
                feed.predictions(row)
            feed.work()
        yield TestClient(application(app), raise_server_exceptions=False)


def text_of(html: str) -> str:
    html = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("\u00a0", " ").strip()


@pytest.fixture(scope="module")
def pages(client):
    return {
        name: text_of(
            client.get(f"/models/{name}").text.split('id="quality"')[1].split("</section")[0]
        )
        for name in ("late", "well", "silent")
    }


def test_the_section_begins_with_what_was_found(pages):
    said = pages["late"]
    assert "Not as expected: distance, carrier (2 checks)." in said
    assert "violated carrier has no value in 25.0 % of 60 rows; the reference has none." in said
    assert "violated distance is out of range in 50.0 % of 60 rows" in said
    assert said.index("violated") < said.index("Feature")
    assert "25 % violated" in said


def test_without_findings_it_says_as_expected(pages):
    assert "As expected." in pages["well"]
    assert "violated" not in pages["well"]


def test_without_a_window_it_says_why(pages):
    assert "no prediction has come yet" in pages["silent"].lower()


def test_a_feature_shows_its_checks_and_their_rates_over_time(client):
    page = client.get("/models/late/features/distance").text
    said = text_of(page.split('id="quality"')[1].split("</section")[0])
    assert "Out of range violated 50 % 38 % to 62 %" in said
    assert "the reference has none" in said
    assert 'id="chart-rate-1"' in page


def test_what_is_beyond_its_limit_and_as_usual_says_so():
    cell = Cell("temp", FEATURE_CHECKS["out_of_range_rate"])
    expected = Expectation(cell, 0.01, 0.0, 5_000, declared=False)
    beyond = Measured(cell, Bounded(0.33, n=900), expected, None, unsure=False)
    assert beyond.verdict is QualityVerdict.OK
    assert why_words(beyond) == (
        "33.0 % of 900 rows; more than the reference has, but not unlike earlier windows or far "
        "out."
    )
    assert why_words(replace(beyond, unsure=True)).endswith("of so few rows that could be chance.")
    assert why_words(replace(beyond, measure=Bounded(0.005, n=900))) == ""
    assert why_words(replace(beyond, expectation=replace(expected, off=True))) == ""
    assert why_words(replace(beyond, measure=Undefined("no rows"))) == ""


def test_statistics_that_decide_nothing_raise_no_alarm(client):
    page = client.get("/models/late/features/distance").text
    section = page.split('id="statistics"')[1].split("</section")[0]
    said = text_of(section)
    assert "over it" in said
    assert "p is under it" in said
    assert "state breach" not in section


def test_the_section_can_be_fetched_alone(client):
    answer = client.get("/models/late?fragment=live_quality")
    assert answer.status_code == 200
    assert "Nulls" in answer.text
    assert "<h1" not in answer.text


def test_an_incident_without_a_cause_says_what_is_still_being_learned(tmp_path):
    where = Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None)
    expr = {"metric": "volume", "window": "1h", "op": "<", "value": 50}
    document = monitor_document(windows=["1h"], rules=[{"alert": "Few", "expr": expr}])
    with opened(where) as app:
        app.register.add("late", document, reference())
        feed = Feed(app, "late")
        feed.hours(0, 1, rows=40, labelled=False)
        feed.hours(1, 3, rows=80, labelled=False)
        feed.work()
        page = TestClient(application(app)).get("/incidents/1").text
    said = text_of(page)
    assert "No cause can be named yet: distance , carrier , p" in said, said[:600]
    assert "still being learned" in said
    assert "after 7 more windows of 1 h at the same time of day" in said
