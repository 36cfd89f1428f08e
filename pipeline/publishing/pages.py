"""How MLflow's pages open: on the project's runs, with the columns that tell them apart. Knows nothing of MLflow."""

import json

VIEW = "mnistgan"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
"""Tag of an experiment: a view of its runs that MLflow's pages show to whoever asks for it by its name."""
COLUMNS = {
    "attributes.`Run Name`": 300,
    "metrics.`evaluation/fid.value`": 150,
    "metrics.`evaluation/coverage.value`": 180,
    "metrics.`seeds/fid.mean`": 130,
    "params.`train.recipe`": 100,
    "params.`train.seed`": 90,
    "attributes.`Description`": 400,
}
"""The columns of the table of runs, beside those that MLflow always shows, and how wide each is in pixels.

A run has its own FID, a parent the mean of its seeds; the description of the one is its verdict, of the other the same
mean with its interval.
"""
VIEW_STATE = json.dumps({"selectedColumns": [*COLUMNS], "columnOrder": [*COLUMNS], "columnWidths": COLUMNS})


def address(server: str, experiment: str) -> str:
    """The page of an experiment's runs; of itself MLflow opens on a welcome to work with language models."""
    return f"{server}/#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"
