"""`/metrics` and `tocsin export prometheus-rules`, by a real Prometheus and its promtool."""

import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
import yaml
from tests.prometheus import program, prometheus
from tests.servers import serving
from tests.world import Feed, monitor_document, reference
from typer.testing import CliRunner

from tocsin.api.metrics import exposition
from tocsin.app import App
from tocsin.cli.commands import commands
from tocsin.drift import Shift, Verdict
from tocsin.service.telemetry import FAMILIES, MOST_FEATURES, Sample, _drift
from tocsin.values import Bounded

NAME = 'la"te \\ 1'
RULES = [
    {
        "alert": "AucLow",
        "expr": {"metric": "roc_auc", "window": "24h", "op": "<", "value": 0.99},
        "for": 3,
        "labels": {"severity": "critical", "team": "risk"},
        "annotations": {"runbook_url": "https://example.com/runbook"},
    },
    {"alert": "Short", "expr": {"metric": "roc_auc", "window": "1h", "op": "<", "value": 0.5}},
    {"alert": "Drift", "expr": {"metric": "drift", "window": "1h"}},
]


def fed(app: App) -> None:
    document = monitor_document(rules=RULES, segments=["carrier"])
    app.register.add(NAME, document, reference())
    feed = Feed(app, NAME)
    feed.hours(0, 30)
    feed.work()
    while app.notify.flush() or app.deliver.deliver():
        pass


def test_alerts_are_told_by_where_they_stand(app: App) -> None:
    rules = [
        {"alert": name, "expr": {"metric": "volume", "window": "1h", "op": op, "value": 5},
         "labels": {"severity": severity}, **patience}
        for name, op, severity, patience in (
            ("Fires", "<", "critical", {}),
            ("Waits", "<", "warning", {"for": 5}),
            ("Recovers", ">", "info", {"keep_firing_for": 5}),
            ("Rests", ">", "info", {}),
        )
    ]  # fmt: skip
    app.register.add(NAME, monitor_document(rules=rules, windows=["1h"]), reference(500))
    feed = Feed(app, NAME)
    for hour, rows in enumerate((9, 9, 2, 2)):
        feed.hours(hour, hour + 1, rows=rows, labelled=False)
    feed.work()
    found = {
        (sample.labels["state"], sample.labels["severity"]): sample.value
        for sample in app.telemetry.samples()
        if sample.family == "tocsin_alerts" and sample.value
    }
    assert found == {
        ("firing", "critical"): 1,
        ("pending", "warning"): 1,
        ("recovering", "info"): 1,
    }


def exported(url: str, folder: Path) -> Path:
    done = CliRunner().invoke(commands, ["export", "prometheus-rules", "--url", url])
    assert done.exit_code == 0, done.output
    file = folder / "exported.yml"
    file.write_text(done.output)
    return file


def test_a_real_prometheus_scrapes_it_and_its_rules_find_series(app: App, tmp_path: Path) -> None:
    fed(app)
    with serving(app) as url:
        rules = exported(url, tmp_path).read_text()
        with prometheus(tmp_path, url.removeprefix("http://"), rules) as server:

            def query(expression: str) -> list[dict[str, Any]]:
                answer = httpx2.get(f"{server}/api/v1/query", params={"query": expression})
                return answer.raise_for_status().json()["data"]["result"]

            deadline = time.monotonic() + 30
            while not query("up == 1") and time.monotonic() < deadline:
                time.sleep(0.1)
            found = {name: query(name) for name in FAMILIES}
            # What did not happen yet has no series; all else has.
            assert [name for name, series in found.items() if not series] == []
            quoted = NAME.replace("\\", "\\\\").replace('"', '\\"')
            (auc,) = query(f'tocsin_performance{{model="{quoted}",metric="roc_auc",segment=""}}')
            latest = app.read.model(NAME).latest
            assert latest is not None
            stored = latest.measures["roc_auc"]
            assert isinstance(stored, Bounded)
            assert float(auc["value"][1]) == stored.value
            assert len(query('tocsin_performance{segment=~"carrier=.+"}')) == 3
            groups = httpx2.get(f"{server}/api/v1/rules").json()["data"]["groups"]
            health = {rule["name"]: rule["health"] for g in groups for rule in g["rules"]}
            assert "TocsinFoldLag" in health
            assert set(health.values()) <= {"ok", "unknown"}
            low = next(rule for g in groups for rule in g["rules"] if rule["name"] == "AucLow")
            assert query(low["query"]) != []


