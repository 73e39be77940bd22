"""What `tocsin serve` is told, and how an alias is followed."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from tests.registry.conftest import OF_MLFLOW
from typer.testing import CliRunner

from tocsin.capture import serving
from tocsin.capture.exchange import Model
from tocsin.capture.monitored import Target
from tocsin.capture.serving import Follower, Serving, Switch, captured
from tocsin.cli.commands import commands
from tocsin.errors import InvalidInputError, RegistryError, TocsinError
from tocsin.model_uri import parse_address

pytestmark = OF_MLFLOW


@pytest.mark.parametrize("uri", ["models:/churn@champion", "models:/my churn/12"])
def test_addresses_of_registered_models_are_read_and_spoken_alike(uri: str) -> None:
    assert parse_address(uri).spoken == uri


@pytest.mark.parametrize("uri", ["runs:/abc/model", "models:/churn", "churn", "models:/a/latest"])
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(InvalidInputError, match="models:/name@alias"):
        parse_address(uri)


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
    what = Serving(parse_address("models:/churn@champion"), Target("http://t", "m"), reload=reload)
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


class Served:
    """A model of a version, as MLflow wraps it, that may be held up."""

    class metadata:  # noqa: N801 - what MLflow calls it
        signature = None

        @staticmethod
        def get_input_schema() -> None:
            return None

        @staticmethod
        def get_params_schema() -> None:
            return None

    def __init__(self, version: int) -> None:
        self.version = version
        self.may_go_on = threading.Event()
        self.is_asked = threading.Event()

    def predict(self, data: Any) -> list[int]:
        self.is_asked.set()
        assert self.may_go_on.wait(30)
        return [self.version] * len(data)


class Sink:
    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


def said(switch: Switch) -> Any:
    """What the application answers to one row."""

    async def ask() -> Any:
        transport = httpx2.ASGITransport(app=switch)  # type: ignore[arg-type]
        async with httpx2.AsyncClient(transport=transport, base_url="http://here") as http:
            return await http.post("/invocations", json={"instances": [[1.0]]})

    return asyncio.run(ask()).json()


def of_version(number: int) -> Any:
    return captured(Model(str(number), Served(number)), Sink())  # type: ignore[arg-type]


def test_versions_that_are_no_longer_served_leave_memory() -> None:
    gone = []
    switch = Switch(of_version(0))
    for number in range(4):
        model = switch.app._model.pyfunc  # type: ignore[attr-defined]
        model.may_go_on.set()
        assert said(switch) == {"predictions": [number]}
        gone.append(weakref.ref(model))
        del model
        switch.app = of_version(number + 1)
    gc.collect()
    assert [model() for model in gone] == [None] * 4


def test_a_request_under_way_ends_on_the_version_it_began_on() -> None:
    switch = Switch(of_version(0))
    model = weakref.proxy(switch.app._model.pyfunc)  # type: ignore[attr-defined]
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(said, switch)
        assert model.is_asked.wait(30)
        switch.app = of_version(1)
        gc.collect()
        model.may_go_on.set()
        assert answer.result() == {"predictions": [0]}
