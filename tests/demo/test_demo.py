"""The demo over a short period: real MLflow, real servers, a fault seen before its labels."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.demo.run import Period
from tocsin.errors import InvalidInputError


def test_the_demo_sees_the_fault_before_its_labels_and_names_the_cause(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "demo", "--headless", "--json", "demo.json",
         "--first", "2013-07-01", "--last", "2013-07-16"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "demo.json").read_text())

    assert found["fault"] == {"kind": "unit", "feature": "distance", "start": "2013-07-15"}
    assert found["detected"]["before_labels"]
    assert found["detected"]["rows_after"] < 200
    assert found["causes"][0]["feature"] == "distance"
    assert found["rows"] > 10_000
    assert 0.9 * found["rows"] < found["outcomes_joined"] <= found["rows"]
    assert found["peak_rss_mb"] > 100
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "days",
    [
        {"first": "2013-01-01"},
        {"first": "2013-07-15"},
        {"last": "2013-07-15"},
        {"last": "2014-02-01"},
    ],
)
def test_a_period_that_cannot_show_the_fault_is_refused(days: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError, match="2013"):
        Period(**days)
