"""MLflow's pages, opened by one command before any run."""

import socket
from types import SimpleNamespace

import pytest

from mnistgan.errors import UsageError
from pipeline import ui
from tests.pipeline.fabricated import Workspace
from tests.pipeline.ui_server import serving


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port} can't be listened on.*--port"):
            ui.ui(port=port)


def test_a_server_of_ones_own_is_pointed_at_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://someone:hunter2@mlflow.example.org")
    ui.ui()
    said = capsys.readouterr().out
    assert "mlflow.example.org" in said
    assert "hunter2" not in said


def test_the_pages_are_for_this_machine_alone_and_no_process_list_shows_the_store(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    become: list[list[str]] = []
    monkeypatch.setattr(ui.os, "execv", lambda program, words: become.append(words))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://someone:hunter2@127.0.0.1/mlflow")
    monkeypatch.setattr("pipeline.publishing.tracking.Store", lambda root: SimpleNamespace(experiment="1"))
    for told in ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"):
        monkeypatch.setenv(told, "")  # so that what is told to MLflow's process does not outlive the test
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ui.ui(port=port)
    [words] = become
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert not [word for word in words if "hunter2" in word]


@pytest.mark.slow
def test_the_pages_open_before_any_run_and_sigterm_closes_them(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with serving(workspace.root) as address:
        health = f"{address.partition('/#/')[0]}/health"
        assert httpx.get(health).text == "OK"
    with pytest.raises(httpx.ConnectError):
        httpx.get(health)
