"""Moving aliases by commands, while others do the same."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import Result
from tests.registries import Clock, FakeRegistry
from tests.servers import serving
from tests.world import monitor_document, reference
from typer.testing import CliRunner

from tocsin.app import App
from tocsin.cli.commands import commands
from tocsin.service.aliases import Aliases


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def url(app: App, registry: FakeRegistry) -> Iterator[str]:
    """A server that saw champion at 1, 2 and 3."""
    app.register.add("late", monitor_document(model="models:/flights@champion"), reference(500))
    keeper = Aliases(app.records, registry, Clock())
    for version in ("1", "2", "3"):
        registry.aliases["champion"] = version
        keeper.look("flights")
    with serving(replace(app, aliases=keeper)) as url:
        yield url


def rollback(url: str, *more: str) -> Result:
    return CliRunner().invoke(
        commands, ["rollback", "late", "--reason", "slow", *more, "--url", url]
    )


def somebody_else_goes_back_first(registry: FakeRegistry) -> None:
    def go_back(call: str) -> None:
        if call == "state":
            registry.interrupt = lambda _: None
            registry.aliases["champion"] = "2"

    registry.interrupt = go_back


def test_two_who_roll_back_at_once_go_back_once(url: str, registry: FakeRegistry) -> None:
    somebody_else_goes_back_first(registry)
    refused = rollback(url)
    assert refused.exit_code == 1
    assert "is at version 2 by now, not at 3" in str(refused.exception)
    assert registry.aliases["champion"] == "2"


def test_a_second_step_back_can_be_meant(url: str, registry: FakeRegistry) -> None:
    somebody_else_goes_back_first(registry)
    assert rollback(url, "--expected", "any").exit_code == 0
    assert registry.aliases["champion"] == "1"


def test_where_it_is_expected_to_be_can_be_said(url: str, registry: FakeRegistry) -> None:
    assert "not at 1" in str(rollback(url, "--expected", "1").exception)
    assert rollback(url, "--expected", "3").exit_code == 0
    assert registry.aliases["champion"] == "2"
