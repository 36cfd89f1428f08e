"""Logs each run's generator, once, as a model that MLflow loads by itself, and registers it under its family's name.

In steps, where MLflow 3.17's ``Model.log`` would begin a second one, and put it into the default experiment. The alias
``best`` of a name is the lowest FID's among those that pass gate.yaml. Only the rules about a result alone are asked,
not those that compare with a base: whether a version passes depends on no other, so that the same versions give the
same best in whatever order they came.
"""

import json
import math
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistgan.comparison.figures import Figures
from mnistgan.comparison.rules import Outcome, judge_alone
from mnistgan.comparison.sides import Side, Trained
from mnistgan.files import sha256
from mnistgan.metrics.catalog import PRIMARY
from pipeline.results import datasets, former, model_cards
from pipeline.runtime import load_tensorflow
from pipeline.tracking import publication
from pipeline.tracking.connection import Connection
from pipeline.tracking.holdings import Holdings
from pipeline.tracking.publication import FAMILY, FIGURES, FORMER_FIGURES, PINS, VERSION_TAG, Publication, score
from pipeline.tracking.reading import RESULTS, tag
from pipeline.tracking.writing import POINTS_A_BATCH

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

MODELS, FORMER_MODEL = "mnistgan", "mnistgan-generator"
"""What names of registered models begin with, before data set and family; the first there was has an older one, too."""
DESCRIPTION = "Draws images by count, seed and classes, or by latents; each version says what it is and how good."
CODE = "served.py"
"""The file of a model that is asked for images; a model from before there was one is made again."""
ALIAS = "best"
SAID = {"fid": score(PRIMARY), "fid_relative": score("fid.relative")}
"""The scores that a version's tags say, beside verdict and author: the tag, and the run's metric."""
REPLACED = "mnistgan.replaced_by"
"""Tag of a version whose model is gone: the version that has it now."""
FILES = "mnistgan.files"
"""Tag of a logged model: its files' names and sizes, once all are there."""


def names(content: Publication) -> tuple[str, ...]:
    """Names the registered models that a run's generator is a version of."""
    name = model_name(content.params)
    return (name, *([FORMER_MODEL] if name == model_name({}) else []))


def model_name(params: Mapping[str, Any]) -> str:
    """Names the registered model of a state by its params: of the data set and the family."""
    return f"{MODELS}-{datasets.name_of(params)}-{params.get(FAMILY, former.FAMILY)}"


def add_model(at: Connection, run_id: str, content: Publication) -> tuple["LoggedModel", bool]:
    """Logs the run's model, whole, and says whether it was not; one that lacks something is completed under its id."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    client = at.client
    found, params = client.search_logged_models([at.experiment], f"source_run_id = '{run_id}'"), dict(content.params)
    model = found[0] if found else client.create_logged_model(at.experiment, "generator", run_id, None, params)
    if model.status == LoggedModelStatus.READY and _has_its_files(at, model):
        return model, False
    outputs = client.get_run(run_id).outputs
    if model.model_id not in {output.model_id for output in (outputs.model_outputs if outputs else [])}:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    if model.status != LoggedModelStatus.READY:
        _link_figures(at, run_id, model.model_id)
    with tempfile.TemporaryDirectory() as folder:
        _save(Path(folder) / "model", run_id, model, content)
        client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
    client.set_logged_model_tags(model.model_id, {FILES: json.dumps(_files_of(at, model))})
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY), True


def _files_of(at: Connection, model: "LoggedModel") -> Mapping[str, int]:
    return Holdings.of(partial(at.client.list_logged_model_artifacts, model.model_id)).sizes


def _has_its_files(at: Connection, model: "LoggedModel") -> bool:
    """Whether a logged model has the files that it was given, beside those that MLflow adds where it is loaded."""
    sizes = _files_of(at, model)
    noted = json.loads(model.tags.get(FILES, "{}"))
    return noted.items() <= sizes.items() and {"MLmodel", CODE} <= sizes.keys() and all(sizes.values())


def _link_figures(at: Connection, run_id: str, model_id: str) -> None:
    """Shows the final weights' figures on the model's page; the run's points stay the ones they are."""
    from mlflow.entities import Metric

    metrics = [
        Metric(name, point.value, point.timestamp, 0, model_id, run_id=run_id)
        for name in at.client.get_run(run_id).data.metrics
        for point in at.client.get_metric_history(run_id, name)
        if point.step == 0
    ]
    for start in range(0, len(metrics), POINTS_A_BATCH):
        at.client.log_batch(run_id, metrics=metrics[start : start + POINTS_A_BATCH])


def _save(folder: Path, run_id: str, model: "LoggedModel", content: Publication) -> None:
    """Writes the generator as MLflow keeps models: a graph, the code that is asked, what both need."""
    load_tensorflow(verbose=False)
    import mlflow.pyfunc
    from mlflow.models import Model

    from mnistgan import exporting
    from mnistgan.families import sampling
    from pipeline.tracking import served

    assert content.generator is not None
    drawing = sampling.load(content.generator, datasets.of_params(content.state.params).counts, plain=True)
    exporting.write_saved_model(drawing, folder.parent / "graph", publication.facts(content, sha256(content.generator)))
    versions = {name: version for name, version in content.tags.items() if name.startswith(VERSION_TAG)}
    trained_with = [f"{name.removeprefix(VERSION_TAG)}=={version}" for name, version in versions.items()]
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(Path(served.__file__)),
        artifacts={"graph": str(folder.parent / "graph")},
        mlflow_model=Model(model.artifact_location, run_id, model_uuid=model.model_id, model_id=model.model_id),
        signature=served.SIGNATURE,
        pip_requirements=[f"mlflow=={mlflow.__version__}", *trained_with],
    )


