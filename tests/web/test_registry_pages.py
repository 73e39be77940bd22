"""Pages about versions, aliases and the audit."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient
from tests.world import START, Feed, monitor_document, outcome, prediction, reference

from tocsin.api.server import application
from tocsin.app import opened
from tocsin.records import aliases, audit
from tocsin.records.aliases import AliasMove, VersionRecord
from tocsin.records.audit import Deed
from tocsin.settings import Settings
from tocsin.values import HOUR, from_datetime

AT = from_datetime(START)
STEP = timedelta(seconds=30)
PATHS = ("/models/two/versions", "/models/two/versions?span=1d", "/models/plain/versions", "/audit")


def moved(before, after, at, *, source="poll", after_at=AT, actor="unknown (in MLflow)"):
    return AliasMove("two", "champion", before, after, at, after_at, actor, "", source)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with opened(Settings(folder, "127.0.0.1", 8765, "http://tocsin.test", None)) as app:
        app.register.add("plain", monitor_document(), reference(500))
        document = monitor_document(model="models:/two@champion")
        app.register.add("two", document, reference(500))
        feed = Feed(app, "two")
        # Version 2 answers every second row, and the other way round than it should.
        for i in range(1200):
            at = {"timestamp": START + i * STEP}
            late, version = i // 2 % 2, str(1 + i % 2)
            score = 0.8 * late + 0.1 if version == "1" else 0.9 - 0.8 * late
            feed.predictions(prediction(f"r{i}", p=score, model_version=version, **at))
            feed.outcomes(outcome(f"r{i}", late, **at))
        feed.work()
        with app.records.write() as connection:
            aliases.add_move(connection, moved(None, "1", AT, after_at=None))
            aliases.add_move(
                connection, moved("1", "2", AT + 6 * HOUR, source="tocsin", actor="anna")
            )
            aliases.set_versions(
                connection,
                "two",
                [
                    VersionRecord("1", "READY", AT, "run"),
                    VersionRecord("2", "READY", AT, "run"),
                    VersionRecord("3", "PENDING_REGISTRATION", AT, "run"),
                ],
            )
            deed = Deed("anna", "none", "alias.set", "models:/two@champion", {"version": "1"},
                        {"version": "2"}, "better <b>AUC</b>")  # fmt: skip
            audit.append(connection, deed, now=AT)
            seen = {"source": "poll", "at": "2013-05-01T00:00:00Z"}
            by_hand = {"incident": 1, "outcome": "done", "wanted": "2"}
            for evidence in (seen, by_hand):
                deed = Deed(
                    "anna", "none", "alias.moved", "models:/two@champion", evidence=evidence
                )
                audit.append(connection, deed, now=AT)
        yield app


@pytest.fixture(scope="module")
def client(world):
    return TestClient(application(world), raise_server_exceptions=False)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_there(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert "<h1" in answer.text


def test_versions_stand_beside_each_other_with_their_own_numbers(client):
    page = client.get("/models/two/versions").text
    assert "champion is at version 2" in page
    found = client.get("/api/v1/models/two/versions").json()
    by = {column["version"]: column for column in found["versions"]}
    assert (by["1"]["rows"], by["2"]["rows"]) == (600, 600)
    assert by["1"]["share"] == 0.5
    assert by["1"]["metrics"]["roc_auc"]["value"] == 1.0
    assert by["2"]["metrics"]["roc_auc"]["value"] == 0.0


def test_a_metric_over_time_can_be_that_of_one_version(client):
    address = "/api/v1/models/two/metrics/roc_auc?window=1h"
    everything = client.get(address).json()["points"][0]
    first = client.get(f"{address}&version=1").json()["points"][0]
    assert (everything["rows"], first["rows"]) == (120, 60)
    assert 0.1 < everything["value"] < 0.9
    assert first["value"] == 1.0
    assert client.get(f"{address}&version=9").json()["points"][0]["value"] is None


def test_drift_and_features_can_be_those_of_one_version(client):
    address = "/api/v1/models/two/drift?window=1h"
    (everything, first) = (client.get(address + more).json()[0] for more in ("", "&version=1"))
    assert (everything["rows"], first["rows"]) == (120, 60)
    assert first["columns"]["p"]["js_distance"] != everything["columns"]["p"]["js_distance"]
    page = client.get("/models/two/features/distance?window=1h&version=1")
    assert "Only rows of version" in page.text


def test_the_page_of_a_model_shows_one_version_if_asked(client):
    page = client.get("/models/two?window=1h&version=2").text
    assert "Only rows of version <code>2</code>" in page
    assert 'aria-label="Of which version"' in page
    assert r"champion \u2192 2" in page


def test_a_version_that_is_not_ready_cannot_be_chosen(client):
    page = client.get("/models/two/versions").text
    assert '<option value="3" disabled>' in page
    assert '<option value="1">1 (previous)</option>' in page
    assert '<option value="2"' not in page


def test_without_a_registry_there_is_no_form(client):
    page = client.get("/models/plain/versions").text
    assert "<form" not in page
    assert "its monitor has no" in page


def test_the_audit_is_verified_and_filtered(client):
    page = client.get("/audit").text
    assert "verified" in page
    assert "better &lt;b&gt;AUC" in page
    assert '<a href="/incidents/1">#1</a>' in page
    assert "No record is like that" in client.get("/audit?actor=nobody").text


def test_a_damaged_audit_is_shouted_about(tmp_path):
    with opened(Settings(tmp_path, "127.0.0.1", 8765, "http://tocsin.test", None)) as app:
        with app.records.write() as connection:
            audit.append(connection, Deed("anna", "none", "x", "y"), now=1)
            connection.exec_driver_sql("DROP TRIGGER audit_no_update")
            connection.exec_driver_sql("UPDATE audit SET actor = 'bert'")
        client = TestClient(application(app))
        page = client.get("/audit").text
        found = client.post("/api/v1/audit/verify", json={}).json()
    assert "damaged" in page
    assert found["fault"] == {"seq": 1, "reason": "its content is not what was sealed"}


def test_a_form_of_another_site_is_refused(client):
    form = {"alias": "champion", "to": "1", "reason": "x", "actor": "anna", "expected": "2"}
    answer = client.post("/models/two/aliases", data=form, headers={"origin": "http://evil.test"})
    assert answer.status_code == 403
    assert "a page of evil.test" in answer.text


def test_a_form_that_cannot_be_done_says_why(client):
    form = {"alias": "champion", "to": "1", "reason": "x", "actor": "anna", "expected": "2"}
    answer = client.post("/models/two/aliases", data=form)
    assert answer.status_code == 502
    assert "MLFLOW_TRACKING_URI" in answer.text
    assert client.post("/models/two/aliases", data={**form, "reason": " "}).status_code == 422
