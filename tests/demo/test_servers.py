import socket

import httpx2
import psutil
import pytest

from tocsin.demo.servers import mlflow_server
from tocsin.errors import StartupError


def test_the_server_answers_within_the_block_and_leaves_no_orphans_if_killed(tmp_path):
    with mlflow_server(tmp_path / "new") as uri:
        assert httpx2.get(f"{uri}/health").text == "OK"
        assert (tmp_path / "new" / "mlflow.db").exists()
        assert (tmp_path / "new" / "mlflow-server.log").stat().st_size > 0
        leader, *workers = _servers(tmp_path)
        assert len(workers) >= 1
        leader.kill()
    assert not any(process.is_running() for process in workers)


def test_the_server_and_its_children_are_gone_after_an_exception(tmp_path):
    processes = []

    def fail_within_the_block():
        with mlflow_server(tmp_path):
            processes.extend(_servers(tmp_path))
            raise KeyError

    with pytest.raises(KeyError):
        fail_within_the_block()
    assert len(processes) >= 2
    assert not any(process.is_running() for process in processes)


def test_a_server_that_does_not_start_shows_the_end_of_its_log(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, and long enough to be seen as none" * 10)
    with (
        pytest.raises(StartupError, match=r"(?s)ended with code.*file is not a database"),
        mlflow_server(tmp_path),
    ):
        pytest.fail("the block must not be entered")
    assert _servers(tmp_path) == []


def test_a_server_that_takes_too_long_is_ended(tmp_path):
    with (
        pytest.raises(StartupError, match=r"did not answer within 0\.1 s"),
        mlflow_server(tmp_path, start_timeout_s=0.1),
    ):
        pytest.fail("the block must not be entered")
    assert _servers(tmp_path) == []


def test_a_port_that_is_taken_is_refused_before_its_owner_answers_for_us(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port = owner.getsockname()[1]
        with (
            pytest.raises(StartupError, match=f"cannot listen on 127.0.0.1:{port}"),
            mlflow_server(tmp_path, port=port),
        ):
            pytest.fail("the block must not be entered")


def _servers(folder):
    """The servers of the folder, each followed by its workers."""
    leaders = [
        process
        for process in psutil.Process().children()
        if any(str(folder) in argument for argument in process.cmdline())
    ]
    return [p for leader in leaders for p in (leader, *leader.children(recursive=True))]
