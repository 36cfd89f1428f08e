"""Sets how MLflow's pages open: on the project's runs, with the columns that tell them apart."""

import json

VIEW = "mnistgan"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
"""Tag of an experiment: a view of its runs that MLflow's pages show to whoever asks for it by its name."""
COLUMNS = {
    "attributes.`Run Name`": 250,
    "runDateAndNestInfo": 120,  # when it was made; as MLflow calls that column, which it always shows
    "metrics.`evaluation/fid.value`": 145,
    "metrics.`seeds/fid.mean`": 120,
    "attributes.`Description`": 320,
    "params.`train.recipe`": 100,
    "params.`train.seed`": 90,
}
"""The first columns of the table of runs, and how wide each is in pixels: as many as a window of 1280 has room for.

A run has its own FID, a parent the mean of its seeds; the description of a run is its verdict.
"""
VIEW_STATE = json.dumps({"selectedColumns": [*COLUMNS], "columnOrder": [*COLUMNS], "columnWidths": COLUMNS})


def address(server: str, experiment: str) -> str:
    """Address of the page of an experiment's runs; of itself MLflow opens on a page for language models."""
    return f"{server}/#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"
