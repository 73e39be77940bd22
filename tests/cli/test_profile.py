"""`tocsin profile` as people use it: a table, its outcomes, or one sentence on what it lacks."""

import io
import os
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.engines.made import Made, made
from tests.servers import free_port
from tests.world import Feed, prediction, reference
from tests.world import monitor_document as document

from tocsin.app import opened
from tocsin.cli import main
from tocsin.schema import Task
from tocsin.settings import Settings

MONITOR = {
    "schema": {
        "features": [{"name": "amount", "kind": "numeric"}],
        "score": "p",
        "prediction": "said",
        "label": "truth",
        "positive": "yes",
        "negative": "no",
    },
    "labels": {"max": "7d"},
}


@dataclass(frozen=True)
class Place:
    """A folder with data of Tocsin and tables of somebody's."""

    folder: Path
    rows: Made

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tocsin", "profile", *arguments,
             "--data", str(self.folder / "data")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "COLUMNS": "200", **environment},
        )  # fmt: skip

    def refusal(self, *arguments: str) -> str:
        """The one sentence on standard error, of this process as it is the same."""
        argv = ["tocsin", "profile", *arguments, "--data", str(self.folder / "data")]
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
            patch.setattr(sys, "argv", argv)
            with pytest.raises(SystemExit) as ended:
                main()
        told = ended.value.code
        assert isinstance(told, str)
        assert told.startswith("tocsin: ")
        assert "\n" not in told
        assert out.getvalue() == ""
        return told

    def table(self, name: str) -> str:
        return str(self.folder / "tables" / name)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("profile")
    rows = made(Task.BINARY, 300)
    rows.source(folder / "tables")
    with opened(Settings(folder / "data", "127.0.0.1", 1, "http://tocsin.test", None)) as app:
        labels = np.random.default_rng(9).choice(["yes", "no"], 300)
        first = rows.predictions.slice(0, 300).append_column("truth", pa.array(labels))
        app.register.add("churn", MONITOR, first)
        app.register.add("late", document(), reference(500))
        Feed(app, "late").predictions(prediction("a"))
        Feed(app, "late").work()
    return Place(folder, rows)


def test_a_table_is_profiled_once_and_what_changed_again(place: Place) -> None:
    given = ("churn", "--table", place.table("predictions [0].parquet"),
             "--outcomes", place.table("outcomes.parquet"))  # fmt: skip
    done = place.run(*given)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Profiled 3 days with 300 predictions, " in done.stdout
    assert "of them labelled; 0 days had not changed." in done.stdout
    assert "Evaluated " in done.stdout
    again = place.run(*given)
    assert "Profiled 0 days with 0 predictions" in again.stdout
    assert "3 days had not changed." in again.stdout
    assert "Evaluated 0 windows" in again.stdout
    fewer = place.folder / "fewer"
    Made(place.rows.schema, place.rows.predictions.slice(0, 50), place.rows.outcomes).source(fewer)
    only = ("churn", "--table", str(fewer / "predictions [0].parquet"))
    assert "lacks 2 days of 'churn' that were profiled before" in place.refusal(*only)
    less = place.run(*only, "--drop")
    assert "None of them has an outcome" in less.stdout
    assert "Dropped 2 days that the table no longer has." in less.stdout


def test_without_a_table_the_lake_is_profiled(place: Place) -> None:
    done = place.run("late")
    assert "Profiled 1 predictions of the lake of late." in done.stdout
    assert "name a table with --table" in place.refusal("churn")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--column", "when=scored_at"), "--column 'when=scored_at' has to be ROLE=NAME with one"),
        (("--column", "timestamp"), "--column 'timestamp' has to be ROLE=NAME"),
        (("--column", "timestamp=scored"), "the predictions lack scored; they have amount, "),
        (("--outcomes", "gone.parquet"), "there is no file or folder gone.parquet"),
        (("--table", "gone.parquet"), "there is no file or folder gone.parquet"),
        (("--table", "."), "there are no Parquet files in ."),
    ],
)
def test_a_wrong_option_is_said_in_one_sentence(
    place: Place, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    options = tuple(str(tmp_path) if option == "." else option for option in options)
    table = () if "--table" in options else ("--table", place.table("predictions [0].parquet"))
    assert message.removesuffix(" .") in place.refusal("churn", *table, *options)


def test_options_that_need_a_table_are_refused_without_one(place: Place) -> None:
    assert "--outcomes needs --table" in place.refusal("late", "--outcomes", "x.parquet")
    assert "--column needs --table" in place.refusal("late", "--column", "timestamp=x")


def test_an_unknown_model_is_said_in_one_sentence(place: Place) -> None:
    told = place.refusal("nobody", "--table", place.table("outcomes.parquet"))
    assert "model 'nobody' is not monitored" in told


def test_a_model_with_predictions_of_its_own_is_refused(place: Place) -> None:
    told = place.refusal("late", "--table", place.table("predictions [0].parquet"))
    assert "'late' has predictions of its own" in told


@pytest.mark.parametrize("master", ["spark://127.0.0.1:{port}", "spark://nowhere", "spork://x"])
def test_a_spark_master_that_does_not_answer_is_said_soon(place: Place, master: str) -> None:
    master = master.format(port=free_port())
    began = time.monotonic()
    told = place.refusal("churn", "--table", "scored", "--engine", "spark", "--master", master)
    assert time.monotonic() - began < 60
    assert f"no Spark answers at {master}" in told or f"no Spark at {master}: " in told


def test_spark_that_is_not_installed_is_said_with_the_remedy(place: Place) -> None:
    hidden = place.folder / "hidden" / "pyspark"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'pyspark'\", name='pyspark')"
    )
    path = os.pathsep.join([str(hidden.parent), os.environ.get("PYTHONPATH", "")])
    failed = place.run("churn", "--table", "scored", "--engine", "spark", PYTHONPATH=path)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert (
        failed.stderr
        == "tocsin: Spark needs pyspark; install it with pip install 'tocsin[spark]'\n"
    )
