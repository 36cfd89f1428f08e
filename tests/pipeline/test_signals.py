"""Ctrl-C and SIGTERM: both end a command at once, by the same exit code, and leave nothing half-made."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mnistgan.fetching import raw
from tests import committed

ROOT = Path(__file__).resolve().parents[2]
STOPS = [signal.SIGINT, signal.SIGTERM]
OUTS = ("train.npz", "validation.npz", "test.npz", "summary.json")


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that gives its reader nothing until it is written to; the current folder is its own."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "gate" / raw.TRAIN_IMAGES.name
    path.parent.mkdir()
    os.mkfifo(path)
    return path


def stopped(gate: Path, number: signal.Signals, *words: str, ignored: bool = False) -> tuple[int, str]:
    """The exit code and error output of a command that got a signal while it read at the gate, then nonsense there."""

    def ignore() -> None:
        signal.signal(number, signal.SIG_IGN)

    before: Callable[[], None] | None = ignore if ignored else None
    command = [sys.executable, "-m", "pipeline", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before
    ) as child:
        with gate.open("w") as writer:  # opens once it is read
            child.send_signal(number)
            if ignored:
                writer.write("nonsense")
            else:
                child.wait()
        said = child.communicate()[1]
    return child.returncode, said


@pytest.mark.parametrize("number", STOPS)
def test_a_command_ends_at_once_with_130_and_no_traceback(gate: Path, number: signal.Signals) -> None:
    reading = gate.rename(gate.with_name("it.json"))
    assert stopped(reading, number, "diff", str(reading), str(reading)) == (130, "")


@pytest.mark.parametrize("number", STOPS)
def test_what_is_ignored_by_who_starts_a_command_stays_ignored(gate: Path, number: signal.Signals) -> None:
    reading = gate.rename(gate.with_name("it.json"))
    exit_code, said = stopped(reading, number, "diff", str(reading), str(reading), ignored=True)
    assert exit_code == 2
    assert "it.json: not JSON" in said


def test_a_stage_that_is_ended_by_sigterm_leaves_the_outs_of_before_and_nothing_half_written(gate: Path) -> None:
    data = gate.parent.parent / "data"
    data.mkdir()
    for name in OUTS:
        (data / name).write_text("of before")
    params = committed.params()
    sources = params[params.index("  sources:") : params.index("  validation_size:")]
    Path("params.yaml").write_text(params.replace(sources, f"  sources: ['folder:{gate.parent}']\n"))
    options = (word for name in OUTS for word in (f"--{name.partition('.')[0]}", str(data / name)))
    assert stopped(gate, signal.SIGTERM, "prepare", *options, "--cache", "cache") == (130, "")
    assert {path.name: path.read_text() for path in data.iterdir()} == dict.fromkeys(OUTS, "of before")
    assert not Path("cache").exists()
