"""Check params.yaml and nothing else."""

from pipeline import console
from pipeline.stage import PARAMS


def check() -> None:
    """Check params.yaml: every problem at once, each with its path, what it got and what it takes."""
    from mnistgan.params import load

    params = load(PARAMS)
    console.summary(f"{PARAMS} is fine: recipe {params.train.recipe}, seed {params.train.seed}")
