"""The command line as people use it: real processes, real messages."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.servers import Server, free_port, serving
from tests.world import Feed, monitor_document, prediction, reference
from typer.testing import CliRunner

import tocsin
from tocsin.app import App, opened
from tocsin.cli.commands import commands
from tocsin.service.fold import Fold
from tocsin.settings import Settings


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server with one model and an open incident."""
    folder = tmp_path_factory.mktemp("cli") / "data"
    where = Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)
    rule = {
        "alert": "High",
        "expr": {"metric": "label_rate", "window": "1h", "op": ">", "value": 0.01},
    }
    with opened(where) as app:
        app.register.add("late", monitor_document(rules=[rule]), reference(500))
        Feed(app, "late").hours(0, 6)
        Feed(app, "late").work()
    with Server(folder) as running:
        yield running


def test_the_version_is_that_of_the_package() -> None:
    assert run("version").stdout.strip() == tocsin.__version__


def test_help_lists_every_command() -> None:
    text = run("--help").stdout
    for command in ("server", "demo", "watch", "models", "metrics", "incidents", "rebuild"):
        assert command in text


def test_status_tells_of_the_server_and_of_the_rows_of_a_model(server: Server) -> None:
    text = run("status", "--url", server.url).stdout
    assert "monitors 1 model." in text
    assert "0 rows wait to be folded" in text

    text = run("status", "late", "--url", server.url).stdout
    assert "480 predictions" in text
    assert "480 outcomes" in text
    assert "quarantine" not in text


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["quality", "late"], "/models/late/quality"),
        (["drift", "late"], "/models/late/drift"),
        (["drift", "late", "--feature", "distance"], "/models/late/features/distance/drift"),
        (["estimates", "late"], "/models/late/estimates"),
        (["trends", "late"], "/models/late/trends"),
        (["metrics", "late", "roc_auc"], "/models/late/metrics/roc_auc"),
        (["metrics", "late", "volume"], "/models/late/metrics/volume"),
        (["incidents"], "/incidents"),
        (["incidents", "1"], "/incidents/1"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_signals_are_tables_for_people_and_json_for_programs(
    server: Server, command: list[str], path: str
) -> None:
    shown = CliRunner().invoke(commands, [*command, "--url", server.url])
    assert shown.exit_code == 0, shown.output
    assert "{" not in shown.output
    printed = CliRunner().invoke(commands, [*command, "--json", "--url", server.url])
    assert printed.exit_code == 0, printed.output
    answered = server.get(path)
    document = json.loads(printed.output)
    # The age of the newest prediction goes on.
    for each in (answered, document):
        if isinstance(each, dict):
            each.pop("freshness", None)
    assert document == answered


def test_models_shows_condition_and_headline(server: Server) -> None:
    text = run("models", "--url", server.url).stdout
    assert "late" in text
    assert "breach" in text
    assert "label_rate" in text


def test_metrics_shows_the_newest_windows_with_their_intervals(server: Server) -> None:
    text = run("metrics", "late", "--metric", "roc_auc", "--window", "1h", "--url", server.url)
    assert "2013-05-01T04:00:00Z" in text.stdout
    assert "[0." in text.stdout


def test_incidents_lists_them_and_shows_one_in_full(server: Server) -> None:
    listed = run("incidents", "--open", "--url", server.url).stdout
    assert "Positives among outcomes is above 0.01" in listed
    full = run("incidents", "1", "--url", server.url).stdout
    assert "High fired" in full


@pytest.mark.parametrize(
    "arguments", [("models",), ("metrics", "late"), ("incidents",), ("watch", "models:/x@champion")]
)
def test_a_server_that_is_not_there_is_said_in_one_sentence(arguments: tuple[str, ...]) -> None:
    failed = run(*arguments, "--url", f"http://127.0.0.1:{free_port()}")

    assert failed.returncode == 1
    assert "no Tocsin server answers at" in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_an_unknown_model_is_said_in_one_sentence(server: Server) -> None:
    failed = run("metrics", "nobody", "--url", server.url)

    assert failed.returncode == 1
    assert failed.stderr.startswith("tocsin: model 'nobody' is not monitored")
    assert failed.stderr.count("\n") == 1


def test_a_port_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failed = run("server", "--port", str(port), "--data", str(tmp_path))

    assert failed.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_a_second_server_on_the_same_data_is_refused_in_one_sentence(server: Server) -> None:
    failed = run("server", "--port", "0", "--data", str(server.folder))

    assert failed.returncode == 1
    assert "another Tocsin" in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_rebuilding_while_a_server_runs_is_refused(server: Server) -> None:
    failed = run("rebuild", "late", "--data", str(server.folder))

    assert failed.returncode == 1
    assert "another Tocsin" in failed.stderr


def test_a_data_folder_that_delta_lake_cannot_handle_is_refused(tmp_path: Path) -> None:
    failed = run("server", "--port", "0", "--data", str(tmp_path / "data[1]"))

    assert failed.returncode == 1
    assert "choose another with --data" in failed.stderr


def test_rebuild_says_how_many_predictions_it_read(tmp_path: Path) -> None:
    where = Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None)
    with opened(where) as app:
        app.register.add("late", monitor_document(), reference(500))
        Feed(app, "late").hours(0, 2)
        Feed(app, "late").work()

    done = run("rebuild", "late", "--data", str(tmp_path / "data"))
    assert "from 160 predictions" in done.stdout


