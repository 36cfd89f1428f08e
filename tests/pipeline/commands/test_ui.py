"""MLflow's pages, opened by one command before any run."""

import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from mnistgan.errors import UsageError
from pipeline.commands import ui
from tests.pipeline.fabricated import Workspace
from tests.pipeline.ui_server import serving


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port} can't be listened on.*--port"):
            ui.ui(port=port)


def test_of_a_hosts_addresses_those_that_this_machine_lacks_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    lacked = [(family, socket.SOCK_STREAM, 0, "", ("192.0.2.7", port)) for family in (255, socket.AF_INET)]
    here = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
    monkeypatch.setattr(ui.socket, "getaddrinfo", lambda *told, **options: [*lacked, here])
    assert ui.listening_at("localhost", port) == "127.0.0.1"
    with socket.create_server(here[-1]), pytest.raises(UsageError, match="give another --port"):
        ui.listening_at("localhost", port)
    monkeypatch.setattr(ui.socket, "getaddrinfo", lambda *told, **options: lacked)
    with pytest.raises(UsageError, match=f"localhost:{port} can't be listened on"):
        ui.listening_at("localhost", port)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("", "would listen on every address"),
        ("  ", "would listen on every address"),
        ("nonsense.invalid", "no such host; give an address of this machine"),
        ("a" * 300, "no such host"),
        ("192.0.2.7", "give an address of this machine as --host"),
    ],
)
def test_a_host_that_can_not_be_listened_on_is_named_and_no_port_is_blamed(host: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        ui.ui(host=host, port=5999)
    assert "--port" not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "allowed", "shown", "let_in"),
    [
        ("127.0.0.1", None, "127.0.0.1:5999", []),
        ("localhost", None, "localhost:5999", []),
        ("0.0.0.0", "localhost,127.0.0.1", "localhost:5999", ["localhost:8080", "127.0.0.1:9", "localhost"]),
        ("0.0.0.0", "mlflow.example.org:80", "mlflow.example.org:80", ["mlflow.example.org:80"]),
        ("0.0.0.0", "*.example.org,me", "me:5999", ["a.example.org:5999", "me:1"]),
        ("0.0.0.0", None, None, [f"{socket.gethostname()}:5999", "localhost:5999", "127.0.0.1:1"]),
        ("0.0.0.0", "::1,[::2]:7", "[::1]:5999", ["[::1]:5999", "[::1]", "[::2]:7"]),
    ],
)
def test_the_address_that_it_says_is_one_that_mlflow_lets_in(
    host: str,
    allowed: str | None,
    shown: str | None,
    let_in: list[str],
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mlflow.server.security_utils import (
        get_default_allowed_hosts,
        is_allowed_host_header,
        should_block_cors_request,
    )

    words = becomes(monkeypatch, host=host, port=5999, allowed_hosts=allowed)
    said = capsys.readouterr().out.partition("http://")[2].partition("/")[0]
    assert said == (shown or said)
    hosts = get_default_allowed_hosts()
    if "--allowed-hosts" in words:
        hosts = words[words.index("--allowed-hosts") + 1].split(",")
        origins = os.environ["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
        assert not [each for each in let_in if should_block_cors_request(f"http://{each}", "POST", origins)]
    assert [each for each in [said, *let_in] if not is_allowed_host_header(hosts, each)] == []
    assert not is_allowed_host_header(hosts, "evil.example.com:5999")


def becomes(monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[str]:
    """The words of the command that `ui` becomes."""
    become: list[list[str]] = []
    monkeypatch.setattr(ui.os, "execv", lambda program, words: become.append(words))
    monkeypatch.setattr("pipeline.tracking.connection.connect", lambda root: SimpleNamespace(experiment="1"))
    for told in ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"):
        monkeypatch.setenv(told, "")  # so that what is told to MLflow's process does not outlive the test
    monkeypatch.setenv("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", "")
    monkeypatch.delenv("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS")
    ui.ui(**options)
    [words] = become
    return words


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
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://someone:hunter2@127.0.0.1/mlflow")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = becomes(monkeypatch, port=port)
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
