"""Files that a server follows: what they say holds from the next look on."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pyarrow.parquet as pq
import pytest
from tests.declared.faulty import GOOD_RULE, HEAD
from tests.servers import serving
from tests.world import Feed, reference

from tocsin.app import App, opened
from tocsin.errors import ConfigurationError
from tocsin.service.follow_files import FollowFiles
from tocsin.settings import Settings

MINE = HEAD + "  reference: ref.parquet\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(reference(300), tmp_path / "ref.parquet")
    made = tmp_path / "monitors.yaml"
    made.write_text(MINE)
    return made


def rewritten(file: Path, text: str) -> None:
    before = file.stat().st_mtime_ns
    file.write_text(text)
    # Two writes may be nearer than the clock of the file system tells apart.
    os.utime(file, ns=(before + 1_000_000, before + 1_000_000))


def rules(app: App) -> list[str]:
    return [rule.name for rule in app.read.model("late").monitor.rules]


def test_a_change_is_applied_once(app: App, file: Path) -> None:
    follow = FollowFiles(app.configure, [file])
    assert follow.look()
    assert not follow.look()
    rewritten(file, MINE + "  rules:\n" + GOOD_RULE)
    assert follow.look()
    assert rules(app) == ["AucLow"]
    assert [each.actor for each in app.configure.history()] == ["files", "files"]


def test_a_faulty_file_is_told_at_every_look_and_the_old_one_stays(app: App, file: Path) -> None:
    follow = FollowFiles(app.configure, [file])
    rewritten(file, MINE + "  rules:\n" + GOOD_RULE)
    follow.look()
    rewritten(file, MINE + "  rules: none\n")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"monitors\.yaml:11:3: monitors\.late\.rules"):
            follow.look()
    assert rules(app) == ["AucLow"]
    file.unlink()
    with pytest.raises(Exception, match="there is no file"):
        follow.look()
    file.write_text(MINE + "  rules: []\n")
    assert follow.look()
    assert rules(app) == []


def test_another_reference_is_a_change(app: App, file: Path) -> None:
    follow = FollowFiles(app.configure, [file])
    follow.look()
    before = app.read.model("late").monitor
    pq.write_table(reference(400), file.parent / "ref.parquet")
    assert follow.look()
    assert app.read.model("late").monitor == before
    assert app.rebuild.waiting() == ["late"]


def test_the_next_evaluation_uses_what_was_applied(app: App, file: Path) -> None:
    follow = FollowFiles(app.configure, [file])
    rewritten(file, MINE + "  rules: []\n")
    follow.look()
    feed = Feed(app, "late")
    feed.hours(0, 4, flip_labels=True)
    feed.work()
    assert app.read.incidents(model="late") == []
    low = "{metric: accuracy_score, window: 1h, op: '<', value: 0.9}"
    rewritten(file, f"{MINE}  rules:\n  - alert: Low\n    expr: {low}\n")
    follow.look()
    feed.hours(4, 7, flip_labels=True)
    feed.work()
    (incident,) = app.read.incidents(model="late")
    assert incident.resolved is None


def test_a_server_that_is_up_follows_its_files(file: Path, settings: Settings) -> None:
    with opened(replace(settings, config=(file,))) as app, serving(app) as url:

        def get(path: str) -> Any:
            return httpx2.get(f"{url}/api/v1{path}").json()

        def until(holds: Callable[[], object]) -> None:
            deadline = time.monotonic() + 30
            while not holds():
                assert time.monotonic() < deadline, get("/status")
                time.sleep(0.05)

        def model() -> dict[str, object] | None:
            answer = httpx2.get(f"{url}/api/v1/models/late")
            return answer.json() if answer.is_success else None

        until(lambda: model() is not None)
        rewritten(file, MINE + "  rules:\n  - alrt: A\n")
        until(lambda: get("/status")["trouble"])
        (trouble,) = get("/status")["trouble"]
        assert trouble["work"] == "configuration"
        assert "did you mean `alert`?" in trouble["error"]
        rewritten(file, MINE + "  rules:\n" + GOOD_RULE)
        until(lambda: len(get("/applied")) == 2)
        until(lambda: not get("/status")["trouble"])
