"""What is told of a stage while it runs: to its journal and, through a child process, to MLflow."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mnistgan.errors import MnistganError
from pipeline import console, follower, journal, patches, publication, state


@contextmanager
def observed(stage: str) -> Iterator[None]:
    """Observe the block as ``stage``, if it is run by the command that dvc.yaml has for it.

    Another command's outs are not the state's: a stage called by hand for other files is left alone.
    """
    since = time.time()
    root = state.main_root()
    if not _is_declared(stage):
        yield
    elif stage == "prepare":
        with journal.recording(journal.path_of(root, journal.PREPARE), stage):
            yield
    else:
        try:
            now = publication.while_running(stage, since).state
        except MnistganError as error:
            console.warn(f"this run goes unrecorded: {error}")
            yield
            return
        key = now.train_key if stage == "train" else now.run_key
        if stage in publication.MAKING:
            patches.keep(patches.path_of(root, key))
        with follower.following(stage, now, since, root), journal.recording(journal.path_of(root, key), stage):
            yield


def _is_declared(stage: str) -> bool:
    try:
        declared = state.options_of_workspace(stage)
    except MnistganError:
        return False
    return declared.items() <= state.options_in(sys.argv).items()
