"""Checks params.yaml and recipes/, and whether experiments can run here."""

from typing import Annotated

import typer

from pipeline import console
from pipeline.engines import readiness
from pipeline.stage import PARAMS


def check(
    experiments: Annotated[
        bool,
        typer.Option(
            "--experiments", help="Check too whether DVC can run experiments here, which needs git's history."
        ),
    ] = False,
) -> None:
    """Check params.yaml and every recipe.

    Every problem is named at once, with its path, what it got and what it takes.
    """
    from mnistgan.params import load

    params = load(PARAMS, every=True)
    if experiments:
        readiness.check_ready()
    console.summary(
        f"{PARAMS} and recipes/ are fine: {params.train.family}, recipe {params.train.recipe}, seed {params.train.seed}"
    )
