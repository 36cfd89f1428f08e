"""Journals a stage and streams it to MLflow, by a child process that publishes while the stage works.

The child holds the read end of a pipe: when the stage ends or dies, whatever kills it, the child reads the pipe's end,
publishes a last time and ends. The stage never waits on a tracking server but for a bounded time at its own end.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from mnistgan.errors import MnistganError
from pipeline import console
from pipeline.dvcfiles import dvc_lock, dvc_yaml, layout
from pipeline.runs import journal, keys, patches
from pipeline.runs.keys import State
from pipeline.tracking import sources

SWITCH = "MNISTGAN_TRACKING"
"""Environment variable; ``off`` keeps stages from publishing, which `sync` can make up for at any time."""
PATIENT_SECONDS = 60.0
HURRIED_SECONDS = 6.0
"""How long the child may take after an interrupt or an error."""
MAKE_UP = "`python -m pipeline sync` fills in what is missing"


@contextmanager
def observed(stage: str) -> Iterator[None]:
    """Journals the block as ``stage`` and publishes what it writes; nothing where another command than dvc.yaml's runs.

    What such a command writes is no out of the state.
    """
    since = time.time()
    root = layout.main_root()
    if not _is_declared(stage):
        yield
    elif stage == "prepare":
        path = journal.path_of(root, journal.PREPARE)
        with _turn(path.with_suffix(".lock")), journal.recording(path, stage):
            yield
    else:
        try:
            now = sources.while_running(stage, since).state
        except MnistganError as error:
            console.warn(f"this run goes unrecorded: {error}")
            yield
            return
        key = now.train_key if stage == "train" else now.run_key
        if stage in keys.MAKING:
            patches.keep(patches.path_of(root, key))
        with _following(stage, now, since, root), journal.recording(journal.path_of(root, key), stage):
            yield


def _turn(path: Path) -> AbstractContextManager[object]:
    """Waits until no other prepare is at work here; none begins until the block ends.

    Two experiments of DVC's queue begin with the same prepare. Should both end at once, both DVCs would put the same
    outs into the one cache, where each may remove what the other is writing: DVC first tries to clone a file to its
    place there and, where the file system can't, deletes what is at that place. So the second's end comes later.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return lock.acquire(timeout=0)
    except Timeout:
        console.say("another prepare is at work here; waits for it")
        return lock.acquire()
    except (OSError, NotImplementedError):  # a disk that refuses, or has no locks
        return nullcontext()


def _is_declared(stage: str) -> bool:
    try:
        declared = dvc_yaml.options(stage)
    except MnistganError:
        return False
    return declared.items() <= dvc_lock.options_in(sys.argv).items()


@contextmanager
def _following(stage: str, now: State, since: float, root: Path) -> Iterator[None]:
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
