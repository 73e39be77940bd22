"""Monitors as code by commands: check, plan, apply, export."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from tests.declared.faulty import GOOD_RULE, HEAD
from tests.servers import serving
from tests.world import Feed, reference
from typer.testing import CliRunner

from tocsin.app import App
from tocsin.cli.commands import commands

MINE = HEAD + "  reference: ref.parquet\n"
OPS = "receivers:\n- {name: ops, webhook: {url: 'https://a.example/'}}\n"


@pytest.fixture
def url(app: App) -> Iterator[str]:
    with serving(app) as address:
        yield address


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(reference(300), tmp_path / "ref.parquet")
    made = tmp_path / "monitors.yaml"
    made.write_text(MINE + "  rules:\n" + GOOD_RULE + OPS)
    return made


def tocsin(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, list(map(str, arguments)))


def test_check_needs_no_server_and_tells_every_fault(file: Path) -> None:
    good = tocsin("check", file)
    assert (good.exit_code, good.output) == (0, "No faults: 1 monitor, 1 receiver.\n")
    file.write_text(file.read_text().replace("critical", "critcal").replace("ops", "o\no"))
    bad = tocsin("check", file)
    assert bad.exit_code == 1
    assert f"{file}:15:14: monitors.late.rules.AucLow.labels.severity: 'critcal'" in bad.stderr
    assert bad.stderr.endswith(f"1 fault in {file}.\n")
    told = json.loads(tocsin("check", "--json", file).stdout)
    assert [(fault["line"], fault["path"][-1]) for fault in told] == [(15, "severity")]


def test_check_looks_for_references(file: Path) -> None:
    (file.parent / "ref.parquet").unlink()
    bad = tocsin("check", file)
    assert f"{file}:10:3: monitors.late.reference: there is no file" in bad.stderr
    (file.parent / "ref.parquet").write_text("no Parquet")
    assert "is not Parquet" in tocsin("check", file).stderr
    assert "there is no file" in str(tocsin("check", file.parent / "none.yaml").exception)


def test_a_folder_is_all_of_its_files_but_the_tests(file: Path) -> None:
    inner = file.parent / "more"
    inner.mkdir()
    (inner / "ops.yml").write_text("apiVersion: tocsin/v1\n" + OPS.replace("ops", "others"))
    (inner / "late.test.yaml").write_text("tests: []\n")
    assert tocsin("check", file.parent).stdout == "No faults: 1 monitor, 2 receivers.\n"
    (inner / "empty").mkdir()
    assert "no .yaml file" in str(tocsin("check", inner / "empty").exception)


def test_check_prints_the_schema() -> None:
    printed = json.loads(tocsin("check", "--schema").stdout)
    assert printed["properties"]["monitors"]["type"] == "array"
    assert tocsin("check").exit_code == 2


def test_a_plan_is_shown_and_applied(file: Path, url: str) -> None:
    planned = tocsin("plan", file, "--url", url)
    assert planned.exit_code == 2
    assert planned.stdout.splitlines()[:3] == [
        "+ monitors/late  added",
        planned.stdout.splitlines()[1],
        "+ receivers/ops  added",
    ]
    assert "2 changes." in planned.stdout
    refused = CliRunner().invoke(commands, ["apply", str(file), "--url", url], input="n\n")
    assert refused.exit_code == 1
    assert tocsin("plan", file, "--url", url).exit_code == 2

    done = tocsin("apply", file, "--yes", "--url", url)
    assert done.exit_code == 0, done.output
    assert "Applied as number 1" in done.stdout
    nothing = tocsin("plan", file, "--url", url)
    assert (nothing.exit_code, nothing.stdout) == (0, "0 changes; 2 as they are.\n")
    assert "Nothing to apply" in tocsin("apply", file, "--yes", "--url", url).stdout

    file.write_text(file.read_text().replace("value: 0.7,", "value: 0.71,"))
    changed = tocsin("plan", file, "--url", url)
    assert "    rules.AucLow.expr.value: 0.7 -> 0.71\n" in changed.stdout
    # Of a reference that stays, no rows are sent.
    assert json.loads(tocsin("plan", "--json", file, "--url", url).stdout)["missing"] == []
    assert tocsin("apply", file, "--yes", "--url", url).exit_code == 0


def test_what_only_the_server_finds_is_told_at_its_line(file: Path, url: str) -> None:
    tocsin("apply", file, "--yes", "--url", url)
    file.write_text(file.read_text().replace("label: late", "label: distance2"))
    refused = tocsin("apply", file, "--yes", "--url", url)
    assert refused.exit_code == 1
    assert f"{file}:3:3: monitors.late.name: task, outputs, label" in refused.stderr
    file.write_text(MINE + "  metrics: [{name: m, function: nobody_has_it}]\n")
    refused = tocsin("plan", file, "--url", url)
    assert f"{file}:11:" in refused.stderr
    assert "nobody_has_it" in refused.stderr


def test_models_with_predictions_go_only_with_the_option(file: Path, url: str, app: App) -> None:
    tocsin("apply", file, "--yes", "--url", url)
    Feed(app, "late").hours(0, 1, rows=5)
    Feed(app, "late").work()
    file.write_text("apiVersion: tocsin/v1\n")
    planned = tocsin("plan", file, "--url", url)
    assert "- monitors/late  removed" in planned.stdout
    assert "its 5 predictions" in planned.stdout
    refused = tocsin("apply", file, "--yes", "--url", url)
    assert "--delete-models" in str(refused.exception)
    gone = tocsin("apply", file, "--yes", "--delete-models", "--url", url)
    assert gone.exit_code == 0, gone.output


def test_an_export_is_a_file_that_changes_nothing(file: Path, url: str, tmp_path: Path) -> None:
    tocsin("apply", file, "--yes", "--url", url)
    exported = tmp_path / "exported.yaml"
    exported.write_text(tocsin("export", "--url", url).stdout)
    assert tocsin("check", exported).exit_code == 0
    assert tocsin("plan", exported, "--url", url).exit_code == 0


def test_the_api_takes_yaml_and_json_and_tells_faults_with_their_lines(url: str) -> None:
    api = f"{url}/api/v1"
    refused = httpx2.post(f"{api}/plan", content="apiVersion: tocsin/v1\nmonitor: []\n")
    assert refused.status_code == 422
    (fault,) = refused.json()["error"]["faults"]
    assert (fault["file"], fault["line"], fault["field"]) == ("document", 2, "monitor")
    planned = httpx2.post(f"{api}/plan", json={"apiVersion": "tocsin/v1", "monitors": []})
    assert (planned.status_code, planned.json()["changes"]) == (200, 0)
    assert httpx2.post(f"{api}/plan", content=b"\xff").status_code == 400
    schema = httpx2.get(f"{api}/schema/monitors.json").json()
    assert schema == json.loads(tocsin("check", "--schema").stdout)


def test_what_was_applied_can_be_looked_up(file: Path, url: str) -> None:
    tocsin("apply", file, "--yes", "--url", url)
    api = f"{url}/api/v1"
    (first,) = httpx2.get(f"{api}/applied").json()
    one = httpx2.get(f"{api}/applied/1").json()
    assert one == {**first, "document": one["document"]}
    assert one["document"]["monitors"][0]["reference"]["file"] == "ref.parquet"
    assert httpx2.get(f"{api}/applied/2").status_code == 404
    (record,) = httpx2.get(f"{api}/audit?event=configuration").json()
    assert record["after"]["number"] == 1


def test_pages_of_others_apply_nothing(url: str) -> None:
    foreign = {"origin": "https://evil.example", "content-type": "text/plain"}
    answer = httpx2.post(f"{url}/api/v1/apply", content="apiVersion: tocsin/v1\n", headers=foreign)
    assert answer.status_code == 403
    assert httpx2.get(f"{url}/api/v1/applied").json() == []
