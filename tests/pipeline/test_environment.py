"""What of the environment is settled before any command."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import requests

from pipeline import environment


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What is settled ends with the test."""
    with monkeypatch.context() as patch:
        for name in (*environment.PATHS, "no_proxy", "NO_PROXY"):
            patch.setenv(name, "")
        patch.setenv("DVC_ROOT", str(tmp_path))
        yield


@pytest.mark.parametrize("name", environment.PATHS)
def test_a_relative_path_is_the_main_repositorys_wherever_a_stage_works(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tmp_path / ".dvc/tmp/exps/standalone/tmp1"
    experiment.mkdir(parents=True)
    monkeypatch.chdir(experiment)
    monkeypatch.setenv(name, "kept/here")
    for _ in range(2):
        environment.settle()
        assert os.environ[name] == str(tmp_path / "kept" / "here")


def test_a_home_folder_that_no_shell_has_filled_in_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNISTGAN_CACHE_DIR", "~/mnist")
    environment.settle()
    assert os.environ["MNISTGAN_CACHE_DIR"] == str(Path.home() / "mnist")


@pytest.mark.parametrize("spelling", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("excepted", ["no_proxy", "NO_PROXY"])
def test_this_machine_itself_is_never_asked_through_a_proxy(
    spelling: str, excepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(spelling, "http://127.0.0.1:9")
    monkeypatch.setenv(excepted, "intern.example.org, 10.1.2.3")
    environment.settle()
    for host in ("127.0.0.1:5000", "localhost:5000", "intern.example.org", "10.1.2.3"):
        assert requests.utils.get_environ_proxies(f"http://{host}") == {}
    assert "http" in str(requests.utils.get_environ_proxies("http://example.org"))
    with httpx.Client() as client:
        direct = client._transport_for_url(httpx.URL("http://example.com"))
        assert client._transport_for_url(httpx.URL("http://127.0.0.1:5000")) is client._transport
        assert direct is not client._transport