def test_promtool_finds_no_fault_in_the_exported_rules(app: App, tmp_path: Path) -> None:
    fed(app)
    with serving(app) as url:
        file = exported(url, tmp_path)
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "6 rules found" in done.stdout
    text = file.read_text()
    assert "# Left out: " in text
    assert "Short: it looks at 1h, and /metrics tells windows of 24h" in text
    (rule,) = yaml.safe_load(text)["groups"][1]["rules"]
    assert (rule["for"], rule["labels"]["team"]) == ("2h", "risk")


@pytest.mark.parametrize(
    ("samples", "coverage", "fires"), [(400, 1, 1), (299, 1, 0), (400, 0.7, 0)]
)
def test_promtool_fires_an_exported_rule_only_on_enough_labelled_rows(
    app: App, tmp_path: Path, samples: int, coverage: float, *, fires: int
) -> None:
    rules = [{**RULES[0], "for": 1, "min_samples": 300}]
    app.register.add("m", monitor_document(rules=rules), reference())
    with serving(app) as url:
        file = exported(url, tmp_path)
    of = 'model="m",version="3"'
    series = {
        f'tocsin_performance{{{of},metric="roc_auc",segment=""}}': 0.5,
        f"tocsin_window_samples{{{of}}}": samples,
        f"tocsin_label_coverage_ratio{{{of}}}": coverage,
        "tocsin_fold_lag_seconds": 0,
    }
    labels = {"model": "m", "version": "3", "metric": "roc_auc", "severity": "critical"}
    labels |= {"category": "performance", "team": "risk"}
    said = {"summary": "roc_auc of m is 0.5.", "runbook_url": "https://example.com/runbook"}
    alert = {"exp_labels": labels, "exp_annotations": said}
    expected = {"alertname": "AucLow", "eval_time": "1m", "exp_alerts": [alert] * fires}
    test = {
        "interval": "1m",
        "input_series": [{"series": s, "values": f"{v}x9"} for s, v in series.items()],
        "alert_rule_test": [expected],
    }
    cases = tmp_path / "test.yml"
    cases.write_text(yaml.safe_dump({"rule_files": [str(file)], "tests": [test]}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(cases)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_fifty_columns_that_moved_most_are_told_and_the_others_counted() -> None:
    def shift(distance: float) -> Shift:
        return Shift(distance, 0.0, 1.0, 100, 10, None, None, Verdict.NONE, "")

    latest = SimpleNamespace(shifts={f"f{i}": shift(i / 100) for i in range(60)})
    found = list(_drift(latest, {"model": "m"}))
    assert len(found) == MOST_FEATURES + 1
    assert found[0] == Sample(
        "tocsin_drift", 0.59, {"model": "m", "feature": "f59", "method": "js_distance"}
    )
    assert found[-1] == Sample("tocsin_features_dropped", 10, {"model": "m"})


def test_no_number_is_by_run_window_or_user(app: App) -> None:
    fed(app)
    names = {name for sample in app.telemetry.samples() for name in sample.labels}
    assert names <= {
        *("model", "version", "task", "metric", "segment", "feature", "method"),
        *("state", "severity", "kind", "receiver", "outcome"),
    }


def test_what_has_marks_of_the_format_in_it_is_escaped() -> None:
    text = exposition([Sample("tocsin_model_info", 1, {"model": 'a"b\\c\nd'})])
    assert text.splitlines()[-1] == 'tocsin_model_info{model="a\\"b\\\\c\\nd"} 1.0'
