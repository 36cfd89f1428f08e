"""MLflow: publishes what files say, so that publishing again changes nothing. The only file that imports mlflow.

What a run already holds is asked of the store: its points, params, inputs, model; and its files, of which the run's own
``published.json`` lists the sha256 of each that arrived whole, since a person may have deleted them. A publishing that
was cut off anywhere is so completed by the next one, which writes over what may be half there by the name it has.
"""

import json
import logging
import os
import re
import shlex
import shutil
import sqlite3
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.errors import MnistganError, TrackingError, UsageError
from mnistgan.files import replacing, sha256
from pipeline import output
from pipeline.runs import journal, machine
from pipeline.runs.journal import Kind
from pipeline.runtime import load_tensorflow
from pipeline.tracking import lease, pages, patience, publication, relocation
from pipeline.tracking.address import (
    STORE,
    absolute,
    database,
    is_server,
    shown,
    sqlite_address,
    sqlite_file,
    uri,
)
from pipeline.tracking.holdings import PICTURES, Holdings
from pipeline.tracking.publication import MACHINE_TAGS, NOTE, RECIPE_DIGEST, Point, Publication, Status
from pipeline.tracking.relocation import ARTIFACTS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, LoggedModel, Run

    from pipeline.tracking.groups import Group

EXPERIMENT = "mnistgan"
MODEL = "mnistgan-generator"
GENERATOR = "models/generator.npz"
MANIFEST = "published.json"
RESULTS = "mnistgan.results"
"""Tag of a finished run: the digest of what it shows."""
PUBLISHER = "mnistgan.publisher"
"""Tag of an unfinished run: the clone that added to it last."""
REPLACES = "mnistgan.replaces"
"""Tag of a run: the one that it was made in place of."""
MODEL_FILES = "mnistgan.files"
"""Tag of a logged model: its files' names and sizes, once all are there."""
CLONE = "mnistgan.clone"
UNFINISHED = (Status.RUNNING, Status.SCHEDULED)
OF_ONE_RUN = (RESULTS, PUBLISHER, "mlflow.runName", "mlflow.loggedImages", "mlflow.log-model.history")
"""Tags that a run's replacement does not take over."""
FEW = 5
"""Names that one message lists."""
GRID = "grid"
POINTS_A_BATCH = 1000
PARAMS_A_BATCH = 100
REASON_CHARACTERS, WORD_CHARACTERS = 300, 50
_ADVICE = {
    "401": "the server asks for a sign-in: set MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN",
    "403": "the server refuses it: these credentials may not, or its --allowed-hosts lacks the name it is asked by",
    "404": "no MLflow server of this version is at that address",
    "429": "the server is asked too often; try again later",
}
_NO_MLFLOW = "what answers is no MLflow server: a sign-in page, a proxy's or another program's"
_STATUS = re.compile(r"error code (\d{3}) != 200|too many (\d{3}) error responses")
KEY_PREFIX = 6
"""Hex digits of a key that are enough to ask for a run by it."""

VERSION_TAG = "mnistgan.version."
DATASET_DIGEST = 36
"""Characters that MLflow keeps of a dataset's digest."""
MODEL_DESCRIPTION = "Latents [N, size] from N(0, 1) to MNIST-like images [N, 28, 28, 1] in [-1, 1]."

# A server that hangs holds MLflow's client for 120 s times 7 retries by default. Of itself it repeats no call: the
# answer may be what got lost, and a run would be made twice. Who publishes again asks first what is there.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # a server may ask for a day
}
LOCKED_SECONDS = 3.0
"""How long a database that another process holds is waited for; MLflow itself tries for 20 s at each call."""
CREATING_SECONDS = 30.0
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # it would print the server's password too
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GIT_PYTHON_REFRESH": "quiet",
}
_GRID_FILE = re.compile(rf"images/(?P<stem>{GRID}\+step\+(?P<step>\d+)\+.*?)(?:\+compressed\.webp|\.png)")


@dataclass(frozen=True)
class Published:
    """What a publishing added to which run."""

    run_id: str
    name: str
    added: Mapping[str, int]
    blank: Sequence[str] = ()
    """What the run doesn't tell, since only a journal knew it."""
    mended: Sequence[str] = ()
    """Sentences on what had gone from the store, or was doubled there, and is right again."""

    @property
    def is_news(self) -> bool:
        """Whether anything was added."""
        return any(self.added.values())

    def __str__(self) -> str:
        added = ", ".join(f"{count} {what}" for what, count in self.added.items() if count)
        return f"MLflow run {self.name!r}: {f'added {added}' if self.is_news else 'already holds it all'}"


