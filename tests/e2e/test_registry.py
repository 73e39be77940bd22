"""Aliases over a real MLflow server and a real Tocsin server: seen, told of, moved by hand."""

import getpass
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import mlflow
import pytest
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent
from tests.servers import Server, free_port
from tests.world import monitor_document, reference
from typer.testing import CliRunner

from tocsin.app import opened
from tocsin.cli.commands import commands
from tocsin.demo.servers import mlflow_server
from tocsin.settings import Settings

SECRET = "a secret of both"
WAIT_S = 30.0


class Registry:
    """An MLflow server that can be stopped and started again, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = mlflow.MlflowClient(tracking_uri=self.url)
        self._running = ExitStack()

    def start(self) -> None:
        self._running.enter_context(mlflow_server(self.folder, port=self.port))

    def stop(self) -> None:
        self._running.close()

    def register(self, name: str, versions: int) -> None:
        """A model with some versions; nothing is in them."""
        run = self.client.create_run("0")
        self.client.create_registered_model(name)
        for _ in range(versions):
            self.client.create_model_version(
                name, run.info.artifact_uri, run.info.run_id, await_creation_for=0
            )

    def move(self, name: str, version: int, alias: str = "champion") -> None:
        self.client.set_registered_model_alias(name, alias, str(version))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http,https")
        patch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
        # Else MLflow goes on for a minute as if there were no new webhook.
        patch.setenv("MLFLOW_WEBHOOK_CACHE_TTL", "1")
        running = Registry(tmp_path_factory.mktemp("mlflow"))
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="module")
def server(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that watches `seen` every second, and the others as well."""
    folder = tmp_path_factory.mktemp("tocsin") / "data"
    names = ("seen", "told", "moved", "shown", "away")
    with opened(Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)) as app:
        for name in names:
            registry.register(name, versions=3)
            registry.move(name, 1)
            document = monitor_document(model=f"models:/{name}@champion", version="1")
            app.register.add(name, document, reference(200))
    with Server(
        folder,
        MLFLOW_TRACKING_URI=registry.url,
        TOCSIN_REGISTRY_EVERY="1s",
        TOCSIN_MLFLOW_WEBHOOK_SECRET=SECRET,
    ) as running:
        yield running


def history(server: Server, model: str) -> list[dict[str, Any]]:
    return list(server.get(f"/models/{model}/history")["moves"])


def eventually(ask: Callable[[], Any], fits: Callable[[Any], bool]) -> Any:
    """What is asked for, once it fits."""
    deadline = time.monotonic() + WAIT_S
    while not fits(found := ask()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def moves_of(server: Server, model: str, count: int) -> list[dict[str, Any]]:
    return eventually(lambda: history(server, model), lambda moves: len(moves) >= count)


def cli(server: Server, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(commands, [*arguments, "--url", server.url], env={"COLUMNS": "100"})
    assert done.exit_code == code, done.output
    return done.output + ("" if done.exception is None else str(done.exception))


def test_a_move_in_mlflow_is_seen_by_the_next_look(registry: Registry, server: Server) -> None:
    (first,) = moves_of(server, "seen", 1)
    assert (first["to"], first["first_seen"]) == ("1", True)

    registry.move("seen", 2)
    move = moves_of(server, "seen", 2)[1]
    assert (move["from"], move["to"], move["source"]) == ("1", "2", "poll")
    assert move["not_before"] is not None
    listed = cli(server, "history", "seen")
    assert "version 1 -> 2" in listed
    assert "known since then" in listed


def test_a_webhook_of_mlflow_tells_of_a_move(registry: Registry, server: Server) -> None:
    moves_of(server, "told", 1)
    made = registry.client.create_webhook(
        name="tocsin",
        url=f"{server.url}/api/v1/mlflow/webhook",
        events=[WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)],
        secret=SECRET,
    )
    registry.move("told", 3)
    move = eventually(
        lambda: history(server, "told")[-1],
        lambda move: (move["to"], move["source"]) == ("3", "webhook"),
    )
    assert move["at"] >= move["not_before"]
    registry.client.delete_webhook(made.webhook_id)


def test_a_webhook_of_mlflow_with_another_secret_is_refused(
    registry: Registry, server: Server
) -> None:
    made = registry.client.create_webhook(
        name="mallory",
        url=f"{server.url}/api/v1/mlflow/webhook",
        events=[WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)],
        secret="another",
    )
    answered = registry.client.test_webhook(made.webhook_id)
    assert answered.response_status == 401
    assert "TOCSIN_MLFLOW_WEBHOOK_SECRET" in str(answered.response_body)
    registry.client.delete_webhook(made.webhook_id)


