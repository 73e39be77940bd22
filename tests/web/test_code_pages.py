"""Monitors as code on pages: what holds as YAML, and a rule that is written in a form."""

import re
from html import unescape

import pytest
from starlette.testclient import TestClient
from tests.world import monitor_document, reference

from tocsin.api.server import application
from tocsin.app import App
from tocsin.declared.configuration import Source, check

GOOD = {
    "alert": "AucLow",
    "metric": "roc_auc",
    "window": "24h",
    "op": "<",
    "value": "0.7",
    "clear": "0.72",
    "for": "2 windows",
    "min_samples": "300",
    "severity": "critical",
    "summary": "AUC is low",
}
FORM = "/models/late/rules/new"


@pytest.fixture
def client(app: App) -> TestClient:
    app.register.add("late", monitor_document(), reference(300))
    return TestClient(application(app), raise_server_exceptions=False)


def code(page: str, name: str) -> str:
    found = re.search(rf'<pre id="{name}"><code>(.*?)</code></pre>', page, re.DOTALL)
    assert found is not None, page
    return unescape(found[1])


def wrong(page: str) -> dict[str, str]:
    found = re.findall(r'<span class="wrong" id="wrong-(\w+)">(.*?)</span>', page, re.DOTALL)
    return {field: unescape(text) for field, text in found}


def rules(app: App) -> list[str]:
    return [rule.name for rule in app.read.model("late").monitor.rules]


def test_the_code_of_a_model_is_a_file_that_changes_nothing(app: App, client: TestClient) -> None:
    text = code(client.get("/models/late").text, "monitor-yaml")
    checked = check([Source("late.yaml", text)])
    assert checked.faults == ()
    assert app.configure.plan(checked).changes == ()


def test_a_rule_shows_its_yaml_and_is_not_saved_yet(app: App, client: TestClient) -> None:
    before = rules(app)
    answer = client.post(FORM, data=GOOD)
    assert answer.status_code == 200
    assert code(answer.text, "rule-yaml") == (
        "- alert: AucLow\n"
        "  expr: {metric: roc_auc, window: 24h, op: <, value: 0.7, clear: 0.72}\n"
        "  for: 2 windows\n"
        "  min_samples: 300\n"
        "  labels: {severity: critical}\n"
        "  annotations: {summary: AUC is low}\n"
    )
    assert rules(app) == before


def test_a_saved_rule_ends_none_of_those_that_were_there(app: App, client: TestClient) -> None:
    before = rules(app)
    assert before
    monitor = app.read.model("late").monitor
    answer = client.post(
        FORM, data={**GOOD, "save": "yes", "actor": "anna"}, follow_redirects=False
    )
    assert answer.status_code == 303
    after = app.read.model("late").monitor
    assert after.rules[:-1] == monitor.rules
    assert after.rules[-1].name == "AucLow"
    (record, *_) = app.audit.listed(event="model.changed", limit=1)
    assert record.deed.actor == "anna"
    assert "AucLow looks at every window" in client.get(answer.headers["location"]).text
    assert "AucLow" in code(client.get("/models/late").text, "monitor-yaml")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"metric": "roc_acu"}, "metric", "did you mean <code>roc_auc</code>?"),
        ({"value": "high"}, "value", "number"),
        ({"clear": "0.6"}, "clear", "good side"),
        ({"for": "soon"}, "for", "duration"),
        ({"severity": "dire"}, "severity", "warning"),
        ({"window": "5h"}, "window", "1h, 24h, 7d"),
        ({"alert": ""}, "alert", "required"),
        ({"min_samples": "0"}, "min_samples", "too small"),
        ({"op": "", "value": ""}, "metric", "needs"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(
    app: App, client: TestClient, changes: dict[str, str], field: str, words: str
) -> None:
    before = rules(app)
    for save in ("", "yes"):
        answer = client.post(FORM, data={**GOOD, **changes, "save": save})
        assert answer.status_code == 422
        assert words in wrong(answer.text)[field], wrong(answer.text)
        assert 'value="AUC is low"' in answer.text
        assert "Save the rule" not in answer.text
    assert rules(app) == before


def test_a_name_that_is_taken_is_told(client: TestClient) -> None:
    answer = client.post(FORM, data={**GOOD, "alert": "FeatureDrift"})
    assert answer.status_code == 422
    assert "FeatureDrift" in answer.text


def test_what_is_written_cannot_become_markup(client: TestClient) -> None:
    page = client.post(FORM, data={**GOOD, "summary": "<script>alert(1)</script>"}).text
    assert "<script>alert" not in page


def test_pages_of_others_add_no_rules(client: TestClient) -> None:
    answer = client.post(FORM, data=GOOD, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


def test_a_model_that_files_declare_says_so(app: App, client: TestClient) -> None:
    assert "applied" not in client.get(FORM).text
    text = code(client.get("/models/late").text, "monitor-yaml")
    app.configure.apply(check([Source("late.yaml", text)]), actor="anna")
    for path in (FORM, "/models/late"):
        assert "anna applied" in client.get(path).text
