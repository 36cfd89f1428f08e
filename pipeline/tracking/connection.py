"""Opens MLflow's store: the experiment made where it is missing, waiting bounded, its pages opening on the runs."""

import json
import logging
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.errors import TrackingError
from mnistgan.metrics.catalog import PRIMARY
from pipeline.runs import machine
from pipeline.runs.journal import without_secrets
from pipeline.tracking import database
from pipeline.tracking.address import STORE, absolute, is_server, sqlite_file, uri
from pipeline.tracking.database import ARTIFACTS
from pipeline.tracking.failures import NO_MLFLOW, again_where_two_collided, bound_answers, speaking_plainly
from pipeline.tracking.publication import score

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

EXPERIMENT = "mnistgan"
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
"""The first columns of the table of runs, and how wide each is in pixels: as many as a window of 1280 has room for."""
RUNS_A_PAGE, FEW_RUNS = 1000, 20
"""Runs that are read at once; and where the first few are likely to do, since a real one takes a store some 10 ms."""
GRID = "grid"
"""The key of the pictures that a run's slider shows."""
_AFTER_OTHERS = ("Model metrics", "System metrics")
"""Sections of charts that MLflow puts below those of metrics' prefixes, which it adds itself, sorted by name."""
_GRIDS = {"type": "IMAGE", "uuid": GRID, "metricSectionId": _AFTER_OTHERS[0], "imageKeys": [GRID], "step": 0}
VIEW_STATE = json.dumps(
    {
        "selectedColumns": [*COLUMNS],
        "columnOrder": [*COLUMNS],
        "columnWidths": COLUMNS,
        # Of itself MLflow lists all params of a run above its picture, and so leaves no room for that on the card.
        "compareRunCharts": [{**_GRIDS, "deleted": False, "isGenerated": True, "showRunParams": False}],
        "compareRunSections": [
            {"uuid": name, "name": name, "display": True, "isReordered": False, "deleted": False, "isGenerated": True}
            for name in _AFTER_OTHERS
        ],
    }
)

# A server that hangs holds MLflow's client for 120 s times 7 retries by default. Of itself it repeats no call: the
# answer may be what got lost, and a run would be made twice. Who publishes again asks first what is there.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # a server may ask for a day
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # it would print the server's password too
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class Connection:
    """MLflow's client, and the experiment that holds the runs."""

    client: "MlflowClient"
    experiment: str  # its id
    root: Path  # the main repository's

    @property
    def clone(self) -> str:
        return machine.clone(self.root)

    def search(self, condition: str = "", deleted: bool = False) -> list["Run"]:
        """Finds the runs that meet a condition, or those of them that lie in MLflow's bin; the newest first."""
        from mlflow.entities import ViewType

        return [*self._pages(condition, ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY)]

    def by_rising(self, metric: str, condition: str) -> Iterator["Run"]:
        """Finds the runs that meet a condition, the lowest value of a metric first, those without it last.

        They are read a few at a time, as they are asked for.
        """
        from mlflow.entities import ViewType

        yield from self._pages(condition, ViewType.ACTIVE_ONLY, FEW_RUNS, [f"metrics.`{metric}` ASC"])

    def _pages(
        self, condition: str, view: int, count: int = RUNS_A_PAGE, order: list[str] | None = None
    ) -> Iterator["Run"]:
        page = self.client.search_runs([self.experiment], condition, view, count, order)
        yield from page
        while page.token:
            page = self.client.search_runs([self.experiment], condition, view, count, order, page.token)
            yield from page

    def set_tags(self, run: "Run", tags: Mapping[str, str]) -> int:
        """Sets those tags of a run that differ; returns how many."""
        changed = {name: value for name, value in tags.items() if run.data.tags.get(name, "") != value}
        for name, value in changed.items():
            self.client.set_tag(run.info.run_id, name, value)
        return len(changed)


@again_where_two_collided
def connect(root: Path) -> Connection:
    """Opens ``MLFLOW_TRACKING_URI``, or else SQLite under the main repository's ``mlruns``, made where it is missing.

    Raises TrackingError where it can't be reached, UsageError where the address is none.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    with speaking_plainly():
        import mlflow

        bound_answers()
        # Their own lines name the server with its password in it.
        for library in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        address = uri(root)
        mlflow.set_tracking_uri(address)
        if registry := os.environ.get("MLFLOW_REGISTRY_URI"):
            mlflow.set_registry_uri(absolute(registry, root))
        is_read_only = database.is_read_only(sqlite_file(address))
        with nullcontext() if is_read_only or is_server(address) else database.creating(root):
            client = mlflow.MlflowClient()
            experiment = _find_or_create_experiment(client, root, is_read_only)
        if not experiment:
            raise TrackingError(f"MLflow's store can't be used: {NO_MLFLOW} ({without_secrets(address)})")
    return Connection(client, experiment, root)


def page(server: str, experiment: str) -> str:
    """Address of the page of an experiment's runs; of itself MLflow opens on a page for language models."""
    return f"{server}/#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"


def _find_or_create_experiment(client: "MlflowClient", root: Path, is_read_only: bool) -> str:
    from mlflow.exceptions import MlflowException

    location = None if is_server(uri(root)) else (root.resolve() / STORE / ARTIFACTS).as_uri()
    if found := client.get_experiment_by_name(EXPERIMENT):
        _check_not_deleted(found, root)
        if not is_read_only and found.tags.get(VIEW_TAG) != VIEW_STATE:
            client.set_experiment_tag(found.experiment_id, VIEW_TAG, VIEW_STATE)
        return str(found.experiment_id)
    try:
        return client.create_experiment(EXPERIMENT, location, {VIEW_TAG: VIEW_STATE})
    except MlflowException:
        if found := client.get_experiment_by_name(EXPERIMENT):
            return str(found.experiment_id)  # made by another machine meanwhile
        raise


def _check_not_deleted(found: "Experiment", root: Path) -> None:
    """Raises TrackingError where a person deleted the experiment: its name is taken until it is purged."""
    if found.lifecycle_stage == "active":
        return
    address, number = shlex.quote(without_secrets(uri(root))), found.experiment_id
    store = "the server's own store" if is_server(uri(root)) else address
    raise TrackingError(
        f"MLflow's experiment {EXPERIMENT!r} was deleted, and its name stays taken: "
        f"`MLFLOW_TRACKING_URI={address} mlflow experiments restore --experiment-id {number}` brings it back, "
        f"`MLFLOW_TRACKING_URI={address} mlflow gc --backend-store-uri {store} --experiment-ids {number}` purges it"
    )
