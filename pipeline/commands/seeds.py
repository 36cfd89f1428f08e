"""Trains several seeds of a recipe, and records how far they differ."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistgan.comparison.seeds import SeedRow
from mnistgan.errors import Interrupted, TrackingError, TrainingError, UsageError
from pipeline import console, places
from pipeline.dvcfiles import dvc_yaml, layout
from pipeline.engines import dvc_queue, planning, readiness
from pipeline.engines.dvc_queue import Queue, Standing
from pipeline.engines.planning import Plan
from pipeline.places import Out
from pipeline.tracking import observing

if TYPE_CHECKING:
    from pipeline.tracking.groups import Group

OUT = layout.SEEDS
POLL_SECONDS = 2.0
STARTING_SECONDS = 60.0  # how long a worker may take until it is there
STARTS = 3  # how often workers are started without any experiment's having moved on
AGAIN = "the same command goes on with what is missing"


def seeds(
    count: Annotated[int, typer.Option(min=2, max=1000, help="How many: the seeds 0 to COUNT - 1.")] = 5,
    recipe: Annotated[
        str | None, typer.Option(help="A recipe of the family, instead of the one that params.yaml names.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another value of a param, as `dvc exp run -S`; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help=f"The file to record them in: {OUT}, unless --set is given.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="How many train at once; one training takes two cores.")] = 1,
) -> None:
    """Train seeds of a recipe and record how far they differ.

    `diff` and `gate` judge by that. The trainings go through DVC's queue. Each seed is a DVC experiment and an MLflow
    run; a parent run shows mean, standard deviation and 95% interval of log FID and of the other scores, and counts
    those that collapsed, which no mean holds. A seed that the workspace, the last commit or an experiment records
    already, by the same params, data and code, is taken from there. A changed tree is queued with its changes.

    The same command again goes on with what is missing: it queues nothing twice, and tries once more what failed.
    Ctrl-C stops the training, which saves first, and takes the rest out of the queue; exit code 130. With all there,
    the file's rows of this recipe, data and pins are put in place of its earlier ones, and those of others stay.
    Commit it. `python -m pipeline diff A.csv B.csv` compares two such files. See docs/comparing.md.
    """
    overrides = [*([f"train.recipe={recipe}"] if recipe else []), *(set_ or [])]
    if set_ and out is None:
        raise UsageError(
            f"--set: {OUT} is the record of recipes as they are; give another file, as --out lower_rate.csv"
        )
    path = out or OUT
    places.demand("seeds", {"out": (path, Out(".csv", own=OUT, grows=True))})
    from pipeline.tracking import groups

    groups.read_rows(path)  # refused now, not after an hour
    try:
        group = _train(_plan(count, overrides), jobs)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {AGAIN}") from None
    groups.write(path, group)
    console.summary(f"{group.headline()}; {path}")


def _plan(count: int, overrides: Sequence[str]) -> Plan:
    dvc_yaml.declared()  # refused here where this is no such repository
    if not planning.is_prepared():
        _prepare()
    return planning.plan(count, overrides)


def _prepare() -> None:
    """Makes the data first, into DVC's cache: two experiments that make it at once are a race of DVC's own."""
    readiness.check_ready()
    console.say("dvc repro prepare")
    dvc_queue.dvc("repro", "prepare")


def _train(plan: Plan, jobs: int) -> "Group":
    """Trains all seeds of a plan. Raises TrainingError where one failed, Interrupted where it was asked to stop."""
    from pipeline.tracking import groups

    rows = plan.rows()
    if plan.missing(rows):
        _prepare()
        rows = _Work(plan, dvc_queue.Queue(), jobs).until_done()
    group = groups.Group(tuple(rows), plan.count) if rows else None
    if group:
        _publish(group)
    missing = plan.missing(rows)
    if missing or group is None:
        names = ", ".join(f"seed {seed} (`dvc queue logs {plan.name(seed)}`)" for seed in missing)
        raise TrainingError(f"{len(missing)} of {plan.count} seeds failed: {names}; {AGAIN}, and tries each once more")
    return group


class _Work:
    """Drives DVC's queue until nothing of a plan is in it."""

    def __init__(self, plan: Plan, queue: Queue, jobs: int) -> None:
        self._plan = plan
        self._queue = queue
        self._jobs = jobs
        self._names = {plan.name(seed): seed for seed in range(plan.count)}

    def until_done(self) -> list[SeedRow]:
        """Queues what is missing and waits; returns all that is recorded then."""
        try:
            for name, standing in self._in_hand().items():
                console.say(f"{standing} already: {name}")
            self._add_missing()
            return self._wait()
        except KeyboardInterrupt:
            self._stop()
            raise

    def _add_missing(self) -> None:
        """Queues the seeds that are neither recorded nor in hand; those that failed before, once more."""
        in_hand = self._in_hand()
        failed = self._queue.standings(self._names).keys() - in_hand.keys()
        missing = [self._plan.name(seed) for seed in self._plan.missing(self._plan.rows())]
        self._queue.remove(sorted(failed.intersection(missing)))
        for name in missing:
            if name not in in_hand:
                console.say(f"queued: {name}{', which failed or was stopped before' if name in failed else ''}")
                self._queue.add(name, self._plan.settings(self._names[name]))

    def _in_hand(self) -> dict[str, Standing]:
        """Lists the queued and running seeds by name; what a killed worker was at is failed, by DVC's own command."""
        running = [name for name, each in self._queue.standings(self._names).items() if each is Standing.ACTIVE]
        if running and not self._queue.has_workers():
            self._queue.stop(running)
        standings = self._queue.standings(self._names)
        return {name: standing for name, standing in standings.items() if standing is not Standing.FAILED}

    def _wait(self) -> list[SeedRow]:
        """Waits, with workers at work, until nothing is queued or running."""
        from pipeline.tracking import groups

        rows, before = self._plan.rows(), None
        starts, not_before = 0, 0.0
        with console.progress() as report:
            while True:
                standings = self._queue.standings(self._names)
                left = {name for name, standing in standings.items() if standing is not Standing.FAILED}
                if before is not None and left != before:
                    rows, starts = self._plan.rows(), 0
                    if rows and len(rows) < self._plan.count:
                        _publish(groups.Group(tuple(rows), self._plan.count))
                before = left
                running = [name for name in sorted(left) if standings[name] is Standing.ACTIVE]
                said = "; ".join(f"seed {self._names[name]}: {self._queue.last_line(name)}" for name in running)
                report("seeds", len(rows), self._plan.count, said)
                if not left:
                    return rows
                if time.monotonic() > not_before and not self._queue.has_workers():
                    self._start(starts)
                    starts, not_before = starts + 1, time.monotonic() + STARTING_SECONDS
                time.sleep(POLL_SECONDS)

    def _start(self, starts: int) -> None:
        """Starts workers; where they were killed, what they were at is queued again."""
        if starts == STARTS:
            raise TrainingError(f"DVC's queue starts no worker; see {self._queue.logs()}; {AGAIN}")
        self._add_missing()
        self._queue.start(self._jobs)

    def _stop(self) -> None:
        """Takes what waits out of the queue, and has what runs save and end."""
        console.say("stops once the training is saved; again to leave it running in the queue")
        standings = self._queue.standings(self._names)
        self._queue.remove([name for name, standing in standings.items() if standing is Standing.QUEUED])
        if running := self._queue.stop(list(self._names)):
            console.warn(f"still running in the queue: {', '.join(running)}; `dvc queue kill --force` ends it")


def _publish(group: "Group") -> None:
    """Shows a group in MLflow; an outage is a warning, since the same command or `sync` makes up for it."""
    if os.environ.get(observing.SWITCH) == "off":
        return
    from pipeline.tracking.store import Store

    try:
        done = Store(layout.main_root()).publish_group(group)
    except TrackingError as error:
        console.warn(f"the group's parent run is not up to date: {error}; the same command again makes up for it")
        return
    if done.is_news:
        console.summary(str(done))