def add_version(at: Connection, name: str, run_id: str, model: "LoggedModel", content: Publication) -> bool:
    """Registers a logged model as a version under a name, unless it has one; returns whether it had none.

    A version whose model is gone stays, for what a person wrote there, and names the one that has it now.
    """
    from mlflow.exceptions import MlflowException

    versions = at.client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    if any(model.model_id in str(version.source) for version in versions):
        return False
    try:
        at.client.create_registered_model(name, description=DESCRIPTION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    told = {"verdict": content.tags.get("mnistgan.verdict", ""), "author": content.author}
    points = {point.metric: point.value for point in content.points}
    told |= {label: f"{points[metric]:.4g}" for label, metric in SAID.items() if metric in points}
    made = at.client.create_model_version(
        *(name, f"models:/{model.model_id}", run_id),
        tags={tag: value for tag, value in told.items() if value},
        description=f"{content.name}: {content.line}\n\n{_card(content)}",
        model_id=model.model_id,
    )
    for version in versions:
        at.client.set_model_version_tag(name, version.version, REPLACED, str(made.version))
    return True


def _card(content: Publication) -> str:
    assert content.generator is not None
    told = publication.facts(content, sha256(content.generator))
    figures = _told(content.tags) if FIGURES in content.tags else None
    return model_cards.make(told, datasets.of_params(content.state.params), figures)


def point_aliases(at: Connection, content: Publication) -> int:
    """Points the alias of each name of a run's model to its best version; returns how many that changed.

    The best is asked for by the rules and pins of ``content``; where it has none, no alias moves.
    """
    if not (content.rules and content.best_pins):
        return 0
    best = {name: _best_of(at, name, content) for name in names(content)}
    return sum(_point_alias(at, name, version, content.best_pins) for name, version in best.items())


def _best_of(at: Connection, name: str, content: Publication) -> int | None:
    """Chooses the best version under a name, of those measured by the pins of ``content``.

    Runs are read by rising FID, as far as the first that pass: seldom more than a few, however many the store holds.
    """
    found: dict[int, Figures] = {}
    measured, family = f"tags.`{PINS}` = '{content.best_pins}'", content.params.get(FAMILY, former.FAMILY)
    of_family = f"{measured} AND params.`{FAMILY}` = '{family}'"
    for metric, asked in ((score(PRIMARY), of_family), (f"{FORMER_FIGURES}{PRIMARY}", measured)):
        best = math.inf
        for run in at.by_rising(metric, asked):
            fid = run.data.metrics.get(metric)
            if fid is None or fid > best:
                break
            figures = figures_of(run)
            if tag(run, RESULTS) and _passes(figures, content.rules) and (version := _version(at, name, run)):
                found[version] = figures
                best = fid
    return choose(found, content.rules)


def _version(at: Connection, name: str, run: "Run") -> int | None:
    """Finds the version of a run's model under a name; None where it has none, or one whose model is gone."""
    versions = at.client.search_model_versions(f"name = '{name}' and run_id = '{run.info.run_id}'")
    return min((int(one.version) for one in versions if REPLACED not in one.tags), default=None)


def _point_alias(at: Connection, name: str, best: int | None, pins: str) -> bool:
    """Points the alias of a name to a version, or to none; returns whether that changed it.

    Where none passes, a version that was measured under other pins keeps the alias: these rules were not asked of it.
    """
    held = aliased(at, name)
    if best is not None and (held is None or str(best) != str(held.version)):
        at.client.set_registered_model_alias(name, ALIAS, str(best))
        return True
    if best is not None or held is None:
        return False
    measured = at.client.get_run(str(held.run_id))
    if measured.info.lifecycle_stage == "active" and tag(measured, PINS) not in ("", pins):
        return False
    at.client.delete_registered_model_alias(name, ALIAS)
    return True


def aliased(at: Connection, name: str) -> "ModelVersion | None":
    """Finds the version that the alias names, if any; the registered model itself would come with every version."""
    from mlflow.exceptions import MlflowException

    try:
        return at.client.get_model_version_by_alias(name, ALIAS)
    except MlflowException as error:
        if error.error_code not in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):  # MLflow's for no such alias
            raise
        return None


def choose(measured: Mapping[int, Figures], rules: Mapping[str, Any]) -> int | None:
    """Chooses the version of the lowest FID among those that pass, the earliest of equals; None where none passes."""
    passing = [(it.leaves[PRIMARY], version) for version, it in measured.items() if _passes(it, rules)]
    return min(passing)[1] if passing else None


def _passes(figures: Figures, rules: Mapping[str, Any]) -> bool:
    return PRIMARY in figures.leaves and judge_alone(rules, Side("", (Trained("", figures),))) is Outcome.PASS


def figures_of(run: "Run") -> Figures:
    """Reads a run's evaluation; one from before families told it by its metrics."""
    metrics, tags = run.data.metrics, run.data.tags
    before = {name.removeprefix(FORMER_FIGURES): name for name in metrics if name.startswith(FORMER_FIGURES)}
    leaves = {former.figure(figure): metrics[name] for figure, name in before.items()}
    return _told(tags, leaves)


def _told(tags: Mapping[str, str], leaves: Mapping[str, float] | None = None) -> Figures:
    """Reads the figures that a run's tags tell; ``leaves`` in place of theirs, where there are any."""
    told = leaves or json.loads(tags.get(FIGURES, "{}"))
    return Figures(told, tags.get(PINS, ""), tags.get("mnistgan.verdict"))
