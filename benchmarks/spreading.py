"""Measures jobs spread over Dask's workers, on a repository whose one stage sleeps: all on this machine, on loopback.

    .venv/bin/python -m benchmarks.spreading cost            # what a job takes beside its sleep
    .venv/bin/python -m benchmarks.spreading speedup         # two workers beside one, on jobs that sleep
    .venv/bin/python -m benchmarks.spreading kills --jobs 200 --workers 8 --minutes 30

The last kills a tenth as many workers as there are jobs, while they are at one, and says what is recorded how often. It
ends by itself: once the minutes are over it stops what runs, and counts. Prints its figures.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.ending import BenchmarkError, ending
from benchmarks.stub import Started, Stub
from mnistgan.errors import TrainingError
from pipeline import console
from pipeline.dvcfiles import git
from pipeline.engines.dask_engine import Cluster
from pipeline.engines.jobs import Job


def head(address: str, count: int, seconds: float) -> None:
    """Has those jobs run that are not recorded in this clone yet, as `seeds train` would."""
    commit = git.commit("HEAD") or ""
    jobs = [Job(f"seed{seed}", commit, (f"seed={seed}", f"seconds={seconds:g}")) for seed in range(count)]
    engine = Cluster(address)
    engine.collect([job.name for job in jobs])

    def missing() -> list[Job]:
        refs = {ref for _, _, ref in git.experiments()}
        return [job for job in jobs if job.ref not in refs]

    console.say(f"submits {len(missing())}")
    try:
        engine.submit(missing)
        with console.progress() as report:
            for left in engine.watch():
                report("jobs", count - len(left), count, next(filter(None, left.values()), ""))
    except KeyboardInterrupt:
        engine.stop()
        raise
    if left := missing():
        raise TrainingError(", ".join(f"{job.name}: {engine.log_of(job.name)}" for job in left))


def cost(stub: Stub, rounds: int) -> None:
    """Prints what a job without a sleep takes in a warm clone, by `jobs run` and DVC alone; the first is left out."""
    clone = stub.clone("warm")
    python = [sys.executable, "-m"]
    taken: dict[str, list[tuple[float, float]]] = {"work": [], "dvc exp run": [], "work, recorded before": []}
    for seed in range(rounds + 1):
        job = stub.job(seed)
        settings = [word for each in job.overrides for word in ("-S", each)]
        work = [*python, "pipeline", "jobs", "run", "--commit", job.commit, "--name", job.name, *settings]
        taken["work"].append(_timed(stub, work, clone))
        taken["work, recorded before"].append(_timed(stub, work, clone))
        plain = [*python, "dvc", "exp", "run", "--name", f"plain{seed}", "-S", f"seed={1000 + seed}"]
        taken["dvc exp run"].append(_timed(stub, plain, clone))
        stub.git("reset", "--quiet", "--hard", folder=clone)
    for name, all_rounds in taken.items():
        for kind, seconds in zip(("s", "s of a core"), zip(*all_rounds[1:], strict=True), strict=True):
            print(f"{name}: {statistics.median(seconds):.2f} {kind} ({min(seconds):.2f} to {max(seconds):.2f})")


def _timed(stub: Stub, command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Runs a command; returns the seconds that it took, and those of a core."""
    began, before = time.monotonic(), os.times()
    subprocess.run(command, cwd=folder, env=stub.environment, check=True, capture_output=True)
    after = os.times()
    of_cores = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, of_cores


@contextmanager
def cluster(stub: Stub, workers: int) -> Iterator[tuple[str, dict[str, Started]]]:
    """A scheduler and its workers, each of one core in a clone of its own; they end with the block."""
    scheduler, address = stub.scheduler()
    started = {name: stub.worker(address, name) for name in (f"worker{number}" for number in range(workers))}
    try:
        for worker in started.values():
            worker.says("worker tcp")
        yield address, started
    finally:
        for one in (*started.values(), scheduler):
            one.kill()


def speedup(folder: Path, jobs: int, seconds: float) -> None:
    """Prints how much sooner two workers have done jobs than one has."""
    taken = {}
    for workers in (1, 2):
        stub = Stub(_new(folder / f"of{workers}"))
        with cluster(stub, workers) as (address, _):
            began = time.monotonic()
            code, said = stub.run_jobs(address, jobs, seconds).end(1200.0)
            taken[workers] = time.monotonic() - began
        if code:
            raise BenchmarkError(said)
    print(f"{jobs} jobs that sleep {seconds:g} s: {taken[1]:.0f} s on one worker, {taken[2]:.0f} s on two")
    print(f"{taken[1] / taken[2]:.2f} times as fast")


def kills(stub: Stub, jobs: int, workers: int, minutes: float) -> None:
    """Prints what is recorded how often of jobs whose workers are killed, a tenth as often as there are jobs."""
    chance, killed, began = random.Random(0), 0, time.monotonic()
    with cluster(stub, workers) as (address, started):
        at_work = stub.run_jobs(address, jobs, 1)
        while at_work.lives() and time.monotonic() < began + 60 * minutes:
            time.sleep(0.2)
            due = jobs // 10 * sum(stub.recorded.values()) / jobs  # all through, not all at the start
            busy = {Path(f"/proc/{pid}/cwd").resolve().relative_to(stub.root).parts[0] for pid in stub.alive}
            if busy and killed <= due and killed < jobs // 10:
                name = chance.choice(sorted(busy))
                started[name].kill()
                started[name] = stub.worker(address, name)
                killed += 1
        if at_work.lives():
            at_work.kill(signal.SIGINT)
    of_each = Counter(stub.recorded.values())
    print(f"{jobs} jobs that sleep 1 s on {workers} workers, {killed} of which were killed at one")
    print(f"recorded once: {of_each.pop(1, 0)}; more than once: {sum(of_each.values())}")
    print(f"stages begun: {len(stub.begun)}, still at work at the end: {len(stub.alive)}")
    print(f"{time.monotonic() - began:.0f} s")


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def main() -> None:
    """Runs one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    handing = commands.add_parser("head", help="hand out jobs from the current folder's clone")
    handing.add_argument("--scheduler", required=True)
    handing.add_argument("--jobs", type=int, required=True)
    handing.add_argument("--seconds", type=float, required=True)
    costing = commands.add_parser("cost")
    costing.add_argument("--rounds", type=int, default=5)
    speeding = commands.add_parser("speedup")
    speeding.add_argument("--jobs", type=int, default=6)
    speeding.add_argument("--seconds", type=float, default=30.0)
    killing = commands.add_parser("kills")
    killing.add_argument("--jobs", type=int, default=200)
    killing.add_argument("--workers", type=int, default=8)
    killing.add_argument("--minutes", type=float, default=30.0)
    given = parser.parse_args()
    if given.command == "head":
        head(given.scheduler, given.jobs, given.seconds)
        return
    with tempfile.TemporaryDirectory(prefix="mnistgan-spread-") as folder:
        if given.command == "cost":
            cost(Stub(Path(folder)), given.rounds)
        elif given.command == "speedup":
            speedup(Path(folder), given.jobs, given.seconds)
        else:
            kills(Stub(Path(folder)), given.jobs, given.workers, given.minutes)


if __name__ == "__main__":
    ending(main)