def test_promote_and_rollback_by_the_command_line(registry: Registry, server: Server) -> None:
    done = cli(server, "promote", "moved", "--to", "2", "--reason", "AUC 0.03 better")
    assert "moved@champion moved from version 1 to 2." in done
    assert at(registry, "moved") == "2"
    assert "already" in cli(server, "promote", "moved", "--to", "2", "--reason", "again")

    assert "from version 2 to 1" in cli(server, "rollback", "moved", "--reason", "too slow")
    assert at(registry, "moved") == "1"
    assert "no version 9" in cli(server, "promote", "moved", "--to", "9", "--reason", "x", code=1)
    newest = history(server, "moved")[-1]
    assert (newest["actor"], newest["reason"]) == (getpass.getuser(), "too slow")
    tags = registry.client.get_model_version("moved", "1").tags
    assert "tocsin.alias.champion.since" in tags
    assert "alias.set" in cli(server, "audit", "--object", "moved")
    assert "too slow" in cli(server, "audit", "--jsonl")


def test_by_the_api_a_stale_belief_is_a_conflict(registry: Registry, server: Server) -> None:
    moves_of(server, "shown", 1)
    registry.move("shown", 2)
    wanted = {"to": "3", "reason": "x", "actor": "anna", "expected": "1"}
    answer = httpx2.post(f"{server.url}/api/v1/models/shown/aliases/champion", json=wanted)
    assert answer.status_code == 409
    assert "is at version 2 by now, not at 1" in answer.json()["error"]["message"]
    assert at(registry, "shown") == "2"


def test_by_the_page_an_alias_moves_and_the_page_says_so(
    registry: Registry, server: Server
) -> None:
    moves_of(server, "shown", 2)
    with httpx2.Client(base_url=server.url, follow_redirects=True) as browser:
        page = browser.get("/models/shown/versions").text
        assert "moves in MLflow from version 2" in page
        form = {"alias": "champion", "to": "3", "expected": "2", "actor": "bert", "reason": "AUC"}
        after = browser.post("/models/shown/aliases", data=form)
        assert after.status_code == 200
        assert "champion is at version 3" in after.text
        stale = browser.post("/models/shown/aliases", data={**form, "to": "1"})
        assert stale.status_code == 409
        assert "Somebody else moved the alias" in stale.text
    assert at(registry, "shown") == "3"


def test_a_page_of_another_site_moves_nothing(registry: Registry, server: Server) -> None:
    before = at(registry, "seen")
    wanted = {"to": "3", "reason": "x", "actor": "anna"}
    address = f"{server.url}/api/v1/models/seen/aliases/champion"
    for header in ({"origin": "http://evil.test"}, {"sec-fetch-site": "cross-site"}):
        assert httpx2.post(address, json=wanted, headers=header).status_code == 403
    assert at(registry, "seen") == before


def test_the_audit_of_all_this_verifies_and_an_anchor_can_be_noted(
    server: Server, tmp_path: Path
) -> None:
    assert "as they were written" in cli(server, "audit", "verify")
    anchors = tmp_path / "anchors.jsonl"
    assert re.search(r"Noted record \d+", cli(server, "audit", "anchor", str(anchors)))
    assert "1 anchor in" in cli(server, "audit", "verify", "--anchor", str(anchors))
    anchors.write_text('{"seq": 100000, "hash": "' + "0" * 64 + '"}\n')
    assert "it is gone" in cli(server, "audit", "verify", "--anchor", str(anchors), code=1)


def test_mlflow_may_be_away_and_come_back(registry: Registry, server: Server) -> None:
    moves_of(server, "away", 1)
    registry.stop()
    (trouble,) = eventually(lambda: of_registry(server), bool)
    assert "cannot be reached" in trouble["error"]
    wanted = {"to": "2", "reason": "x", "actor": "anna"}
    answer = httpx2.post(f"{server.url}/api/v1/models/away/aliases/champion", json=wanted)
    assert answer.status_code == 502
    # Neither folding nor evaluating waits for it.
    row = {
        "prediction_id": "1",
        "inputs": {"distance": 1.0, "carrier": "AA"},
        "outputs": {"p": 0.5},
    }
    httpx2.post(f"{server.url}/api/v1/models/away/predictions", json=[row]).raise_for_status()
    server.caught_up(timeout_s=10)

    registry.start()
    registry.move("away", 3)
    assert moves_of(server, "away", 2)[1]["to"] == "3"
    eventually(lambda: of_registry(server), lambda trouble: not trouble)


def of_registry(server: Server) -> list[dict[str, Any]]:
    return [told for told in server.get("/status")["trouble"] if told["work"] == "registry"]


def at(registry: Registry, name: str, alias: str = "champion") -> str:
    return str(registry.client.get_model_version_by_alias(name, alias).version)
