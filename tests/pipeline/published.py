"""Publishing as a process of its own would, and what the store has then."""

import json
from pathlib import Path

from pipeline.tracking import registry
from pipeline.tracking.connection import EXPERIMENT
from pipeline.tracking.gathering import gather
from pipeline.tracking.sources import of_lock
from pipeline.tracking.store import Published, Store

MODEL = "mnistgan-mnist-dcgan"
WEIGHTS = Path("artifacts/graph/variables/variables.data-00000-of-00001")
"""In a registered model's folder."""


def publish(root: Path) -> Published:
    """Publish what dvc.lock records, as a process of its own would."""
    done = Store(root).publish(gather(of_lock(), root))
    assert done is not None
    return done


def runs_of(client, run_key: str):
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return client.search_runs([experiment.experiment_id], f"tags.`mnistgan.run_key` = '{run_key}'")


def steps(client, run_id: str, metric: str) -> list[int]:
    return [point.step for point in client.get_metric_history(run_id, metric)]


def images(client, run_id: str) -> list[str]:
    return [file.path for file in client.list_artifacts(run_id, "images")]


def whole(client, run_id: str) -> bool:
    """Whether a finished run has its files and pictures, and one version whose model can be fetched."""
    import mlflow

    [version] = [
        version
        for version in client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")
        if registry.REPLACED not in version.tags
    ]
    model = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{MODEL}/{version.version}"))
    copy = Path(client.download_artifacts(run_id, "metrics/evaluation.json"))
    pictures = {name.split("+")[2] for name in images(client, run_id)}
    return (
        (model / WEIGHTS).stat().st_size > 10_000
        and bool(json.loads(copy.read_text()))
        and (pictures == {"0", "1", "2"})
    )
