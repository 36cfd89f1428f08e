"""Drives DVC's queue of experiments: read as DVC reads it, changed by DVC's own commands.

Private parts of DVC stand here alone, as SEEN_IN has them: the queue that ``Repo().experiments`` holds with its
entries, what it knows of its processes, and how it names the files of its workers.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from mnistgan.errors import TrainingError, UsageError
from pipeline.dvcfiles import git

SEEN_IN = "3.67"
PREPARED = "prepared"  # the experiment that makes data for others, for a moment
ENDING_SECONDS = 120.0  # how long a training may take to save once it is asked to stop
POLL_SECONDS = 0.5
TAIL_BYTES = 4096
LINE_CHARACTERS = 120
_WORKERS = "dvc-exp-worker-*.pid"


class Standing(StrEnum):
    """Where an experiment is in the queue; one that succeeded is no longer in it."""

    QUEUED = "queued"
    ACTIVE = "running"
    FAILED = "failed"


class Queue:
    """The queue of the repository in the current folder."""

    def __init__(self) -> None:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        try:
            self._queue: Any = Repo().experiments.celery_queue
        except DvcException as error:
            raise UsageError(f"DVC's queue can't be read: {error}") from error

    def standings(self, names: Iterable[str]) -> dict[str, Standing]:
        """Finds where each of these experiments stands that the queue knows of."""
        from dvc.exceptions import DvcException

        wanted = set(names)
        try:
            # In this order, since one that moves on while this reads then counts as what it moves to.
            listed = (
                (Standing.QUEUED, list(self._queue.iter_queued())),
                (Standing.ACTIVE, list(self._queue.iter_active())),
                (Standing.FAILED, [entry for entry, _ in self._queue.iter_failed()]),
            )
        except DvcException as error:
            raise TrainingError(f"DVC's queue can't be read: {error}; `dvc queue status` shows it") from error
        return {entry.name: standing for standing, found in listed for entry in found if entry.name in wanted}

    def add(self, name: str, settings: Sequence[str]) -> None:
        """Queues the workspace as it is, with params set otherwise, as an experiment."""
        params = [word for setting in settings for word in ("-S", setting)]
        dvc("exp", "run", "--queue", "--name", name, *params)

    def remove(self, names: Sequence[str]) -> None:
        """Takes experiments that don't run out of the queue."""
        if names:
            dvc("queue", "remove", *names, fails=False)  # one that a worker took meanwhile is not to be removed

    def start(self, jobs: int) -> None:
        """Starts the workers that are missing."""
        dvc("queue", "start", "--jobs", str(jobs))

    def stop(self, names: Sequence[str]) -> list[str]:
        """Asks running experiments to stop, as Ctrl-C would: a training saves first. Returns those that run on.

        One whose worker is gone is marked as failed by DVC only when it is asked and there is no process left.
        """
        end = time.monotonic() + ENDING_SECONDS
        running = self._active(names)
        if running:
            dvc("queue", "kill", *running, fails=False)
        while (running := self._active(running)) and time.monotonic() < end:
            if lost := [name for name in running if not self.has_workers() and not self._has_process(name)]:
                dvc("queue", "kill", *lost, fails=False)
            time.sleep(POLL_SECONDS)
        return running

    def has_workers(self) -> bool:
        """Whether a process is there that takes experiments from the queue."""
        files = Path(self._queue.wdir).glob(_WORKERS)
        return any(_lives(file.read_text("utf-8").strip(), "queue-worker") for file in files)

    def last_line(self, name: str) -> str:
        """Reads the last line that a running experiment printed."""
        told = self._process(name)
        if told is None or not told.stdout or not Path(told.stdout).exists():
            return ""
        return next(lines_backwards(Path(told.stdout)), "")[:LINE_CHARACTERS]

    def logs(self) -> str:
        """Folder of the workers' own log."""
        return str(Path(self._queue.wdir) / "dvc-exp-worker-1.out")

    def _has_process(self, name: str) -> bool:
        told = self._process(name)
        return told is not None and _lives(str(told.pid), "exec-run")

    def _process(self, name: str) -> Any:
        """Reads what DVC knows of a running experiment's process."""
        revs = (entry.stash_rev for entry in self._queue.iter_active() if entry.name == name)
        return next((self._queue.proc.get(rev) for rev in revs), None)

    def _active(self, names: Iterable[str]) -> list[str]:
        return [name for name, standing in self.standings(names).items() if standing is Standing.ACTIVE]


def prepare(overrides: Sequence[str]) -> None:
    """Makes the data, into DVC's cache; that of other params in a scratch folder, so that the workspace keeps its own.

    Raises TrainingError where DVC can't.
    """
    if overrides:
        asked = (word for override in overrides for word in ("-S", override))
        dvc("exp", "run", "--temp", "--force", "--name", PREPARED, *asked, "prepare")
        dvc("exp", "remove", PREPARED)
    else:
        dvc("repro", "prepare")


def dvc(*words: str, fails: bool = True) -> None:
    """Runs a command of DVC to its end, whatever is asked meanwhile: while it queues, a person's changes are stashed.

    Raises TrainingError with what it said where it fails, unless not ``fails``.
    """
    # DVC's workers run `dvc`, and the stages `python`, by their names alone.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with tempfile.TemporaryFile("w+", errors="replace") as output:  # a pipe would stay open as long as a worker lives
        process = subprocess.Popen(  # noqa: S603 - this interpreter, a list of words, no shell
            [sys.executable, "-m", "dvc", *words],
            env={**git.outside_hooks(), "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C here is no Ctrl-C there
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise
        output.seek(0)
        said = output.read()
    if fails and code:
        shown = " ".join(line for line in said.splitlines() if line.startswith("ERROR")) or said.strip()[-500:]
        raise TrainingError(
            f"`dvc {' '.join(words)}`: {shown}; if one was killed, `python -m pipeline check --repair` mends it"
        )


def _lives(pid: str, word: str) -> bool:
    """Whether a process lives and has a word on its command line: ids are given again."""
    try:
        return word.encode() in Path(f"/proc/{int(pid)}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False


def lines_backwards(path: Path) -> Iterator[str]:
    """Yields the last lines of a file, the last one first, without blank ones and the stages' command lines."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    yield from (line.strip() for line in reversed(lines) if line.strip() and not line.startswith("> "))
