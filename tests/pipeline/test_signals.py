"""Ctrl-C and SIGTERM: both end a command at once, by the same exit code, and leave nothing half-made."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import committed

ROOT = Path(__file__).resolve().parents[2]
STOPS = [signal.SIGINT, signal.SIGTERM]
OUTS = ("train.npz", "validation.npz", "test.npz", "summary.json")


GIT = """#!/bin/sh
cat {gate}
echo nonsense >&2
exit 128
"""


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipe that the git on PATH reads from before it fails; the current folder looks like a repository."""
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()
    path = tmp_path / "gate"
    os.mkfifo(path)
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(GIT.format(gate=path))
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}{os.pathsep}{os.environ['PATH']}")
    return path


def stopped(gate: Path, number: signal.Signals, *words: str, ignored: bool = False) -> tuple[int, str]:
    """The exit code and error output of a command that got a signal while its git read at the gate."""

    def ignore() -> None:
        signal.signal(number, signal.SIG_IGN)

    before: Callable[[], None] | None = ignore if ignored else None
    command = [sys.executable, "-m", "pipeline", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before
    ) as child:
        with gate.open("w"):  # opens once it is read
            child.send_signal(number)
            if not ignored:
                child.wait()
        said = child.communicate()[1]
    return child.returncode, said


@pytest.mark.parametrize("number", STOPS)
def test_a_command_ends_at_once_with_130_and_no_traceback(gate: Path, number: signal.Signals) -> None:
    assert stopped(gate, number, "diff", "HEAD", "HEAD") == (130, "")


@pytest.mark.parametrize("number", STOPS)
def test_what_is_ignored_by_who_starts_a_command_stays_ignored(gate: Path, number: signal.Signals) -> None:
    exit_code, said = stopped(gate, number, "diff", "HEAD", "HEAD", ignored=True)
    assert exit_code == 2
    assert "git can't be asked: nonsense" in said


def test_a_stage_that_is_ended_by_sigterm_leaves_the_outs_of_before_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = Path("data")
    data.mkdir()
    for name in OUTS:
        (data / name).write_text("of before")
    options = [word for name in OUTS for word in (f"--{name.partition('.')[0]}", str(data / name))]
    command = [sys.executable, "-m", "pipeline", "prepare", *options, "--cache", "cache"]
    with socket.create_server(("127.0.0.1", 0)) as mirror:
        address = f"http://127.0.0.1:{mirror.getsockname()[1]}/"
        committed.lay_out_params(Path())
        committed.lay_out_sources(Path(), address)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        mirror.settimeout(60)
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with mirror.accept()[0]:  # once it is asked; it never answers
            child.send_signal(signal.SIGTERM)
            child.wait()
    assert child.returncode == 130
    assert {path.name: path.read_text() for path in data.iterdir()} == dict.fromkeys(OUTS, "of before")
