"""Checks params.yaml and recipes/, whether experiments can run here, and mends what a kill left torn."""

from typing import Annotated

import typer

from pipeline import console
from pipeline.engines import readiness
from pipeline.runs import repairing
from pipeline.stage import PARAMS


def check(
    experiments: Annotated[
        bool,
        typer.Option(
            "--experiments", help="Check too whether DVC can run experiments here, which needs git's history."
        ),
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="First mend the files of DVC that a kill left torn, as `make repro` does.")
    ] = False,
) -> None:
    """Check params.yaml and every recipe.

    Every problem is named at once, with its path, what it got and what it takes.

    --repair leaves what is whole as it is. An rwlock of DVC that is no whole JSON goes, entries of dead processes too.
    A dvc.lock that is no whole record is put back as the last commit has it, the torn one kept beside as dvc.lock.torn;
    what ran since comes out of DVC's run cache. A stage that still works here, left by a DVC that was killed or not, is
    named, and nothing is done; so is a DVC that is busy here.
    """
    from mnistgan.params import load

    if repair:
        repairing.repair()
    params = load(PARAMS, every=True)
    if experiments:
        readiness.check_ready()
    console.summary(
        f"{PARAMS} and recipes/ are fine: {params.train.family}, recipe {params.train.recipe}, seed {params.train.seed}"
    )