@dataclass(frozen=True)
class TracedRun:
    """A run as the store tells of it."""

    id: str
    name: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]


@dataclass
class _Memory:
    """What a run is known to hold; asked of the store once, since one process publishes to a run at a time."""

    steps: dict[str, Counter[int]] = field(default_factory=dict)
    """How many points each metric has at each step."""
    manifest: dict[str, str] | None = None


class LockedError(TrackingError):
    """Another process publishes to the same run."""


class Store:
    """MLflow's store: ``MLFLOW_TRACKING_URI``, or else SQLite under the main repository's ``mlruns``.

    Raises TrackingError where it can't be reached; each method does.
    """

    def __init__(self, root: Path) -> None:
        for name, value in (_PATIENCE | _QUIET).items():
            os.environ.setdefault(name, value)
        self._root = root
        self._memory: dict[str, _Memory] = {}
        self._begun: dict[str, str] = {}  # the run that this process publishes to, by key
        self._news: list[str] = []
        with _speaking_plainly():
            import mlflow

            patience.bound_answers()
            # Their own lines name the server with its password in it.
            for library in ("mlflow", "alembic", "urllib3"):
                logging.getLogger(library).setLevel(logging.CRITICAL)
            mlflow.set_tracking_uri(uri(root))
            if registry := os.environ.get("MLFLOW_REGISTRY_URI"):
                mlflow.set_registry_uri(absolute(registry, root))
            self._is_read_only = _is_read_only(sqlite_file(uri(root)))
            with nullcontext() if self._is_read_only or is_server(uri(root)) else _creating(root):
                self._client: MlflowClient = mlflow.MlflowClient()
                self._experiment = self._find_or_create_experiment()
            if not self._experiment:
                raise TrackingError(f"MLflow's store can't be used: {_NO_MLFLOW} ({shown(uri(root))})")

    @property
    def experiment(self) -> str:
        """The id of the experiment that holds the runs."""
        return self._experiment

    def publish(self, content: Publication) -> Published | None:
        """Bring the run of a state up to date; None where its run is finished and these results are still to come."""
        with _speaking_plainly():
            run = self._begun_run(content)
            done = self._publish_to(run, content) if run else self._publish_alone(content)
        if done:
            self._begun[content.state.run_key] = done.run_id
        return done

    def publish_group(self, group: "Group") -> Published:
        """Bring the parent run of a group of seeds up to date, and put the runs of its recipe under it."""
        from pipeline.tracking import parents

        with _speaking_plainly(), lease.held(self._client, self._experiment, self._root, f"group-{group.digest}"):
            run, added = parents.publish(self._client, self._experiment, self._search, self._log_points, group)
        return Published(run.info.run_id, group.name, added)

    def close_abandoned(self) -> list[str]:
        """Set the status of runs whose process is gone, as their journal here tells; gives a sentence on each.

        A run without a journal here is another machine's and left alone.
        """
        with _speaking_plainly():
            unfinished = [run for status in UNFINISHED for run in self._search(f"attributes.status = '{status}'")]
            return [said for run in unfinished if (said := self._close_if_abandoned(run))]

    def find(self, name: str) -> "Run":
        """The run of this id, this name, or whose key starts so. Raises UsageError when none or several match."""
        with _speaking_plainly():
            runs = self._search("")
        exact = [run for run in runs if name in (run.info.run_id, run.info.run_name)]
        by_key = [run for run in runs if len(name) >= KEY_PREFIX and _tag(run, "mnistgan.run_key").startswith(name)]
        found = exact or by_key
        if not found:
            raise UsageError(f"no MLflow run has the id, name or key {name!r}; `make ui` shows them")
        if len(found) > 1:
            several = ", ".join(f"{run.info.run_id} ({run.info.run_name})" for run in found)
            raise UsageError(f"{len(found)} MLflow runs match {name!r}: {several}; give one's id")
        return found[0]

    def download(self, run: "Run", artifact: str, folder: Path) -> Path:
        """A run's artifact as a file in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        with _speaking_plainly():
            return Path(self._client.download_artifacts(run.info.run_id, artifact, str(folder)))

    def traced(self) -> list[TracedRun]:
        """Every run, the newest first."""
        with _speaking_plainly():
            runs = self._search("")
        return [
            TracedRun(run.info.run_id, run.info.run_name, run.info.status, run.data.tags, run.data.params)
            for run in runs
        ]

    def names(self, run: "Run") -> set[str]:
        """The files that a run was given, by their paths in the workspace."""
        with _speaking_plainly():
            return set(self._manifest(run.info.run_id))

    @property
    def _clone(self) -> str:
        return machine.clone(self._root)

    def _find_or_create_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        location = None if is_server(uri(self._root)) else (database(self._root).parent / ARTIFACTS).as_uri()
        if found := self._client.get_experiment_by_name(EXPERIMENT):
            self._check_not_deleted(found)
            if not self._is_read_only:
                self._share_view(found)
            return str(found.experiment_id)
        try:
            return self._client.create_experiment(EXPERIMENT, location, {pages.VIEW_TAG: pages.VIEW_STATE})
        except MlflowException:
            if found := self._client.get_experiment_by_name(EXPERIMENT):
                return str(found.experiment_id)  # made by another machine meanwhile
            raise

    def _check_not_deleted(self, found: "Experiment") -> None:
        """Raise TrackingError where a person deleted the experiment: its name is taken until it is purged."""
        if found.lifecycle_stage == "active":
            return
        address, number = shlex.quote(shown(uri(self._root))), found.experiment_id
        store = "the server's own store" if is_server(uri(self._root)) else address
        raise TrackingError(
            f"MLflow's experiment {EXPERIMENT!r} was deleted, and its name stays taken: "
            f"`MLFLOW_TRACKING_URI={address} mlflow experiments restore --experiment-id {number}` brings it back, "
            f"`MLFLOW_TRACKING_URI={address} mlflow gc --backend-store-uri {store} --experiment-ids {number}` purges it"
        )

    def _share_view(self, found: "Experiment") -> None:
        """Let MLflow's pages show an experiment's runs by this version's columns."""
        if found.tags.get(pages.VIEW_TAG) != pages.VIEW_STATE:
            self._client.set_experiment_tag(found.experiment_id, pages.VIEW_TAG, pages.VIEW_STATE)

    def _search(self, condition: str, deleted: bool = False) -> list["Run"]:
        """The runs that meet a condition, or those of them that lie in MLflow's bin."""
        from mlflow.entities import ViewType

        view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
        runs: list[Run] = []
        token = None
        while True:
            page = self._client.search_runs([self._experiment], condition, view, page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs

    def _run_for(self, content: Publication) -> "Run | None":
        """The run that holds these results, else an unfinished one of the same clone, else a new one; none while a
        finished one may yet turn out to hold them."""
        condition = f"tags.`mnistgan.run_key` = '{content.state.run_key}'"
        runs = self._search(condition)
        finished = {results: run for run in reversed(_by_age(runs)) if (results := _tag(run, RESULTS))}
        unfinished = [run for run in runs if not _tag(run, RESULTS)]
        continued = next((run for run in unfinished if _is_continued(run, content)), None)
        if content.results in finished:
            held = finished[content.results]
            if continued and _tag(continued, CLONE) == self._clone and not _tag(continued, REPLACES):
                self._client.delete_run(continued.info.run_id)
                self._news.append(f"{_called(continued)} ended as {_called(held)} did: it is in MLflow's bin now")
            return held
        if continued:
            return continued
        if finished and content.results is None:
            return None
        if not runs and self._search(condition, deleted=True):
            self._news.append("MLflow's run of this state was deleted there: made again")
        tags = {**content.tags, **({"mnistgan.replicate": "true"} if runs else {})}
        return self._client.create_run(self._experiment, _milliseconds(content.started), tags, content.name)

    def _publish_alone(self, content: Publication) -> Published | None:
        """Find or make a state's run and publish to it, while no other clone does."""
        with lease.held(self._client, self._experiment, self._root, content.state.run_key):
            run = self._run_for(content)
            if run is None:
                return None
            if _tag(run, PUBLISHER) not in ("", self._clone):
                self._memory.pop(run.info.run_id, None)  # it may hold more by now
            if content.results and self._is_doubled(run):
                return self._publish_in_place_of(run, content)
            return self._publish_to(run, content)

    def _begun_run(self, content: Publication) -> "Run | None":
        """The run that this process goes on with; None where it is another's by now, finished, or in MLflow's bin.

        A lease would cost three calls each time that the curves grow. It isn't needed: which points are there is known
        by the memory, and a clone that adds to the run says so in a tag of it. One that does in this very moment may
        leave points twice; that is looked for with the results, and mended.
        """
        run_id = self._begun.pop(content.state.run_key, None)  # a publishing that fails forgets it
        if run_id is None or content.results:
            return None
        run = self._client.get_run(run_id)
        is_ours = _tag(run, PUBLISHER) == self._clone and not _tag(run, RESULTS)
        return run if is_ours and run.info.lifecycle_stage == "active" else None

    def _publish_in_place_of(self, doubled: "Run", content: Publication) -> Published:
        """Publish into a fresh run what one shows whose points are there twice, which MLflow can't take away."""
        old = doubled.info.run_id
        kept = {name: value for name, value in doubled.data.tags.items() if name not in OF_ONE_RUN}
        begun = self._search(f"tags.`{REPLACES}` = '{old}'")
        fresh = (
            begun[0]
            if begun
            else self._client.create_run(
                self._experiment, doubled.info.start_time, {**kept, REPLACES: old}, doubled.info.run_name
            )
        )
        told = {point.metric for point in content.points}
        others = [
            Point(name, step, value)
            for name in sorted(doubled.data.metrics.keys() - told)
            for step, value in {one.step: one.value for one in self._client.get_metric_history(old, name)}.items()
        ]
        self._client.delete_run(old)
        self._news.append(
            f"{_called(doubled)} had points twice, as two publishers at once leave them: it is in MLflow's bin now, "
            f"and {fresh.info.run_id} in its place"
        )
        return self._publish_to(fresh, replace(content.beside(kept), points=[*content.points, *others]))

    def _publish_to(self, run: "Run", content: Publication) -> Published:
        run_id = run.info.run_id
        if is_finished := bool(content.results) and _tag(run, RESULTS) == content.results:
            content = content.beside(run.data.tags)
        else:
            self._set_tags(run, {PUBLISHER: self._clone})
        memory = self._memory.setdefault(run_id, _Memory())
        if is_first := memory.manifest is None:
            memory.manifest = self._manifest(run_id)
        manifest = dict(memory.manifest or {})
        gone = self._take_out_gone(run, content, manifest) if is_first and manifest else []
        if is_finished and not manifest:
            gone.append("all files of the run")
        had_model = MODEL in manifest
        added = Counter(
            params=self._add_params(run, content),
            tags=self._set_tags(run, content.tags) + self._add_note(run, content),
            inputs=self._add_dataset(run, content),
            points=self._add_points(run_id, content.points),
            images=self._add_grids(run_id, content.grids, manifest),
            files=self._add_files(run_id, content.artifacts, manifest),
            models=self._add_model(run_id, content, manifest),
        )
        if manifest != memory.manifest:
            self._write_manifest(run_id, manifest)
        if had_model and added["models"]:
            gone.append(f"the model {MODEL}, or its version")
        if gone:
            listed = ", ".join(gone[:FEW]) + (f" and {len(gone) - FEW} more" if len(gone) > FEW else "")
            self._news.append(f"MLflow's store had lost {listed}: made again")
        if content.results:
            # Last: a run that says which results it holds holds all of them.
            self._set_tags(run, {RESULTS: content.results})
            added["aliases"] = self._point_alias(content)
        if is_first or content.results:
            self._join_group(run, content)
        self._set_status(run, content.status, content.stopped)
        told = {*run.data.tags, *run.data.metrics, *content.tags, *(point.metric for point in content.points)}
        mended, self._news = tuple(self._news), []
        return Published(run_id, run.info.run_name, added, publication.untold(told), mended)

    def _take_out_gone(self, run: "Run", content: Publication, manifest: dict[str, str]) -> list[str]:
        """Take out of a run's list what is to be added again, since the store has it no more or not whole."""
        held = Holdings.of(partial(self._client.list_artifacts, run.info.run_id), run.info.artifact_uri)
        stems = _stems_by_step(held.sizes)
        files = {
            name: held.has(name, manifest[name], content.artifacts[name])
            for name in content.artifacts
            if name in manifest
        }
        pictures = {
            _grid_name(step): held.has_picture(stems.get(step), file)
            for step, file in content.grids.items()
            if manifest.get(_grid_name(step)) == sha256(file)
        }
        gone = [name for name, is_there in (files | pictures).items() if not is_there]
        for name in gone:
            del manifest[name]
        return gone

    def _point_alias(self, content: Publication) -> int:
        """Let the registered generator's alias name the best version, by the rules that there are."""
        from pipeline.tracking import best

        if not content.rules or not content.best_pins:
            return 0
        return int(best.point_alias(self._client, self._search, MODEL, content.rules, content.best_pins))

    def _join_group(self, run: "Run", content: Publication) -> None:
        """Put a run under the parent of its group of seeds, where that is there already."""
        from pipeline.tracking import parents

        digest = content.tags.get(RECIPE_DIGEST)
        if digest and (parent := parents.find(self._search, digest)):
            parents.adopt(self._client, run, parent.info.run_id)

    def _add_params(self, run: "Run", content: Publication) -> int:
        from mlflow.entities import Param

        missing = {name: value for name, value in content.state.params.items() if name not in run.data.params}
        params = [Param(name, str(value)) for name, value in sorted(missing.items())]
        for start in range(0, len(params), PARAMS_A_BATCH):
            self._client.log_batch(run.info.run_id, params=params[start : start + PARAMS_A_BATCH])
        return len(params)

    def _set_tags(self, run: "Run", tags: Mapping[str, str]) -> int:
        changed = {name: value for name, value in tags.items() if _tag(run, name) != value}
        for name, value in changed.items():
            self._client.set_tag(run.info.run_id, name, value)
        return len(changed)

    def _add_note(self, run: "Run", content: Publication) -> int:
        """Describe a run by its verdict; a description that it has stays, since a person may have written it."""
        verdict = content.tags.get("mnistgan.verdict")
        return self._set_tags(run, {NOTE: output.escaped(verdict)}) if verdict and not _tag(run, NOTE) else 0

    def _add_dataset(self, run: "Run", content: Publication) -> int:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if content.dataset is None or (run.inputs and run.inputs.dataset_inputs):
            return 0
        digest = content.state.data_digest[:DATASET_DIGEST]
        source = json.dumps({"dvc.lock": "prepare", "digest": content.state.data_digest})
        dataset = Dataset("MNIST", digest, "dvc", source, profile=content.dataset)
        self._client.log_inputs(run.info.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
        return 1

    def _add_points(self, run_id: str, points: Sequence[Point]) -> int:
        new = [point for point in points if not self._steps(run_id, point.metric)[point.step]]
        for start in range(0, len(new), POINTS_A_BATCH):
            batch = new[start : start + POINTS_A_BATCH]
            self._log_points(run_id, batch)
            for point in batch:
                self._steps(run_id, point.metric)[point.step] += 1
        return len(new)

    def _steps(self, run_id: str, metric: str) -> Counter[int]:
        """How many points a run has of a metric, by step."""
        known = self._memory.setdefault(run_id, _Memory()).steps
        if metric not in known:
            known[metric] = Counter(point.step for point in self._client.get_metric_history(run_id, metric))
        return known[metric]

    def _is_doubled(self, run: "Run") -> bool:
        """Whether a metric has two points at a step."""
        return any(max(self._steps(run.info.run_id, name).values(), default=0) > 1 for name in run.data.metrics)

    def _log_points(self, run_id: str, points: Sequence[Point]) -> None:
        """Log points at once, as many as MLflow takes at once."""
        from mlflow.entities import Metric

        now = int(datetime.now(UTC).timestamp() * 1000)
        metrics = [Metric(point.metric, point.value, now, point.step) for point in points]
        self._client.log_batch(run_id, metrics=metrics)

    def _add_grids(self, run_id: str, grids: Mapping[int, Path], manifest: dict[str, str]) -> int:
        digests = {step: sha256(file) for step, file in grids.items()}
        missing = [step for step in grids if manifest.get(_grid_name(step)) != digests[step]]
        there = self._grid_stems(run_id) if missing else {}
        for step in missing:
            self._add_grid(run_id, step, grids[step], there.get(step))
            manifest[_grid_name(step)] = digests[step]
            self._write_manifest(run_id, manifest)
        return len(missing)

    def _add_grid(self, run_id: str, step: int, file: Path, stem: str | None) -> None:
        """Log a picture for the slider; over its half-written self where one is there under ``stem``."""
        import PIL.Image
        from mlflow.tracking.multimedia import compress_image_size

        with PIL.Image.open(file) as image:
            image.load()
        if stem is None:
            self._client.log_image(run_id, image, key=GRID, step=step, synchronous=True)
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, drawn in ((f"{stem}.png", image), (f"{stem}+compressed.webp", compress_image_size(image))):
                drawn.save(Path(folder) / name)
                self._client.log_artifact(run_id, str(Path(folder) / name), "images")
        self._client.set_tag(run_id, "mlflow.loggedImages", "True")

    def _grid_stems(self, run_id: str) -> dict[int, str]:
        """The file stem that MLflow gave the picture of each step."""
        return _stems_by_step(file.path for file in self._client.list_artifacts(run_id, PICTURES))

    def _add_files(self, run_id: str, files: Mapping[str, Path], manifest: dict[str, str]) -> int:
        digests = {name: sha256(file) for name, file in files.items()}
        changed = [name for name in files if manifest.get(name) != digests[name]]
        for name in changed:
            self._add_file(run_id, Path(name), files[name])
            manifest[name] = digests[name]
        return len(changed)

    def _add_file(self, run_id: str, name: Path, file: Path) -> None:
        """Log a file; MLflow takes its name from the file, so one that is to be called otherwise is copied."""
        with tempfile.TemporaryDirectory() as folder:
            called = file if file.name == name.name else Path(shutil.copyfile(file, Path(folder) / name.name))
            self._client.log_artifact(run_id, str(called), str(name.parent) if name.parent.name else None)

    def _add_model(self, run_id: str, content: Publication, manifest: dict[str, str]) -> int:
        """Log the generator as a model and register it, unless both are there whole."""
        if content.generator is None:
            return 0
        model, is_news = self._logged_model(run_id, content)
        if self._register(run_id, model):
            is_news = True
        manifest[MODEL] = sha256(content.generator)
        return int(is_news)

    def _logged_model(self, run_id: str, content: Publication) -> tuple["LoggedModel", bool]:
        """The run's model, whole, and whether it was not; one of which something is missing is completed under its id.

        In steps, where ``Model.log`` would begin a second one, and put it into MLflow's default experiment.
        """
        from mlflow.entities import LoggedModelOutput, LoggedModelStatus

        params = {name: str(value) for name, value in content.state.params.items()}
        found = self._client.search_logged_models([self._experiment], f"source_run_id = '{run_id}'")
        model = (
            found[0] if found else self._client.create_logged_model(self._experiment, "generator", run_id, None, params)
        )
        if model.status == LoggedModelStatus.READY and self._has_its_files(model):
            return model, False
        outputs = self._client.get_run(run_id).outputs
        if model.model_id not in {output.model_id for output in (outputs.model_outputs if outputs else [])}:
            self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        if model.status != LoggedModelStatus.READY:
            self._link_figures(run_id, model.model_id)
        with tempfile.TemporaryDirectory() as folder:
            _save_model(Path(folder) / "model", run_id, model, content)
            self._client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
        self._client.set_logged_model_tags(model.model_id, {MODEL_FILES: json.dumps(self._files_of(model))})
        return self._client.finalize_logged_model(model.model_id, LoggedModelStatus.READY), True

    def _files_of(self, model: "LoggedModel") -> Mapping[str, int]:
        return Holdings.of(partial(self._client.list_logged_model_artifacts, model.model_id)).sizes

    def _has_its_files(self, model: "LoggedModel") -> bool:
        """Whether a logged model has the files that it was given, beside those that MLflow adds where it is loaded."""
        sizes = self._files_of(model)
        noted = json.loads(model.tags.get(MODEL_FILES, "{}"))
        return noted.items() <= sizes.items() and "MLmodel" in sizes and all(sizes.values())

    def _link_figures(self, run_id: str, model_id: str) -> None:
        """Let the model's page show the figures of the final weights; the run's points stay the ones they are."""
        from mlflow.entities import Metric

        metrics = [
            Metric(name, point.value, point.timestamp, 0, model_id, run_id=run_id)
            for name in self._client.get_run(run_id).data.metrics
            for point in self._client.get_metric_history(run_id, name)
            if point.step == 0
        ]
        for start in range(0, len(metrics), POINTS_A_BATCH):
            self._client.log_batch(run_id, metrics=metrics[start : start + POINTS_A_BATCH])

    def _register(self, run_id: str, model: "LoggedModel") -> bool:
        """Give a logged model its version, unless it has one; whether it had none.

        A version whose model is gone stays, for what a person wrote there, and names the one that has it now.
        """
        from mlflow.exceptions import MlflowException

        from pipeline.tracking import best

        versions = self._client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")
        if any(model.model_id in str(version.source) for version in versions):
            return False
        try:
            self._client.create_registered_model(MODEL, description=MODEL_DESCRIPTION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = self._client.create_model_version(MODEL, f"models:/{model.model_id}", run_id, model_id=model.model_id)
        for version in versions:
            self._client.set_model_version_tag(MODEL, version.version, best.REPLACED, str(made.version))
        return True

    def _set_status(self, run: "Run", status: Status, stopped: datetime | None) -> None:
        if run.info.status == status:
            return
        if status in (Status.RUNNING, Status.SCHEDULED):
            self._client.update_run(run.info.run_id, status.value)
        else:
            self._client.set_terminated(run.info.run_id, status.value, _milliseconds(stopped))

    def _close_if_abandoned(self, run: "Run") -> str | None:
        """Set the status of a run that nobody works on; looked at before its lock is taken and once more under it,
        since a stage may begin or end meanwhile."""
        if self._settled(run) is None:
            return None
        try:
            with publishing(self._root, _tag(run, "mnistgan.run_key")):
                run = self._client.get_run(run.info.run_id)
                if (status := self._settled(run)) is None:
                    return None
                events = journal.making_events(self._root, *_keys(run))
                self._set_status(run, status, events[-1].time)
        except LockedError:
            return None  # who publishes to it says how it is
        gone = "its process is gone" if publication.outcome(events) is None else "its process ended unseen"
        return f"MLflow run {run.info.run_name!r} said {run.info.status}, but {gone}: now {status}"

    def _settled(self, run: "Run") -> Status | None:
        """The status due to an unfinished run of this clone; None where it has it, or where a process is at work."""
        events = journal.making_events(self._root, *_keys(run))
        starts = [publication.machine_tags(event.facts) for event in events if event.kind is Kind.START]
        if run.info.status not in UNFINISHED or not starts or not _is_of_one_of(run, starts):
            return None
        if publication.is_live(self._root, *_keys(run)):
            return None
        status = publication.settled_status(events)
        return None if status == run.info.status else status

    def _manifest(self, run_id: str) -> dict[str, str]:
        """What arrived whole; a manifest that was cut off counts as none, and all is written over."""
        if not any(file.path == MANIFEST for file in self._client.list_artifacts(run_id)):
            return {}
        with tempfile.TemporaryDirectory() as folder:
            text = Path(self._client.download_artifacts(run_id, MANIFEST, folder)).read_bytes()
        try:
            return dict(json.loads(text))
        except ValueError:
            return {}

    def _write_manifest(self, run_id: str, manifest: Mapping[str, str]) -> None:
        self._client.log_text(run_id, json.dumps(dict(sorted(manifest.items())), indent=2), MANIFEST)
        self._memory[run_id].manifest = dict(manifest)


@contextmanager
def _creating(root: Path) -> Iterator[None]:
    """Be the one process that may make the store: a client's first use makes tables, which two at once get wrong."""
    from filelock import FileLock

    (root / STORE).mkdir(parents=True, exist_ok=True)
    with FileLock(root / STORE / ".creating.lock", timeout=CREATING_SECONDS):
        if file := sqlite_file(uri(root)):
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists():
                _check_not_locked(file)
            elif file == database(root):
                _make_database(file)
            if file == database(root):
                relocation.follow(file, root / STORE)
        yield


def _make_database(path: Path) -> None:
    """Make MLflow's SQLite file beside and rename it: one whose making was cut off can never be used again."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for cut_off in path.parent.glob(f".{path.name}.*"):
        cut_off.unlink()
    with replacing(path) as beside:
        made = SqlAlchemyStore(sqlite_address(beside), (path.parent / ARTIFACTS).as_uri())  # type: ignore[no-untyped-call]
        made.engine.dispose()


def _is_read_only(file: Path | None) -> bool:
    """Whether a database is there and may be read alone; SQLite writes beside it too."""
    return file is not None and file.exists() and not all(os.access(path, os.W_OK) for path in (file, file.parent))


def _check_not_locked(file: Path) -> None:
    """Raise TrackingError where another process holds an SQLite file for longer than writing takes."""
    with closing(sqlite3.connect(file, timeout=LOCKED_SECONDS)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise TrackingError(f"MLflow's store can't be used: {file} is locked by another process") from error


@contextmanager
def publishing(root: Path, run_key: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Be the one process of this clone that publishes to a key's runs. Raises LockedError where another is."""
    from filelock import FileLock, Timeout

    path = root / journal.FOLDER / f"{run_key}.publishing"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=wait_seconds):
            yield
    except Timeout as error:
        raise LockedError("another process publishes to this state's run; try again when it has ended") from error


def download_generator(run: str, folder: Path) -> Path:
    """The generator's weights of a run named by its id, its name, or the start of its key (6 digits or more).

    Raises UsageError when no run or several match, TrackingError when the store can't be reached.
    """
    from pipeline.dvcfiles import layout

    store = Store(layout.main_root())
    return store.download(store.find(run), GENERATOR, folder)


def traced_runs(root: Path) -> list[TracedRun]:
    """Every run of the store; none where there is no store yet. Raises TrackingError where it can't be reached."""
    if sqlite_file(uri(root)) == database(root) and not database(root).exists():
        return []
    return Store(root).traced()


def read_files(run: str, names: Sequence[str]) -> dict[str, bytes]:
    """The bytes of those of a run's files that it holds, by the paths that they have in the workspace.

    Raises as :func:`download_generator` does.
    """
    from pipeline.dvcfiles import layout

    store = Store(layout.main_root())
    found = store.find(run)
    held = store.names(found)
    with tempfile.TemporaryDirectory(prefix="mnistgan-") as folder:
        return {name: store.download(found, name, Path(folder)).read_bytes() for name in names if name in held}


def _save_model(folder: Path, run_id: str, model: "LoggedModel", content: Publication) -> None:
    """Write the generator as MLflow keeps models: what it takes, what it gives, what it needs."""
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
    """The libraries that the state was trained with, as pip takes them."""
    return [
        f"{name.removeprefix(VERSION_TAG)}=={value}" for name, value in tags.items() if name.startswith(VERSION_TAG)
    ]


def _stems_by_step(paths: Iterable[str]) -> dict[int, str]:
    names = map(_GRID_FILE.fullmatch, paths)
    return {int(found["step"]): found["stem"] for found in names if found}


def _by_age(runs: Iterable["Run"]) -> list["Run"]:
    """The oldest first, those that replace another last: on every machine the same order."""
    return sorted(runs, key=lambda run: (bool(_tag(run, REPLACES)), run.info.start_time, run.info.run_id))


def _called(run: "Run") -> str:
    return f"MLflow run {run.info.run_name!r} ({run.info.run_id})"


def _grid_name(step: int) -> str:
    return f"images/{GRID} at step {step}"


def _is_continued(run: "Run", content: Publication) -> bool:
    """Whether an unfinished run may be these results' beginning: another machine's curve has other values."""
    return not content.machines or bool(_tag(run, REPLACES)) or _is_of_one_of(run, content.machines)


def _is_of_one_of(run: "Run", machines: Iterable[Mapping[str, str]]) -> bool:
    """Whether a run was made where one of a journal's starts says; one that says less than they is taken for it."""
    carried = {name: value for name in MACHINE_TAGS if (value := _tag(run, name))}
    return any(carried.items() <= machine.items() for machine in machines)


def _keys(run: "Run") -> tuple[str, str]:
    return _tag(run, "mnistgan.train_key"), _tag(run, "mnistgan.run_key")


def _milliseconds(time: datetime | None) -> int | None:
    """A time as MLflow takes it; where None is given it takes the present."""
    return int(time.timestamp() * 1000) if time else None


def _tag(run: "Run", name: str) -> str:
    return str(run.data.tags.get(name, ""))


@contextmanager
def _speaking_plainly() -> Iterator[None]:
    """Turn whatever MLflow raises into a TrackingError of one line without secrets; leave out its advice."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MnistganError:
        raise
    except Exception as error:
        reason = _shortened(shown(_reason(error)))
        address = os.environ.get("MLFLOW_TRACKING_URI")
        where = f" ({shown(address)})" if address else ""
        raise TrackingError(f"MLflow's store can't be used: {reason}{where}") from None


def _shortened(text: str) -> str:
    """A text in one line within the bound, cut between words where the last one is no longer than words are."""
    line = " ".join(text.split())
    if len(line) <= REASON_CHARACTERS:
        return line
    space = line.rfind(" ", REASON_CHARACTERS - WORD_CHARACTERS, REASON_CHARACTERS)
    return f"{line[: space if space > 0 else REASON_CHARACTERS - 1]}…"


def _reason(error: Exception) -> str:
    """Why, and the mend where a server's answer tells it; of a web page that it answers with no word."""
    plain = _plainest(error)
    said = str(plain)
    if isinstance(plain, TrackingError):
        return said
    if found := _STATUS.search(said):
        status = found[1] or found[2]
        return f"HTTP {status}: {_ADVICE.get(status, 'the server failed; its own log says why')}"
    if "not in a valid JSON format" in said:
        return _NO_MLFLOW
    return f"{type(plain).__name__}: {said}"


def _plainest(error: BaseException) -> BaseException:
    """What the system said at the bottom of it, where it did: MLflow wraps that in requests and statements."""
    deepest = error
    while inner := deepest.__cause__ or deepest.__context__:
        deepest = inner
    return deepest if isinstance(deepest, OSError | sqlite3.Error | TrackingError) else error
