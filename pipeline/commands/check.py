"""Checks params.yaml, and whether experiments can run here."""

from typing import Annotated

import typer

from pipeline import console
from pipeline.stage import PARAMS


def check(
    experiments: Annotated[
        bool,
        typer.Option(
            "--experiments", help="Check too whether DVC can run experiments here, which needs git's history."
        ),
    ] = False,
) -> None:
    """Check params.yaml and name every problem at once.

    Each with its path, what it got and what it takes."""
    from mnistgan.params import load

    params = load(PARAMS)
    if experiments:
        from pipeline.engines import readiness

        readiness.check_ready()
    console.summary(f"{PARAMS} is fine: recipe {params.train.recipe}, seed {params.train.seed}")
