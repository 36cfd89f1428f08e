"""Journals a stage and streams it to MLflow."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from mnistgan.errors import MnistganError
from pipeline import console
from pipeline.dvcfiles import dvc_lock, dvc_yaml, layout
from pipeline.runs import journal, keys, patches
from pipeline.tracking import follower, sources


@contextmanager
def observed(stage: str) -> Iterator[None]:
    """Observes the block as ``stage``, if it is run by the command that dvc.yaml has for it.

    Another command's outs are not the state's: a stage called by hand for other files is left alone.
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
        with follower.following(stage, now, since, root), journal.recording(journal.path_of(root, key), stage):
            yield


def _turn(path: Path) -> AbstractContextManager[object]:
    """Waits until no other process is in its turn; the block that is entered is this one's.

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
