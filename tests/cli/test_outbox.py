"""`tocsin outbox` against a server: list, retry, drop."""

from tests.servers import serving
from typer.testing import CliRunner

from tocsin.app import App
from tocsin.cli.commands import commands
from tocsin.records import outbox
from tocsin.records.outbox import DeliveryState, Ended, Receiver


def test_dead_messages_are_listed_sent_again_and_dropped(app: App) -> None:
    told = {"event": "fired", "model": "late", "title": "AucLow fired", "causes": [], "url": "u"}
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("log", "log", {}))
        for name in ("one", "two"):
            outbox.put(
                connection, receiver="log", order_key=f"log/{name}", message_id=f"{name}.fired",
                payload=told, now=0,
            )  # fmt: skip
            claimed = outbox.claim(connection, now=0, lease=1)
            assert claimed is not None
            refused = Ended(DeliveryState.DEAD, error="log answered 400")
            outbox.finish(connection, claimed, refused, now=0)
    with serving(app) as url:

        def run(*words: str) -> str:
            done = CliRunner().invoke(commands, ["outbox", *words, "--url", url])
            return f"{done.output}{done.exception or ''}"

        listed = run("list", "--state", "dead")
        assert listed.count("late: AucLow fired") == listed.count("log answered 400") == 2
        assert "reason" in run("drop", "1")
        assert run("drop", "1", "--reason", "known").strip() == "Message 1 is dropped."
        assert "Message 2 waits to be sent" in run("retry", "2")
        assert "there is no message 3" in run("retry", "3")
        assert "there are no such messages" in run("list", "--receiver", "nobody").lower()
        assert "no state 'lost'" in run("list", "--state", "lost")
