"""Anchors of the audit, by commands."""

from pathlib import Path

from tests.servers import serving
from tests.world import monitor_document, reference
from typer.testing import CliRunner

from tocsin.app import App
from tocsin.cli.commands import commands


def test_nothing_is_noted_beside_anchors_that_the_records_do_not_hold(
    app: App, tmp_path: Path
) -> None:
    app.register.add("late", monitor_document(), reference(500))
    anchors = tmp_path / "anchors.jsonl"
    with serving(app) as url:
        noted = CliRunner().invoke(commands, ["audit", "anchor", str(anchors), "--url", url])
        assert noted.exit_code == 0
        # As when the records were written anew, or their end was cut off, since then.
        for gone in ('{"seq": 1, "hash": "%s"}\n', '{"seq": 100000, "hash": "%s"}\n'):
            anchors.write_text(gone % ("0" * 64))
            refused = CliRunner().invoke(commands, ["audit", "anchor", str(anchors), "--url", url])
            assert "nothing was noted" in str(refused.exception)
            assert len(anchors.read_text().splitlines()) == 1
