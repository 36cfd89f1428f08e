"""Times commands: the help, a `dvc repro` with nothing to do, and stages on the files that are there.

.venv/bin/python -m benchmarks.commands --rounds 3
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import ROOT
from benchmarks.ending import BenchmarkError, ending
from benchmarks.spread import Spread
from pipeline.dvcfiles import dvc_yaml

DVC = [sys.executable, "-m", "dvc"]
STAGES = ("prepare", "evaluate", "render")
_NOTHING_TO_DO = "Data and pipelines are up to date."
_SHOWN_LINES = 8


def help_seconds(rounds: int) -> Spread:
    """Times ``python -m pipeline --help``."""
    return _timed(rounds, lambda: _run([sys.executable, "-m", "pipeline", "--help"]))


def noop_repro_seconds(rounds: int) -> Spread:
    """Times ``dvc repro`` with nothing to do. Raises BenchmarkError where it would train."""
    status = subprocess.run([*DVC, "status"], cwd=ROOT, capture_output=True, text=True, check=False)
    if status.returncode or _NOTHING_TO_DO not in status.stdout:
        said = (status.stdout + status.stderr).strip()
        raise BenchmarkError(f"`dvc repro` has something to do, so doing nothing can't be timed; `make repro`\n{said}")

    def repro() -> None:
        if _NOTHING_TO_DO not in (said := _run([*DVC, "repro"])):
            raise BenchmarkError(f"`dvc repro` did something: {said.strip()}")

    return _timed(rounds, repro)


def stage_seconds(stage: str, rounds: int) -> Spread:
    """Times a stage by dvc.yaml's command for it, its outs in a scratch folder, so that nothing here changes."""
    declared = dvc_yaml.declared(ROOT)[stage]
    with tempfile.TemporaryDirectory(prefix="mnistgan-bench-") as scratch:
        words = elsewhere(shlex.split(declared.command)[2:], declared.outs, Path(scratch))
        return _timed(rounds, lambda: _run([sys.executable, *words]))


def elsewhere(words: Sequence[str], outs: Sequence[str], folder: Path) -> list[str]:
    """Moves the outs in a command's words under a folder."""
    return [str(folder / word) if word in outs else word for word in words]


def _timed(rounds: int, run: Callable[[], object]) -> Spread:
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return Spread.of(seconds)


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "DVC_NO_ANALYTICS": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:])
        raise BenchmarkError(f"{shlex.join(command)}: ended with exit code {done.returncode}:\n{said}")
    return done.stdout


def main() -> None:
    """Time all and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"help: {help_seconds(rounds)} s")
    for stage in STAGES:
        print(f"{stage}: {stage_seconds(stage, rounds)} s")
    print(f"dvc repro, nothing to do: {noop_repro_seconds(rounds)} s")


if __name__ == "__main__":
    ending(main)
