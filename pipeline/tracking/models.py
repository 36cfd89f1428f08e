"""Logs the generator as a model that MLflow loads by itself, each run's once.

In steps, where MLflow 3.17's ``Model.log`` would begin a second one, and put it into the default experiment.
"""

import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime import load_tensorflow
from pipeline.tracking.holdings import Holdings
from pipeline.tracking.publication import VERSION_TAG, Publication
from pipeline.tracking.writing import POINTS_A_BATCH

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

    from pipeline.tracking.connection import Connection

FILES = "mnistgan.files"
"""Tag of a logged model: its files' names and sizes, once all are there."""


def add(at: "Connection", run_id: str, content: Publication) -> tuple["LoggedModel", bool]:
    """Logs the run's model, whole, and says whether it was not; one that lacks something is completed under its id."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    client = at.client
    found, params = client.search_logged_models([at.experiment], f"source_run_id = '{run_id}'"), dict(content.params)
    model = found[0] if found else client.create_logged_model(at.experiment, "generator", run_id, None, params)
    if model.status == LoggedModelStatus.READY and _has_its_files(client, model):
        return model, False
    outputs = client.get_run(run_id).outputs
    if model.model_id not in {output.model_id for output in (outputs.model_outputs if outputs else [])}:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    if model.status != LoggedModelStatus.READY:
        _link_figures(client, run_id, model.model_id)
    with tempfile.TemporaryDirectory() as folder:
        _save(Path(folder) / "model", run_id, model, content)
        client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
    client.set_logged_model_tags(model.model_id, {FILES: json.dumps(_files_of(client, model))})
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY), True


def _files_of(client: "MlflowClient", model: "LoggedModel") -> Mapping[str, int]:
    return Holdings.of(partial(client.list_logged_model_artifacts, model.model_id)).sizes


def _has_its_files(client: "MlflowClient", model: "LoggedModel") -> bool:
    """Whether a logged model has the files that it was given, beside those that MLflow adds where it is loaded."""
    sizes = _files_of(client, model)
    noted = json.loads(model.tags.get(FILES, "{}"))
    return noted.items() <= sizes.items() and "MLmodel" in sizes and all(sizes.values())


def _link_figures(client: "MlflowClient", run_id: str, model_id: str) -> None:
    """Shows the final weights' figures on the model's page; the run's points stay the ones they are."""
    from mlflow.entities import Metric

    metrics = [
        Metric(name, point.value, point.timestamp, 0, model_id, run_id=run_id)
        for name in client.get_run(run_id).data.metrics
        for point in client.get_metric_history(run_id, name)
        if point.step == 0
    ]
    for start in range(0, len(metrics), POINTS_A_BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + POINTS_A_BATCH])


def _save(folder: Path, run_id: str, model: "LoggedModel", content: Publication) -> None:
    """Writes the generator as MLflow keeps models: what it takes, what it gives, what it needs."""
    load_tensorflow(verbose=False)
    import mlflow.keras
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    from mnistgan.families import sampling

    assert content.generator is not None
    sampler = sampling.load(content.generator, plain=True)
    latents = TensorSpec(np.dtype(np.float32), (-1, sampler.latent_size), "latents")
    images = TensorSpec(np.dtype(np.float32), (-1, 28, 28, 1), "images")
    mlflow.keras.save_model(
        sampler.network,
        str(folder),
        mlflow_model=Model(model.artifact_location, run_id, model_uuid=model.model_id, model_id=model.model_id),
        signature=ModelSignature(inputs=Schema([latents]), outputs=Schema([images])),
        pip_requirements=[f"mlflow=={mlflow.__version__}", *_requirements(content.tags)],
    )


def _requirements(tags: Mapping[str, str]) -> list[str]:
    """Lists the libraries that the state was trained with, as pip takes them."""
    return [
        f"{name.removeprefix(VERSION_TAG)}=={value}" for name, value in tags.items() if name.startswith(VERSION_TAG)
    ]
