"""Adds to one run what it lacks of a publication: params, tags, note, data set, points, pictures and files."""

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.files import sha256
from pipeline.results import datasets
from pipeline.tracking import holdings, images
from pipeline.tracking.connection import Connection
from pipeline.tracking.holdings import Holdings
from pipeline.tracking.publication import NOTE, Point, Publication, note
from pipeline.tracking.reading import tag

if TYPE_CHECKING:
    from mlflow.entities import Run

POINTS_A_BATCH = 1000
PARAMS_A_BATCH = 100
REPORT = "report.html"
DATASET_DIGEST = 36
"""Characters that MLflow keeps of a dataset's digest."""


class Known:
    """A run's content as it is known; asked of the store once, since one process publishes to a run at a time."""

    def __init__(self, at: Connection, run_id: str) -> None:
        self._at, self._run_id = at, run_id
        self._known: dict[str, Counter[int]] = {}
        self.manifest: dict[str, str] | None = None

    def steps(self, metric: str) -> Counter[int]:
        """Counts the points of a metric by step; MLflow would add a second one."""
        if metric not in self._known:
            history = self._at.client.get_metric_history(self._run_id, metric)
            self._known[metric] = Counter(point.step for point in history)
        return self._known[metric]


def take_out_gone(at: Connection, run: "Run", content: Publication, manifest: dict[str, str]) -> list[str]:
    """Takes out of a run's list what is to be added again, since the store has it no more or not whole."""
    held = Holdings.of(partial(at.client.list_artifacts, run.info.run_id), run.info.artifact_uri)
    stems = images.stems(held.sizes)
    files = {**content.artifacts, **dict.fromkeys([REPORT] if content.baseline else [])}
    gone = [name for name, file in files.items() if name in manifest and not held.has(name, manifest[name], file)]
    for step, file in content.grids.items():
        is_listed = manifest.get(images.name_of(step)) == sha256(file)
        if is_listed and not images.is_whole(held, stems.get(step), file):
            gone.append(images.name_of(step))
    for name in gone:
        del manifest[name]
    return gone


def add_params(at: Connection, run: "Run", content: Publication) -> int:
    """Logs the params that a run lacks; MLflow never lets one change."""
    from mlflow.entities import Param

    missing = {name: value for name, value in content.params.items() if name not in run.data.params}
    params = [Param(name, value) for name, value in sorted(missing.items())]
    for start in range(0, len(params), PARAMS_A_BATCH):
        at.client.log_batch(run.info.run_id, params=params[start : start + PARAMS_A_BATCH])
    return len(params)


def add_note(at: Connection, run: "Run", content: Publication) -> int:
    """Describes a run by its verdict and pictures; a description that it has stays: a person may have written it."""
    if not content.line or tag(run, NOTE):
        return 0
    return at.set_tags(run, {NOTE: note(run.info.run_id, content, images.STRIP if content.grids else None)})


def add_dataset(at: Connection, run: "Run", content: Publication) -> int:
    """Says by which data a run was trained, once."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    if content.dataset is None or (run.inputs and run.inputs.dataset_inputs):
        return 0
    digest = content.state.data_digest[:DATASET_DIGEST]
    source = json.dumps({"dvc.lock": "prepare", "digest": content.state.data_digest})
    dataset = Dataset(datasets.name_of(content.params), digest, "dvc", source, profile=content.dataset)
    at.client.log_inputs(run.info.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    return 1


def add_points(at: Connection, run_id: str, points: Sequence[Point], known: Known) -> int:
    new = [point for point in points if not known.steps(point.metric)[point.step]]
    for start in range(0, len(new), POINTS_A_BATCH):
        batch = new[start : start + POINTS_A_BATCH]
        log_points(at, run_id, batch)
        for point in batch:
            known.steps(point.metric)[point.step] += 1
    return len(new)


def log_points(at: Connection, run_id: str, points: Sequence[Point]) -> None:
    """Logs points in one call, at most ``POINTS_A_BATCH``."""
    from mlflow.entities import Metric

    now = int(datetime.now(UTC).timestamp() * 1000)
    at.client.log_batch(run_id, metrics=[Metric(point.metric, point.value, now, point.step) for point in points])


def add_grids(at: Connection, run_id: str, grids: Mapping[int, Path], manifest: dict[str, str]) -> int:
    """Logs the pictures of steps that are not in the list, and writes it after each."""
    digests = {step: sha256(file) for step, file in grids.items()}
    missing = [step for step in grids if manifest.get(images.name_of(step)) != digests[step]]
    found = at.client.list_artifacts(run_id, images.FOLDER) if missing else []
    there = images.stems(file.path for file in found)
    for step in missing:
        images.log(at, run_id, step, grids[step], there.get(step))
        manifest[images.name_of(step)] = digests[step]
        holdings.write(at, run_id, manifest)
    return len(missing)


def add_files(at: Connection, run_id: str, files: Mapping[str, Path], manifest: dict[str, str]) -> int:
    digests = {name: sha256(file) for name, file in files.items()}
    changed = [name for name in files if manifest.get(name) != digests[name]]
    for name in changed:
        path, file = Path(name), files[name]
        with tempfile.TemporaryDirectory() as folder:  # MLflow takes the name from the file: another is copied
            copy = file if file.name == path.name else Path(shutil.copyfile(file, Path(folder) / path.name))
            at.client.log_artifact(run_id, str(copy), str(path.parent) if path.parent.name else None)
        manifest[name] = digests[name]
    return len(changed)


def add_report(at: Connection, run_id: str, content: Publication, manifest: dict[str, str]) -> int:
    """Logs the report of a finished run beside its baseline, once: a later seeds file would change what it says."""
    if content.baseline is None or REPORT in manifest:
        return 0
    page = content.baseline.page()
    at.client.log_text(run_id, page, REPORT)
    manifest[REPORT] = hashlib.sha256(page.encode()).hexdigest()
    return 1


def add_strip(at: Connection, run_id: str, content: Publication, manifest: dict[str, str]) -> int:
    """Logs what a finished run's description shows of its last grid."""
    if not content.line or not content.grids:
        return 0
    last = content.grids[max(content.grids)]
    if manifest.get(images.STRIP) == (digest := sha256(last)):
        return 0
    with tempfile.TemporaryDirectory() as folder:
        at.client.log_artifact(run_id, str(images.strip(last, Path(folder))))
    manifest[images.STRIP] = digest
    return 1
