"""What README and guide say is run, against a real server."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from tests.capture.world import served, until
from tests.servers import Server
from tests.world import Feed, flights
from tocsin.app import opened
from tocsin.cli.commands import commands
from tocsin.declared.json_schema import monitors_schema
from tocsin.declared.receiver_documents import ReceiverDocument
from tocsin.demo.servers import mlflow_server
from tocsin.drift import STATISTICS
from tocsin.metrics import METRICS, catalogue
from tocsin.quality import FEATURE_CHECKS, MODEL_CHECKS, VOLUME
from tocsin.schema import Schema, Task
from tocsin.service.configuration_files import load
from tocsin.service.telemetry import FAMILIES
from tocsin.settings import Settings

ROOT = Path(__file__).parents[1]
ADDRESS = "http://127.0.0.1:8765"
MLFLOW = "http://127.0.0.1:5000"


def blocks(document: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


def run(code: str, url: str, folder: Path) -> None:
    assert ADDRESS in code
    done = subprocess.run(
        [sys.executable, "-c", code.replace(ADDRESS, url)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Server:
    with Server(tmp_path / "data") as running:
        yield running


def test_the_example_of_the_readme_is_counted(tmp_path: Path) -> None:
    where = Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None)
    made = flights(300, seed=3)
    reference = pa.table(
        {
            "distance": made.distance,
            "carrier": made.carrier,
            "probability_late": made.score,
            "late": made.late,
        }
    )
    schema = {
        "features": [
            {"name": "distance", "kind": "numeric"},
            {"name": "carrier", "kind": "categorical"},
        ],
        "score": "probability_late",
        "label": "late",
    }
    with opened(where) as app:
        app.register.add("flight-delay", {"schema": schema}, reference)
    (example,) = blocks("README.md")
    with Server(tmp_path / "data") as server:
        run(example, server.url, tmp_path)
        server.caught_up()
    with opened(where) as app:
        feed = Feed(app, "flight-delay")
        assert (feed.total("n"), feed.total("labelled"), feed.total("label")) == (1, 1, 1)


def test_every_block_of_the_guide_runs_in_turn(tmp_path: Path) -> None:
    with (
        mlflow_server(tmp_path) as mlflow,
        Server(tmp_path / "data", MLFLOW_TRACKING_URI=mlflow) as server,
    ):
        for block in blocks("docs/guide.md"):
            run(block.replace(MLFLOW, mlflow), server.url, tmp_path)
        server.caught_up()
        summary = server.get("/models/fraud/summary")
        watched = server.get("/models/wine")

    assert watched["schema"]["classes"] == ["barbera", "barolo", "grignolino"]
    assert (summary["predictions"], summary["joined"], summary["quarantined"]) == (4, 3, 1)


def test_every_block_about_rows_counts(tmp_path: Path) -> None:
    features = [{"name": "amount", "kind": "numeric"}, {"name": "country", "kind": "categorical"}]
    schema = {"features": features, "score": "probability", "label": "fraudulent"}
    made = flights(300, seed=3)
    columns = {"amount": made.distance, "country": made.carrier, "probability": made.score}
    reference = pa.table({**columns, "fraudulent": made.late})
    with opened(Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None)) as app:
        app.register.add("fraud", {"schema": schema}, reference)
    with Server(tmp_path / "data") as server:
        for block in blocks("docs/rows.md"):
            run(block, server.url, tmp_path)
        server.caught_up()
        summary = server.get("/models/fraud/summary")
    assert (summary["predictions"], summary["outcomes"], summary["quarantined"]) == (3, 2, 0)


def test_every_block_about_trends_runs_in_turn(server: Server, tmp_path: Path) -> None:
    for block in blocks("docs/trends.md"):
        run(block, server.url, tmp_path)


def test_what_the_page_on_importance_does_is_what_it_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs/importance.md").read_text()
    commands_of_page = re.findall(r"```sh\n(.*?)\n```", page)
    with (
        mlflow_server(tmp_path) as mlflow,
        Server(tmp_path / "data", MLFLOW_TRACKING_URI=mlflow) as server,
    ):
        training, sending = blocks("docs/importance.md")
        run(training.replace(MLFLOW, mlflow), server.url, tmp_path)
        environment = {
            **os.environ,
            "COLUMNS": "120",
            "TOCSIN_URL": server.url,
            "MLFLOW_TRACKING_URI": mlflow,
        }
        said = []
        for command in commands_of_page:
            program, *arguments = shlex.split(command)
            assert program == "tocsin"
            if "--recent" in arguments:
                run(sending, server.url, tmp_path)
                server.caught_up()
            done = subprocess.run(
                [sys.executable, "-m", "tocsin", *arguments],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            said.append(done.stdout)
    shown = [line.split() for line in said[1].splitlines() if line.strip()]
    promised = [line.split() for line in re.findall(r"^    (.*)$", page, re.MULTILINE)]
    for line in shown:
        assert line in promised, said[1]
    assert "It took" in said[0]
    assert "It was known" in said[2]
    assert "0 of the recent rows have labels" in said[3]
    assert "The model relies on other features than on its reference: NDCG 0." in said[3]


def test_what_the_page_on_drift_does_is_what_it_shows(server: Server, tmp_path: Path) -> None:
    (watching,) = blocks("docs/drift.md")
    run(watching, server.url, tmp_path)
    server.caught_up()
    page = (ROOT / "docs/drift.md").read_text()
    said = []
    for command in re.findall(r"```sh\n(.*?)\n```", page):
        program, *arguments = shlex.split(command)
        assert program == "tocsin"
        done = CliRunner().invoke(commands, [*arguments, "--url", server.url])
        assert done.exit_code == 0, done.output
        said.append(done.output)
    assert re.search(r"distance +drift +", said[0])
    assert re.search(r"carrier +no drift +", said[0])
    assert "mostly by distance" in said[2]
    # Rows of half as far again are hardly in the reference.
    assert "No estimate by weighting, as" in said[2]
    for line in re.findall(r"^    (\S.*)$", page, re.MULTILINE):
        if line.startswith("distance in"):
            assert line in said[1]
    for name in STATISTICS:
        assert f"`{name}`" in page
        assert name in said[1]


def test_the_page_on_quality_shows_what_it_finds_and_takes_expectations_back(
    server: Server, tmp_path: Path
) -> None:
    page = (ROOT / "docs/quality.md").read_text()
    wrong, declared = blocks("docs/quality.md")
    run(wrong, server.url, tmp_path)
    server.caught_up()
    said = CliRunner().invoke(commands, ["quality", "payments", "--url", server.url])
    (promised,) = re.findall(r"^    (violated .*)$", page, re.MULTILINE)
    assert " ".join(promised.split()) in " ".join(said.output.split())
    run(declared, server.url, tmp_path)
    server.caught_up()
    expected = server.get("/models/payments/expectations")["features"]
    assert expected["amount"]["null_rate"]["source"] == "declared"
    assert expected["country"]["values"]["values"] == ["DE", "FR", "PL", "CZ"]
    listed = CliRunner().invoke(
        commands, ["quality", "payments", "--expectations", "--url", server.url]
    )
    assert "at most 2.0 %, as declared" in " ".join(listed.output.split()).lower()


def test_the_page_on_quality_names_every_check() -> None:
    page = (ROOT / "docs/quality.md").read_text()
    checks = (*FEATURE_CHECKS, *MODEL_CHECKS, VOLUME)
    assert [name for name in checks if f"| `{name}` |" not in page] == []


def test_what_the_page_on_estimates_does_is_estimated(server: Server, tmp_path: Path) -> None:
    page = (ROOT / "docs/estimates.md").read_text()
    (example,) = blocks("docs/estimates.md")
    run(example, server.url, tmp_path)
    server.caught_up()
    said = []
    for command in re.findall(r"```sh\n(.*?)\n```", page):
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            env={**os.environ, "COLUMNS": "120", "TOCSIN_URL": server.url},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "ROC AUC estimated 0." in said[0]
    assert "unproven" in said[0]
    assert "Weighted to be like the window, 5,000 labelled rows" in said[1]
    assert re.search(r"ROC AUC +0\.\d+ \(0\.\d+ to 0\.\d+\) +0\.\d+", said[1])
    found = {each["metric"]: each for each in server.get("/models/fraud/estimates")}
    assert all(f"`{name}`" in page for name in found)
    newest = found["accuracy_score"]["points"][-1]
    assert newest["trusted"]
    assert newest["estimate"]["low"] < newest["estimate"]["value"] < newest["estimate"]["high"]
    assert newest["method"] == "cbpe"
    assert found["accuracy_score"]["backtest"]["windows"] > 8
    assert "within the interval in" in found["accuracy_score"]["sentence"]
    flags = {flag for each in found.values() for p in each["points"] for flag in p["flags"]}
    assert "unproven" in flags
    assert all(f"`{flag}`" in page for flag in flags)


def test_the_example_of_monitors_as_code_is_applied(server: Server, tmp_path: Path) -> None:
    page = (ROOT / "docs/monitors.md").read_text()
    (making,) = blocks("docs/monitors.md")
    run(making, server.url, tmp_path)
    example, tests = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "monitors.yaml").write_text(example)
    (tmp_path / "monitors.test.yaml").write_text(tests)
    said = {}
    for command in re.findall(r"```sh\n(.*?)\n```", page):
        program, name, *arguments = shlex.split(command)
        assert program == "tocsin"
        done = subprocess.run(
            [sys.executable, "-m", "tocsin", name, *arguments],
            cwd=tmp_path,
            env={**os.environ, "TOCSIN_URL": server.url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said[name] = (done.returncode, done.stdout + done.stderr)
    assert said["check"] == (0, "No faults: 1 monitor, 2 receivers.\n")
    assert said["plan"][0] == 2
    assert "4 changes." in said["plan"][1]
    assert said["apply"][0] == 0
    assert said["test"] == (
        0,
        "ok     one bad window wakes nobody, two do\n1 of 1 tests passed.\n",
    )
    (tmp_path / "exported.yaml").write_text(said["export"][1])
    (monitor,) = load([tmp_path / "exported.yaml"]).checked.good().monitors
    assert [rule["alert"] for rule in monitor.document["rules"]] == [
        "AucLow",
        "EstimateLow",
        "FeatureDrift",
        "NullRateHigh",
    ]


def test_the_page_on_monitors_names_every_field() -> None:
    page = (ROOT / "docs/monitors.md").read_text()
    schema = monitors_schema()
    named = [schema, *schema["$defs"].values()]
    fields = {field for part in named for field in part.get("properties", {})}
    assert sorted(field for field in fields if f"`{field}`" not in page) == []


def test_every_block_about_tasks_adds_its_model(server: Server, tmp_path: Path) -> None:
    for block in blocks("docs/tasks.md"):
        run(block, server.url, tmp_path)
    assert {model["name"] for model in server.get("/models")} == {"tickets", "flats"}


def test_every_block_about_the_registry_runs_in_turn(tmp_path: Path) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        mlflow_server_that_may_call(tmp_path, patch) as mlflow,
        Server(
            tmp_path / "data",
            MLFLOW_TRACKING_URI=mlflow,
            TOCSIN_MLFLOW_WEBHOOK_SECRET="the secret that Tocsin has too",
        ) as server,
    ):
        for block in blocks("docs/registry.md"):
            run(block.replace(MLFLOW, mlflow), server.url, tmp_path)
        server.caught_up()
        watched = CliRunner().invoke(
            commands,
            ["watch", "models:/churn/2", "--name", "second", "--label", "left", "--score", "p",
             "--reference", str(tmp_path / "validation.parquet"), "--url", server.url],
        )  # fmt: skip
        history = server.get("/models/churn/history")
        versions = server.get("/models/churn/versions")["versions"]
    assert watched.exit_code == 0, watched.exception
    assert "Tocsin watches second version 2" in watched.output
    assert "Rule RocAucLow" in watched.output
    assert [(move["from"], move["to"]) for move in history["moves"]] == [
        (None, "1"),
        ("1", "2"),
        ("2", "1"),
    ]
    assert {(column["version"], column["rows"]) for column in versions} == {("1", 6), ("2", 6)}


@contextmanager
def mlflow_server_that_may_call(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[str]:
    patch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http,https")
    patch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    with mlflow_server(folder) as mlflow:
        yield mlflow


def test_every_block_about_serving_runs_in_turn(tmp_path: Path) -> None:
    watch, ask, read, batch = blocks("docs/serving.md")
    commands_of_page = re.findall(
        r"```sh\n(.*?)```", (ROOT / "docs/serving.md").read_text(), re.DOTALL
    )
    command = shlex.split(commands_of_page[0])
    assert command[-3:] == ["--port", "5001", "--reload"]
    with (
        mlflow_server(tmp_path) as mlflow,
        Server(tmp_path / "data", MLFLOW_TRACKING_URI=mlflow) as server,
    ):
        run(watch.replace(MLFLOW, mlflow), server.url, tmp_path)
        environment = {"MLFLOW_TRACKING_URI": mlflow, "TOCSIN_URL": server.url}
        serve = [*command[:-3], "--reload"]
        with served(serve, log=tmp_path / "serve.log", environment=environment) as (serving,):
            run(ask.replace("http://127.0.0.1:5001", serving), server.url, tmp_path)
            until(lambda: server.get("/models/tumour/summary")["predictions"] == 2)
            server.caught_up()
            run(read, server.url, tmp_path)
        run(batch.replace(MLFLOW, mlflow), server.url, tmp_path)
        server.caught_up()
        summary = server.get("/models/tumour/summary")
        (hour,) = server.get("/models/tumour/operations?window=24h&span=1d")
    assert (summary["predictions"], summary["joined"], summary["quarantined"]) == (7, 2, 0)
    assert (hour["requests"], hour["rows"], hour["captured"]) == (1, 2, 2)


def test_the_pages_on_notifications_and_on_watching_run(server: Server, tmp_path: Path) -> None:
    for block in (*blocks("docs/notifications.md"), *blocks("docs/watching.md")):
        run(block, server.url, tmp_path)
    listed = {one["name"]: one for one in server.get("/receivers")}
    assert listed["oncall"]["fallback"] == "oncall-mail"


def test_the_pages_on_notifications_and_on_watching_name_what_there_is() -> None:
    page = (ROOT / "docs/watching.md").read_text()
    assert [name for name in FAMILIES if f"`{name}`" not in page] == []
    page = (ROOT / "docs/notifications.md").read_text()
    channels = set(ReceiverDocument.model_fields) - {"fallback"}
    assert {name for name in channels if f"| `{name}` |" not in page} == set()


def test_the_guide_names_every_metric() -> None:
    guide = (ROOT / "docs/guide.md").read_text()
    assert [name for name in METRICS if f"`{name}`" not in guide] == []


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_the_page_on_tasks_names_every_metric(task: str) -> None:
    page = (ROOT / "docs/tasks.md").read_text()
    more = {"classes": ("a", "b", "c"), "scores": ("p", "q", "r")}
    schema = Schema(Task(task), (), None, "said", "y", **(more if task == "multiclass" else {}))
    missing = [name for name in catalogue(schema) if f"`{name}`" not in page]
    assert missing == []


def test_commands_in_the_readme_exist() -> None:
    named = set(re.findall(r"tocsin ([a-z]+)", (ROOT / "README.md").read_text()))
    known = {command.callback.__name__ for command in commands.registered_commands}
    assert {"server", "watch", "rebuild"} <= named & known


def test_links_inside_the_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_block_about_routing_runs_in_turn(server: Server, tmp_path: Path) -> None:
    first, *rest = blocks("docs/routing.md")
    run(first, server.url, tmp_path)
    told = CliRunner().invoke(
        commands, ["route", "test", "model=fraud", "severity=critical", "--url", server.url]
    )
    assert "by route.routes.0, which takes" in told.output
    assert "team would be told\n    by route.routes.2, which takes everything" in told.output
    for block in rest:
        run(block, server.url, tmp_path)
    assert [each["state"] for each in server.get("/silences?expired=true")] == ["expired"]
