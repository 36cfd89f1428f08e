"""The private parts of DVC that are relied on are as they were seen; where DVC is another, each is to be looked at."""

from importlib import metadata

import pytest

from pipeline.dvcfiles import rwlock
from pipeline.engines import dvc_queue


@pytest.mark.parametrize("module", [rwlock, dvc_queue], ids=lambda module: module.__name__)
def test_dvc_is_the_one_whose_private_parts_were_seen(module) -> None:
    installed = metadata.version("dvc").rpartition(".")[0]
    assert installed == module.SEEN_IN, f"see that {module.__name__} still reads DVC {installed} rightly, then SEEN_IN"


def test_the_locks_of_dvc_are_called_so() -> None:
    from dvc import rwlock as of_dvc

    assert (rwlock.RWLOCK.name, rwlock.GUARD.name) == (of_dvc.RWLOCK_FILE, of_dvc.RWLOCK_LOCK)


def test_the_queue_of_dvc_has_what_is_read_of_it() -> None:
    from dvc.repo.experiments import Experiments
    from dvc.repo.experiments.queue.base import QueueEntry
    from dvc.repo.experiments.queue.celery import LocalCeleryQueue
    from dvc_task.proc.process import ProcessInfo

    assert hasattr(Experiments, "celery_queue")
    assert {"iter_queued", "iter_active", "iter_failed", "proc", "wdir"} <= set(dir(LocalCeleryQueue))
    assert {"name", "stash_rev"} <= QueueEntry.__dataclass_fields__.keys()
    assert {"pid", "stdout"} <= ProcessInfo.__dataclass_fields__.keys()
