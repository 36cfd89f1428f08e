"""Trains several seeds of a recipe, and records how far they differ."""

import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mnistgan.comparison.seeds import SeedRow
from mnistgan.errors import Interrupted, TrackingError, TrainingError, UsageError
from pipeline import console, places
from pipeline.commands.jobs.run import Overrides
from pipeline.dvcfiles import dvc_yaml, git, layout
from pipeline.engines import dask_serving, dvc_queue, planning, queueing, readiness
from pipeline.engines.jobs import Engine
from pipeline.engines.planning import Plan
from pipeline.places import Out
from pipeline.tracking import observing

if TYPE_CHECKING:
    from pipeline.tracking.groups import Group

OUT = layout.SEEDS
PATIENCE = 10.0  # what is recorded is read again after so many times as long as that took: of many it takes a while
AGAIN = "the same command goes on with what is missing"


def train(
    count: Annotated[int, typer.Option(min=2, max=1000, help="How many: the seeds 0 to COUNT - 1.")] = 5,
    recipe: Annotated[
        str | None, typer.Option(help="A recipe of the family, instead of the one that params.yaml names.")
    ] = None,
    set_: Overrides = None,
    out: Annotated[Path | None, typer.Option(help=f"The file to record them in: {OUT}, unless --set is given.")] = None,
    jobs: Annotated[
        int, typer.Option(min=1, max=64, help="How many train at once in DVC's queue; one training takes two cores.")
    ] = 1,
    spread: Annotated[
        Literal["queue", "dask"],
        typer.Option(help="DVC's queue on this machine, or a Dask scheduler's workers."),
    ] = "queue",
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where Dask's scheduler listens.")
    ] = dask_serving.DEFAULT,
) -> None:
    """Train seeds of a recipe and record how far they differ.

    `diff` and `gate` judge by that. The trainings go through DVC's queue or, spread, to workers on other machines, that
    get the last commit (docs/scale.md). Each seed is a DVC experiment and an MLflow run; a parent run shows mean,
    standard deviation and 95% interval of log FID and of the other scores, and counts those that collapsed, which no
    mean holds. A seed that the workspace, the last commit or an experiment records already, by the same params, data
    and code, is taken from there. A changed tree is queued with its changes.

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
    places.demand({"out": (path, Out(".csv", own=OUT, grows=True))})
    from pipeline.tracking import groups

    groups.read_rows(path)  # refused now, not after an hour
    engine = _engine(spread, jobs, scheduler)
    try:
        group = _trained(_plan(count, overrides), engine)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {AGAIN}") from None
    groups.write(path, group)
    console.summary(f"{group.headline()}; {path}")


def _engine(spread: str, jobs: int, scheduler: str) -> Engine:
    if spread == "queue":
        return queueing.ByQueue(jobs)
    if git.is_dirty():
        raise UsageError("the tree differs from its commit, which is all that workers get; commit and push the changes")
    from pipeline.engines import dask_engine

    return dask_engine.Cluster(scheduler)


def _plan(count: int, overrides: Sequence[str]) -> Plan:
    dvc_yaml.declared()  # refused here where this is no such repository
    if not planning.is_prepared(overrides):
        _prepare(overrides)
    return planning.plan(count, overrides)


def _prepare(overrides: Sequence[str]) -> None:
    """Makes the data first, into DVC's cache: two experiments that make it at once are a race of DVC's own."""
    readiness.check_ready()
    of_data = planning.of_data(overrides)
    console.say(" ".join(["dvc repro prepare", *(f"-S {shlex.quote(override)}" for override in of_data)]))
    dvc_queue.prepare(of_data)


def _trained(plan: Plan, engine: Engine) -> "Group":
    """Trains all seeds of a plan. Raises TrainingError where one failed, Interrupted where it was asked to stop."""
    from pipeline.tracking import groups

    engine.collect(map(plan.name, range(plan.count)))
    rows = plan.rows()
    if plan.missing(rows):
        if not planning.of_data(plan.overrides):  # whose data was made for the plan
            _prepare(())
        rows = _run(plan, engine)
    group = groups.Group(tuple(rows), plan.count) if rows else None
    if group:
        _publish(group)
    missing = plan.missing(rows)
    if missing or group is None:
        names = ", ".join(f"seed {seed} ({engine.log_of(plan.name(seed))})" for seed in missing)
        raise TrainingError(f"{len(missing)} of {plan.count} seeds failed: {names}; {AGAIN}, and tries each once more")
    if len(machines := plan.machines()) > 1:
        console.warn(f"they ran on machines of {len(machines)} kinds, of other bytes each: {'; '.join(machines)}")
    return group


def _run(plan: Plan, engine: Engine) -> list[SeedRow]:
    """Has an engine run what is missing, and waits; returns all that is recorded then."""
    from pipeline.tracking import groups

    seeds = {plan.name(seed): seed for seed in range(plan.count)}
    try:
        engine.submit(lambda: [plan.job(seed) for seed in plan.missing(plan.rows())])
        rows, read, not_before = plan.rows(), None, 0.0
        with console.progress() as report:
            for left in engine.watch():
                read, now = left.keys() if read is None else read, time.monotonic()
                if left.keys() != read and (now > not_before or not left):
                    rows, read = plan.rows(), left.keys()
                    not_before = time.monotonic() + PATIENCE * (time.monotonic() - now)
                    if rows and len(rows) < plan.count:
                        _publish(groups.Group(tuple(rows), plan.count))
                said = "; ".join(f"seed {seeds[name]}: {line}" for name, line in left.items() if line)
                report("seeds", len(rows), plan.count, said)
        return plan.rows()
    except KeyboardInterrupt:
        engine.stop()
        raise


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