def test_the_sdk_imports_nothing_but_httpx2_and_the_standard_library() -> None:
    code = (
        "import sys, json, tocsin; "
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    loaded = json.loads(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
    )
    heavy = {"numpy", "pandas", "pyarrow", "sqlalchemy", "fastapi", "mlflow", "pydantic", "duckdb"}
    assert heavy.isdisjoint(loaded)


def test_erase_waits_until_it_can_say_how_many_rows_they_were(tmp_path: Path) -> None:
    where = Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None)
    with opened(where) as app:
        app.register.add("late", monitor_document(), reference(500))
        Feed(app, "late").hours(0, 1)
    with Server(tmp_path / "data") as running:
        done = run("erase", "late", "h0-1", "h0-2", "nobody", "--wait", "--url", running.url)
        assert done.stdout == "Erased 2 predictions, 2 outcomes and 0 rows in quarantine.\n"

        asked = run("erase", "late", "h0-3", "--url", running.url).stdout
        running.caught_up()
        (newest, _) = running.get("/models/late/erasures")
        assert (newest["state"], newest["predictions"], newest["outcomes"]) == ("done", 1, 1)
        assert f"/api/v1/models/late/erasures/{newest['offset']}" in asked


def test_erase_does_not_wait_for_a_model_that_cannot_be_folded(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.register.add("late", monitor_document(), reference(500))
    Feed(app, "late").hours(0, 1)

    def failing(*_: object) -> int:
        raise OSError("the disk of this model is gone")

    monkeypatch.setattr(Fold, "fold", failing)
    with serving(app) as url:
        ended = run("erase", "late", "h0-1", "--wait", "--url", url)
    assert ended.returncode == 1
    assert "fold of late failed" in ended.stderr
    assert "OSError: the disk of this model is gone" in ended.stderr
    assert app.erase.erasures("late")[0].done_at is None


@pytest.mark.parametrize("name", ["late#old", "late?x", "late%2Fx", ".."])
def test_commands_are_about_the_model_of_the_name_and_no_other(app: App, name: str) -> None:
    for each in ("late", name):
        app.register.add(each, monitor_document(), reference(400))
        Feed(app, each).predictions(prediction("bad", p=9))
        Feed(app, each).hours(0, 4)
    app.worker.work()
    with serving(app) as url:
        asked = [
            CliRunner().invoke(commands, [*command, "--url", url])
            for command in (
                ("status", name),
                ("metrics", name, "--metric", "mean_score", "--window", "1h"),
                ("operations", name),
                ("history", name),
                ("quarantine", name),
                ("replay", name),
                ("erase", name, "h0-1", "--wait"),
                ("delete", name, "--yes"),
            )
        ]
    assert [done.exception for done in asked] == [None] * len(asked)
    assert f"{name}, version" in asked[0].output
    assert [overview.name for overview in app.read.overviews()] == ["late"]
    assert app.read.model("late").counts.get("erased", 0) == 0


def test_delete_asks_first_and_then_leaves_nothing(tmp_path: Path) -> None:
    where = Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None)
    with opened(where) as app:
        app.register.add("late", monitor_document(), reference(500))
        Feed(app, "late").hours(0, 1)
    with Server(tmp_path / "data") as running:
        asked = run("delete", "late", "--url", running.url)
        assert "Delete late with its 80 predictions, for good?" in asked.stdout
        assert (asked.returncode, len(running.get("/models"))) == (1, 1)

        done = run("delete", "late", "--yes", "--url", running.url)
        assert (done.returncode, running.get("/models")) == (0, [])
        gone = run("delete", "late", "--yes", "--url", running.url)
        assert (gone.returncode, "'late'" in gone.stderr) == (1, True)
