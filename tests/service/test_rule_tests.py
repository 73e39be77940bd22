"""`tocsin test`: what files say of alerts is held against the life cycle itself."""

from pathlib import Path

import pytest
from tests.declared.faulty import HEAD
from typer.testing import CliRunner

from tocsin.cli.commands import commands
from tocsin.errors import ConfigurationError, InvalidInputError
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
        ("files: [monitors.yaml]\n", "", ":1:.*`files` is required"),
    ],
)
def test_faults_of_tests_are_told_with_their_lines(
    file: Path, before: str, after: str, words: str
) -> None:
    assert before in TESTS
    file.write_text(TESTS.replace(before, after, 1))
    with pytest.raises(ConfigurationError, match=words):
        run_tests(file)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("rule: AucLow", "rule: Nope", "no rule 'Nope'"),
        ("monitor: late", "monitor: nope", "monitor 'nope'"),
        ("{sees: breach, expect: firing}", "{value: 0.3}", "write what it sees"),
        ("revise: 2, expect: inactive", "revise: 9", "revises window 9"),
    ],
)
def test_what_no_test_can_be_about_is_told(file: Path, before: str, after: str, words: str) -> None:
    file.write_text(TESTS.replace(before, after, 1))
    with pytest.raises(InvalidInputError, match=words):
        run_tests(file)
