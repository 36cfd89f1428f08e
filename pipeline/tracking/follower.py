"""Starts the child process that publishes to MLflow while a stage works.

It holds the read end of a pipe: when the stage ends or dies, whatever kills it, the child reads the pipe's end,
publishes a last time and ends. The stage never waits on a tracking server but for a bounded time at its own end.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline import console
from pipeline.runs import journal
from pipeline.runs.keys import State

SWITCH = "MNISTGAN_TRACKING"
"""Environment variable; ``off`` keeps stages from publishing, which `sync` can make up for at any time."""
PATIENT_SECONDS = 60.0
HURRIED_SECONDS = 6.0
"""How long the child may take after an interrupt or an error."""
MAKE_UP = "`python -m pipeline sync` fills in what is missing"


@contextmanager
def following(stage: str, now: State, since: float, root: Path) -> Iterator[None]:
    """Publishes what ``stage`` writes while the block runs. Whatever goes wrong with that is a warning, no more."""
    log = root / journal.FOLDER / f"{now.short}.sync.log"
    child = None if os.environ.get(SWITCH) == "off" else _start(stage, since, log)
    try:
        yield
    except BaseException:
        _finish(child, HURRIED_SECONDS, log)
        raise
    _finish(child, PATIENT_SECONDS, log)


def _start(stage: str, since: float, log: Path) -> subprocess.Popen[bytes] | None:
    command = [sys.executable, "-m", "pipeline", "sync", "--follow", stage, "--since", repr(since)]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            return subprocess.Popen(  # noqa: S603 - this interpreter, fixed words, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            )
    except OSError as error:
        console.warn(f"MLflow is not kept up to date: {error}; {MAKE_UP}")
        return None


def _finish(child: subprocess.Popen[bytes] | None, seconds: float, log: Path) -> None:
    if child is None:
        return
    assert child.stdin is not None
    child.stdin.close()
    try:
        code = child.wait(seconds)
    except BaseException as error:
        child.kill()
        child.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        console.warn(f"MLflow was not up to date after {seconds:.0f} s; {MAKE_UP}")
        return
    if code:
        lines = log.read_text("utf-8", "replace").split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), f"exit code {code}")
        console.warn(f"MLflow is not up to date: {reason.removeprefix('error: ')}; {MAKE_UP}")
