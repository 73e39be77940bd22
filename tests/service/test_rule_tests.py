"""`tocsin test`: what files say of alerts is held against the life cycle itself."""

import re
from pathlib import Path

import pytest
from tests.declared.faulty import HEAD
from typer.testing import CliRunner

from tocsin.cli.commands import commands
from tocsin.errors import InvalidInputError
from tocsin.service.rule_tests import run_tests

MONITORS = (
    HEAD
    + """\
  rules:
  - alert: AucLow
    expr: {metric: roc_auc, window: 24h, op: "<", value: 0.7, clear: 0.72}
    for: 2 windows
    keep_firing_for: 2 windows
    min_samples: 300
  - alert: Drift
    expr: {metric: drift, window: 1h}
"""
)
TESTS = """\
apiVersion: tocsin/v1
files: [monitors.yaml]
tests:
- name: the life of an alert
  monitor: late
  rule: AucLow
  windows:
  - {value: 0.80, repeat: 3, expect: inactive}
  - {value: 0.65, expect: pending}
  - restart
  - {value: 0.60, n: 10, expect: pending}        # too few rows decide nothing
  - {value: 0.60, coverage: 0.1, expect: pending}
  - {rows: 0, expect: pending}
  - {value: 0.65, low: 0.6, high: 0.71, expect: pending}
  - {value: 0.64, expect: firing}
  - restart
  - {value: 0.71, expect: firing}                # between clear and value
  - {value: 0.73, expect: recovering}
  - {value: 0.65, expect: firing}
  - {value: 0.75, repeat: 2}
  - {value: 0.75, expect: inactive}
  episodes: [{started: 4, fired: 9, resolved: 14}]
- name: late labels take a breach back
  monitor: late
  rule: AucLow
  windows:
  - {value: 0.65, repeat: 2, expect: ~}
  - {value: 0.80, revise: 2, expect: inactive}
  - {value: 0.65, revise: 2, expect: firing}
  episodes: [{started: 1, fired: 2}]
- name: a verdict
  monitor: late
  rule: Drift
  windows:
  - {sees: breach, expect: firing}
  - {sees: missing, expect: firing}
  - {sees: missing, expect: inactive}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "monitors.yaml").write_text(MONITORS)
    made = tmp_path / "late.test.yaml"
    made.write_text(TESTS)
    return made


def test_tests_that_hold_pass(file: Path) -> None:
    done = CliRunner().invoke(commands, ["test", str(file)])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "3 of 3 tests passed."


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("{value: 0.64, expect: firing}", "{value: 0.64, expect: pending}",
         ["window 9: expected pending, but it is firing", "0.64 (< 0.7: breach"]),
        ("n: 10, expect: pending", "n: 10, expect: firing", ["window 5", "10 of 300 rows"]),
        ("resolved: 14}", "resolved: 13}", ["episodes", "resolved 14"]),
        ("revise: 2, expect: inactive", "revise: 2, expect: firing", ["window 2", "inactive"]),
        ("[{started: 1, fired: 2}]", "[]", ["expected none", "goes on"]),
        ("{sees: missing, expect: inactive}", "{sees: missing, expect: firing}", ["sees missing"]),
    ],
)  # fmt: skip
def test_what_is_otherwise_is_told_with_its_window(
    file: Path, before: str, after: str, words: list[str]
) -> None:
    assert before in TESTS
    file.write_text(TESTS.replace(before, after))
    done = CliRunner().invoke(commands, ["test", str(file)])
    assert done.exit_code == 1
    assert "2 of 3 tests passed." in done.output
    assert all(word in done.output for word in words), done.output


def test_a_rule_that_changes_makes_its_test_fail(file: Path) -> None:
    (file.parent / "monitors.yaml").write_text(MONITORS.replace("for: 2 windows\n    k", "k"))
    failed = [test.name for test in run_tests(file) if test.failures]
    assert failed == ["the life of an alert", "late labels take a breach back"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("expect: pending}\n", "expct: pending}\n", r":9:.*did you mean `expect`\?"),
        ("{value: 0.80, repeat: 3, expect: inactive}", "{repeat: 3}", ":8:.*either `value`"),
        ("expect: recovering", "expect: sleeping", ":18:.*'sleeping'"),
        ("- restart", "- reboot", ":10:.*restart"),
        ("rule: AucLow", "rule: AucLwo", ":6:.*no rule 'AucLwo'; did you mean `AucLow`"),
        ("monitor: late", "monitor: laet", ":5:.*no monitor 'laet'.*; did you mean `late`"),
        ("monitor: late", "about: no_data\n  monitor: late", "`no_data: keep_last`"),
        ("{value: 0.65, expect: pending}", "{rows: 7}", "window of 7 rows says nothing"),
        ("{value: 0.65, expect: pending}", "{revise: 9, value: 1}", "window 9, of 3 that"),
    ],
)
def test_a_faulty_test_is_told_with_its_line_and_the_others_run(
    file: Path, before: str, after: str, words: str
) -> None:
    assert before in TESTS
    file.write_text(TESTS.replace(before, after, 1))
    first, *others = run_tests(file)
    assert first.faulty
    assert first.name == "the life of an alert"
    assert re.search(words, "\n".join(first.failures)), first.failures
    assert [(test.failures, test.faulty) for test in others] == [((), False)] * 2
    done = CliRunner().invoke(commands, ["test", str(file)])
    assert done.exit_code == 1
    assert "FAULTY the life of an alert" in done.output
    assert "2 of 3 tests passed." in done.output


def test_a_value_says_nothing_of_a_verdict(file: Path) -> None:
    file.write_text(TESTS.replace("{sees: breach, expect: firing}", "{value: 0.3}"))
    *_, last = run_tests(file)
    assert "no threshold, so a value says nothing; write what it sees" in last.failures[0]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("files: [monitors.yaml]\n", "", ":1:.*`files` is required"),
        ("tests:\n", "tset: 1\ntests:\n", "no `tset` here"),
        ("files: [monitors.yaml]", "files: [other.yaml]", "no file .*other.yaml"),
    ],
)
def test_a_file_that_is_faulty_as_a_whole_keeps_no_other_from_running(
    file: Path, before: str, after: str, words: str
) -> None:
    other = file.parent / "z.test.yaml"
    other.write_text(TESTS)
    file.write_text(TESTS.replace(before, after, 1))
    with pytest.raises(InvalidInputError, match=words):
        run_tests(file)
    done = CliRunner().invoke(commands, ["test", str(file), str(other)])
    assert done.exit_code == 1
    assert re.search(words, done.output)
    assert "3 of 3 tests passed." in done.output


ROWS = """\
apiVersion: tocsin/v1
files: [monitors.yaml]
tests:
- name: nothing comes
  monitor: late
  rule: AucLow
  windows:
  - {value: 0.8, expect: inactive}
  - {rows: 0}
  - {rows: 0, expect: %s}
  - {value: 0.8}
  - {value: 0.8, expect: inactive}
