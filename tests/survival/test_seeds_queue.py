"""`seeds train` on DVC's real queue, killed and repeated: nothing is trained twice, nothing is missing."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.stub import free_port
from mnistgan.comparison import seeds
from pipeline.dvcfiles import layout
from pipeline.runs import journal
from pipeline.runs.journal import Kind
from tests.pipeline.cloning import SMALL, Clone, clone

pytestmark = pytest.mark.slow

TINY = SMALL | {"epochs: 9": "epochs: 1"}
OTHER = ("--count", "2", "--set", "recipes/dcgan.yaml:fast.images=256", "--out", "other.csv")
PATIENCE_SECONDS = 1800.0


class Started:
    """A `seeds train` at work in a process group of its own."""

    def __init__(self, cloned: Clone, *options: str) -> None:
        self._cloned = cloned
        self._log = cloned.root.parent / "seeds.log"
        command = [sys.executable, "-m", "pipeline", "seeds", "train", *options]
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                command,
                cwd=cloned.root,
                env=cloned.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal_when(self, moment: Callable[[Clone], bool], number: int) -> str:
        """Send its process group a signal at a moment, and wait for its end; what it said."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not moment(self._cloned):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.05)
        os.killpg(self._process.pid, number)
        self.exit_code = self._process.wait()
        return self._log.read_text()


def experiments(cloned: Clone) -> set[str]:
    """The names of DVC's experiments."""
    listed = cloned.run("git", "for-each-ref", "--format=%(refname)", "refs/exps")
    return set(re.findall(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(\S+)", listed))


def trainings(cloned: Clone) -> int:
    """How often a training was begun."""
    events = [event for path in cloned.root.glob("journal/*.jsonl") for event in journal.read(path)]
    return sum(event.kind is Kind.START and event.stage == "train" for event in events)


def one_has_ended(cloned: Clone) -> bool:
    return len(experiments(cloned)) == 1


def one_trains(cloned: Clone) -> bool:
    """A training is at work now."""
    paths = cloned.root.glob("journal/*.jsonl")
    last = [events[-1] for path in paths if journal.is_live(path) and (events := journal.read(path))]
    return any(event.kind is Kind.START and event.stage == "train" for event in last)


def workers(cloned: Clone) -> list[psutil.Process]:
    """The queue's workers of a clone, and what they run."""
    found = [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if "queue-worker" in (process.info["cmdline"] or []) and process.info["cwd"] == str(cloned.root)
    ]
    return [each for worker in found for each in (worker, *worker.children(recursive=True))]


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory, mnist_cache: Path) -> Clone:
    return clone(tmp_path_factory.mktemp("seeds") / "clone", mnist_cache, TINY)


@pytest.fixture(scope="module")
def table(cloned: Clone) -> str:
    """The seeds file that is there once a `seeds train` that was killed after its first seed has been repeated."""
    started = Started(cloned, "--count", "2")
    started.signal_when(one_has_ended, signal.SIGKILL)
    assert not (cloned.root / layout.SEEDS).exists()
    said = cloned.run(sys.executable, "-m", "pipeline", "seeds", "train", "--count", "2", ok=False)
    assert (cloned.root / layout.SEEDS).exists(), said
    assert "queued:" not in said  # what the killed one had queued
    return (cloned.root / layout.SEEDS).read_text()


def test_killed_after_its_first_seed_it_goes_on_with_the_other_and_trains_nothing_twice(
    cloned: Clone, table: str
) -> None:
    rows = seeds.loads(table, "seeds.csv")
    assert [row.seed for row in rows] == [0, 1]
    assert trainings(cloned) == 2
    assert len(experiments(cloned)) == 2
    assert rows[0].figures.signature != rows[1].figures.signature


def test_each_seed_is_a_run_of_its_own_under_one_parent(cloned: Clone, table: str) -> None:
    (parent,) = [run for run in cloned.runs if "mnistgan.group" in run.data.tags]
    children = [run for run in cloned.runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    rows = seeds.loads(table, "seeds.csv")
    assert {run.data.params["train.seed"] for run in children} == {"0", "1"}
    assert len(cloned.runs) == 3
    assert parent.data.tags["mnistgan.group"] == rows[0].digest
    assert parent.data.metrics["seeds/count"] == 2
    assert {run.data.metrics["scores/fid"] for run in children} == {row.figures.leaves["fid.value"] for row in rows}


def test_with_all_there_the_same_command_trains_nothing_and_writes_the_same_bytes(cloned: Clone, table: str) -> None:
    before = trainings(cloned)
    cloned.pipeline("seeds", "train", "--count", "2")
    assert trainings(cloned) == before
    assert (cloned.root / layout.SEEDS).read_text() == table
    assert "identical" in cloned.pipeline("diff", str(layout.SEEDS), str(layout.SEEDS))


def test_the_record_of_seeds_is_no_out_and_disturbs_neither_dvc_nor_verify(cloned: Clone, table: str) -> None:
    assert "?? metrics/" in cloned.run("git", "status", "--porcelain")  # to be committed: neither ignored nor DVC's
    assert "prepare" in cloned.pipeline("verify", "--fast", "prepare")
    assert "seeds.csv" not in cloned.dvc("status")


def test_stopped_it_takes_the_rest_out_of_the_queue_and_with_its_worker_killed_too_it_still_ends(
    cloned: Clone, table: str
) -> None:
    started = Started(cloned, *OTHER)
    said = started.signal_when(one_trains, signal.SIGTERM)
    assert started.exit_code == 130, said
    assert "error: stopped; the same command goes on with what is missing" in said
    assert not re.search("Queued|Running", cloned.dvc("queue", "status"))

    started = Started(cloned, *OTHER)
    said = started.signal_when(one_trains, signal.SIGKILL)
    assert "which failed or was stopped before" in said
    for process in workers(cloned):
        process.kill()

    said = cloned.run(sys.executable, "-m", "pipeline", "seeds", "train", *OTHER, ok=False)
    assert (cloned.root / "other.csv").exists(), said
    rows = seeds.loads((cloned.root / "other.csv").read_text(), "other.csv")
    assert [row.seed for row in rows] == [0, 1]
    assert {row.digest for row in rows}.isdisjoint({row.digest for row in seeds.loads(table, "seeds.csv")})
    assert (cloned.root / layout.SEEDS).read_text() == table
    cloned.pipeline("diff", str(layout.SEEDS), "other.csv")


def test_spread_to_a_worker_in_another_clone_the_same_seeds_are_the_same_bytes(
    cloned: Clone, table: str, tmp_path: Path
) -> None:
    cloned.run("git", "clone", "--quiet", "--bare", ".", str(tmp_path / "remote.git"))
    head, served = (replace(cloned, root=tmp_path / name) for name in ("head", "served"))
    for each in (head, served):
        cloned.run("git", "clone", "--quiet", str(tmp_path / "remote.git"), str(each.root))
        each.run("git", "config", "user.name", "A")
        each.run("git", "config", "user.email", "a@example.org")
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        for each, words in (
            (head, ["jobs", "scheduler", "--listen"]),
            (served, ["jobs", "worker", "--cores", "2", "--scheduler"]),
        ):
            command = [sys.executable, "-m", "pipeline", *words, address]
            process = subprocess.Popen(command, cwd=each.root, env=each.environment)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        head.pipeline("seeds", "train", "--count", "2", "--spread", "dask", "--scheduler", address)
    assert (head.root / layout.SEEDS).read_text() == table
    assert experiments(head) == experiments(served)
    assert trainings(served) == 2
    assert trainings(head) == 0
