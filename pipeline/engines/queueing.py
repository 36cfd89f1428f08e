"""Runs jobs through DVC's queue, on this machine: the workspace as it is, its changes included."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from mnistgan.errors import TrainingError
from pipeline import console
from pipeline.engines.dvc_queue import Queue, Standing
from pipeline.engines.jobs import Job

POLL_SECONDS = 2.0
STARTING_SECONDS = 60.0  # how long a worker may take until it is there
STARTS = 3  # how often workers are started without any experiment's having moved on


class ByQueue:
    """DVC's queue, as an engine."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._names: list[str] = []

    def collect(self, names: Iterable[str]) -> None:
        """Does nothing: DVC itself brings here what its queue makes."""

    def submit(self, missing: Callable[[], Sequence[Job]]) -> None:
        """Queues the jobs that are missing and not in hand; those that failed before, once more."""
        self._queue = Queue()
        self._missing = missing
        self._names = [job.name for job in missing()]
        for name, standing in self._in_hand().items():
            console.say(f"{standing} already: {name}")
        self._add_missing()

    def watch(self) -> Iterator[Mapping[str, str]]:
        """Keeps workers at work until nothing is queued or running. Raises TrainingError where none starts."""
        before: set[str] = set()
        starts, not_before = 0, 0.0
        while True:
            standings = self._queue.standings(self._names)
            left = {name for name, standing in standings.items() if standing is not Standing.FAILED}
            running = {name for name in left if standings[name] is Standing.ACTIVE}
            yield {name: self._queue.last_line(name) if name in running else "" for name in sorted(left)}
            if not left:
                return
            starts = starts if left == before else 0
            before = left
            if time.monotonic() > not_before and not self._queue.has_workers():
                self._start(starts)
                starts, not_before = starts + 1, time.monotonic() + STARTING_SECONDS
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Takes what waits out of the queue, and has what runs save and end."""
        if not self._names:
            return
        console.say("stops once the training is saved; again to leave it running in the queue")
        standings = self._queue.standings(self._names)
        self._queue.remove([name for name, standing in standings.items() if standing is Standing.QUEUED])
        if running := self._queue.stop(self._names):
            console.warn(f"still running in the queue: {', '.join(running)}; `dvc queue kill --force` ends it")

    def log_of(self, name: str) -> str:
        """The command that shows what a failed experiment printed."""
        return f"`dvc queue logs {name}`"

    def _add_missing(self) -> None:
        in_hand = self._in_hand()
        jobs = {job.name: job for job in self._missing()}
        failed = self._queue.standings(self._names).keys() - in_hand.keys()
        self._queue.remove(sorted(failed.intersection(jobs)))
        for name, job in jobs.items():
            if name not in in_hand:
                console.say(f"queued: {name}{', which failed or was stopped before' if name in failed else ''}")
                self._queue.add(name, job.overrides)

    def _in_hand(self) -> dict[str, Standing]:
        """Lists what is queued and running by name; what a killed worker was at is failed, by DVC's own command."""
        running = [name for name, each in self._queue.standings(self._names).items() if each is Standing.ACTIVE]
        if running and not self._queue.has_workers():
            self._queue.stop(running)
        standings = self._queue.standings(self._names)
        return {name: standing for name, standing in standings.items() if standing is not Standing.FAILED}

    def _start(self, starts: int) -> None:
        """Starts workers; where they were killed, what they were at is queued again."""
        if starts == STARTS:
            raise TrainingError(
                f"DVC's queue starts no worker; see {self._queue.logs()}; the same command goes on with what is missing"
            )
        self._add_missing()
        self._queue.start(self._at_once)