"""
SEVERAL = """\
- name: an alert of its own
  monitor: late
  rule: AucLow
  about: no_data
  windows:
  - {rows: 500, expect: inactive}
  - {rows: 0, expect: pending}
  - {rows: 0, expect: firing}
  - restart
  - {value: 0.1, expect: recovering}
  - {value: 0.1, expect: inactive}
  - {rows: 0, revise: 4, expect: recovering}
  episodes: [{started: 2, fired: 3}]
"""


@pytest.mark.parametrize(
    ("policy", "phase"),
    [("keep_last", "inactive"), ("ok", "inactive"), ("no_data", "inactive"),
     ("alerting", "firing")],
)  # fmt: skip
def test_windows_without_rows_are_what_the_rule_says(file: Path, policy: str, phase: str) -> None:
    rules = MONITORS.replace("min_samples: 300", f"no_data: {policy}")
    (file.parent / "monitors.yaml").write_text(rules)
    file.write_text(ROWS % phase + (SEVERAL if policy == "no_data" else ""))
    assert [test.failures for test in run_tests(file) if test.failures] == []
    file.write_text(ROWS % "recovering")
    assert "expected recovering" in run_tests(file)[0].failures[0]


def test_a_schema_that_the_registry_tells_is_not_asked_for(file: Path) -> None:
    text = MONITORS.partition("  schema:\n")[0] + "  model: models:/late@champion\n" + (
        "  reference: {dataset: training}\n  rules:" + MONITORS.partition("  rules:")[2]
    )  # fmt: skip
    (file.parent / "monitors.yaml").write_text(text)
    assert {test.faulty for test in run_tests(file)} == {True}
    assert "told by the registry" in run_tests(file)[0].failures[0]
