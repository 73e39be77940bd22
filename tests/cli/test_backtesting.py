"""`tocsin backtest --rules`: files are read as strictly as those of monitors."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from tests.declared.faulty import GOOD_RULE, HEAD
from tests.servers import serving
from tests.world import Feed, monitor_document, reference
from typer.testing import CliRunner

from tocsin.app import App
from tocsin.cli.commands import commands
from tocsin.declared.configuration import Source
from tocsin.declared.rules_file import parse_rules
from tocsin.errors import ConfigurationError

RULE = "- alert: A\n  expr: {metric: roc_auc, window: 24h, op: '<', value: 0.99}\n  for: 1 window\n"


@pytest.fixture
def url(app: App) -> Iterator[str]:
    app.register.add("late", monitor_document(rules=[]), reference(300))
    feed = Feed(app, "late")
    feed.hours(0, 30, rows=20)
    feed.work()
    with serving(app) as address:
        yield address


def backtest(file: Path, text: str, url: str) -> Result:
    file.write_text(text)
    arguments = ["backtest", "late", "--rules", str(file), "--url", url]
    return CliRunner().invoke(commands, arguments)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


@pytest.mark.parametrize(
    "text",
    [RULE, "rules:\n" + RULE, HEAD + "  rules:\n  " + RULE.replace("\n", "\n  "),
     json.dumps([{"alert": "A", "expr": {"metric": "drift", "window": "1h"}}])],
    ids=["a list", "under rules", "of a monitor", "JSON"],
)  # fmt: skip
def test_rules_are_tried_wherever_they_stand(file: Path, url: str, text: str) -> None:
    done = backtest(file, text, url)
    assert done.exit_code == 0, done.exception
    assert "A " in done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RULE.replace("op: '<'", "op: '<='"), ":2:40: rules.A.expr.op: '<=' is not known"),
        (RULE.replace("for", "fro"), ":3:3: rules.A.fro: .*no `fro` here; did you mean `for"),
        (RULE + "  for: 2\n", ":4:3: A.for: it is in line 3 already"),
        (RULE.replace("1 window", "yes"), ":3:8: .*yes"),
        ("rule:\n" + RULE, ":1:1: rules: `rules` is required"),
        ("[]\n", "at least 1"),
        ("just words\n", "should be a list"),
        (RULE.replace("roc_auc", "roc_acu"), ":2:10: rules.A.expr.metric: .*mean `roc_auc"),
        (RULE.replace("1 window", "90m"), ":3:3: rules.A.for: .*write 1h or 2h"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_whoever_finds_it(
    file: Path, url: str, text: str, words: str
) -> None:
    done = backtest(file, text, url)
    assert done.exit_code == 1
    with pytest.raises(Exception, match=words):
        raise done.exception or AssertionError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD.replace("name: late", "name: laet"), "no monitor 'late'; did you mean `laet`"),
        (HEAD, ":3:3: monitor 'late' has no `rules` in this file"),
        (HEAD + "  rules:\n" + GOOD_RULE.replace("0.72", "0.6"), ":12:.*clears at 0.6"),
    ],
)
def test_files_of_monitors_are_checked_as_such(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse_rules(Source("m.yaml", text), "late")
