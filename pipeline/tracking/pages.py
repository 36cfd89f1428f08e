"""Sets how MLflow's pages open: on the project's runs, with the columns that tell them apart."""

import json

from mnistgan.metrics.catalog import PRIMARY
from pipeline.tracking.shown import score

VIEW = "mnistgan"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
"""Tag of an experiment: a view of its runs that MLflow's pages show to whoever asks for it by its name."""
COLUMNS = {
    "attributes.`Run Name`": 260,
    "runDateAndNestInfo": 125,  # when it was made; as MLflow calls that column, which it always shows
    f"metrics.`{score(PRIMARY)}`": 95,
    f"metrics.`{score('coverage.value')}`": 130,
    "attributes.`Description`": 340,
}
"""The first columns of the table of runs, and how wide each is in pixels: as many as a window of 1280 has room for.

Its name tells family, recipe and seed, and its description begins with its verdict; a parent has its seeds' means.
"""
VIEW_STATE = json.dumps({"selectedColumns": [*COLUMNS], "columnOrder": [*COLUMNS], "columnWidths": COLUMNS})


def address(server: str, experiment: str) -> str:
    """Address of the page of an experiment's runs; of itself MLflow opens on a page for language models."""
    return f"{server}/#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"
