"""What `tocsin serve` is told, and how an alias is followed."""

from typing import Any

import pytest
from typer.testing import CliRunner

from tocsin.capture import serving
from tocsin.capture.exchange import Model
from tocsin.capture.monitored import Target
from tocsin.capture.serving import Follower, Serving, address_of
from tocsin.cli.commands import commands
from tocsin.errors import InvalidInputError, RegistryError, TocsinError


@pytest.mark.parametrize("uri", ["models:/churn@champion", "models:/my churn/12"])
def test_addresses_of_registered_models_are_read_and_spoken_alike(uri: str) -> None:
    assert address_of(uri).spoken == uri


@pytest.mark.parametrize("uri", ["runs:/abc/model", "models:/churn", "churn", "models:/a/latest"])
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(InvalidInputError, match="models:/name@alias"):
        address_of(uri)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["-m", "models:/churn/1", "--reload"], "--reload needs an alias"),
        (["-m", "models:/churn@c", "--poll", "0s"], "is no pause"),
        (["-m", "churn"], "is not a registered model"),
    ],
)
def test_options_that_cannot_be_are_told(options: list[str], what: str) -> None:
    done = CliRunner().invoke(commands, ["serve", *options])
    assert isinstance(done.exception, TocsinError)
    assert what in str(done.exception)


class Registry:
    """Where an alias is, and which versions can be loaded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.version = "1"
        self.broken: set[str] = set()
        monkeypatch.setattr(serving, "version_of", lambda _: self.version)
        monkeypatch.setattr(serving, "loaded", self.loaded)

    def loaded(self, _: Any, version: str) -> Model:
        if version in self.broken:
            raise RegistryError(f"version {version} cannot be loaded")
        return Model(version, None)


def follower(*, reload: bool, replaced: list[str]) -> Follower:
    what = Serving(address_of("models:/churn@champion"), Target("http://t", "m"), reload=reload)
    return Follower(what, "1", lambda model: replaced.append(model.version))


def test_the_version_to_which_an_alias_moves_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, replaced = Registry(monkeypatch), []
    following = follower(reload=True, replaced=replaced)
    following.look()
    for registry.version in ("2", "2", "1"):
        following.look()
    assert replaced == ["2", "1"]


def test_a_version_that_cannot_be_loaded_leaves_the_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry, replaced = Registry(monkeypatch), []
    following = follower(reload=True, replaced=replaced)
    registry.version, registry.broken = "2", {"2"}
    with pytest.raises(RegistryError):
        following.look()
    registry.broken = set()
    following.look()
    assert replaced == ["2"]


def test_a_move_that_is_not_followed_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry, replaced = Registry(monkeypatch), []
    following = follower(reload=False, replaced=replaced)
    registry.version = "2"
    following.look()
    following.look()
    assert replaced == []
    assert caplog.text.count("version 2 now") == 1
