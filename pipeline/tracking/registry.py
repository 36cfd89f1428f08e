"""Registers each run's generator, and points the alias ``best`` to the lowest FID among those that pass gate.yaml.

Only the rules about a result alone are asked, not those that compare with a base: whether a version passes depends on
no other, so that the same versions give the same best in whatever order they came.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mnistgan.comparison.figures import Figures
from mnistgan.comparison.rules import Outcome, judge_alone
from mnistgan.comparison.sides import Side, Trained
from mnistgan.metrics.catalog import PRIMARY
from pipeline.results import former
from pipeline.tracking.publication import FIGURES, Publication
from pipeline.tracking.shown import FORMER_FIGURES, score

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run

    from pipeline.tracking.connection import Connection

MODEL = "mnistgan-generator"
DESCRIPTION = "Latents [N, size] from N(0, 1) to MNIST-like images [N, 28, 28, 1] in [-1, 1]."
ALIAS = "best"
SAID = {"fid": score(PRIMARY), "fid_relative": score("fid.relative")}
"""The scores that a version's tags say, beside verdict and author: the tag, and the run's metric."""
REPLACED = "mnistgan.replaced_by"
"""Tag of a version whose model is gone: the version that has it now."""


def add_version(at: "Connection", run_id: str, model: "LoggedModel", content: Publication) -> bool:
    """Registers a logged model as a version, unless it has one; returns whether it had none.

    A version whose model is gone stays, for what a person wrote there, and names the one that has it now.
    """
    from mlflow.exceptions import MlflowException

    versions = at.client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")
    if any(model.model_id in str(version.source) for version in versions):
        return False
    try:
        at.client.create_registered_model(MODEL, description=DESCRIPTION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    told = {"verdict": content.tags.get("mnistgan.verdict", ""), "author": content.author}
    points = {point.metric: point.value for point in content.points}
    told |= {label: f"{points[name]:.4g}" for label, name in SAID.items() if name in points}
    made = at.client.create_model_version(
        *(MODEL, f"models:/{model.model_id}", run_id),
        tags={name: value for name, value in told.items() if value},
        description=f"{content.name}: {content.line}",
        model_id=model.model_id,
    )
    for version in versions:
        at.client.set_model_version_tag(MODEL, version.version, REPLACED, str(made.version))
    return True


def point_alias(at: "Connection", rules: Mapping[str, Any], pins: str) -> bool:
    """Points the alias to the best version measured under ``pins``, or to none; returns whether that changed it.

    Where none passes, a version that was measured under other pins keeps the alias: these rules were not asked of it.
    """
    runs = {run.info.run_id: run for run in at.search(f"tags.`mnistgan.pins` = '{pins}'") if _is_whole(run)}
    versions = [one for one in at.client.search_model_versions(f"name = '{MODEL}'") if REPLACED not in one.tags]
    measured = {int(one.version): figures_of(runs[one.run_id]) for one in versions if one.run_id in runs}
    best = choose(measured, rules)
    held = at.client.get_registered_model(MODEL).aliases.get(ALIAS)
    if best is None and held is not None and not _is_measured_otherwise(at, held, pins):
        at.client.delete_registered_model_alias(MODEL, ALIAS)
    elif best is not None and str(best) != str(held):
        at.client.set_registered_model_alias(MODEL, ALIAS, str(best))
    else:
        return False
    return True


def _is_measured_otherwise(at: "Connection", version: str, pins: str) -> bool:
    """Whether a version's run is there and has other pins."""
    others = {run.info.run_id for run in at.search(f"tags.`mnistgan.pins` != '{pins}'")}
    return at.client.get_model_version(MODEL, version).run_id in others


def choose(measured: Mapping[int, Figures], rules: Mapping[str, Any]) -> int | None:
    """Chooses the version of the lowest FID among those that pass, the earliest of equals; None where none passes."""
    passing = [
        (figures.leaves[PRIMARY], version)
        for version, figures in measured.items()
        if PRIMARY in figures.leaves and judge_alone(rules, _side(version, figures)) is Outcome.PASS
    ]
    return min(passing)[1] if passing else None


def figures_of(run: "Run") -> Figures:
    """Reads a run's evaluation; one from before families told it by its metrics."""
    metrics, tags = run.data.metrics, run.data.tags
    before = {name.removeprefix(FORMER_FIGURES): name for name in metrics if name.startswith(FORMER_FIGURES)}
    leaves = {former.figure(figure): metrics[name] for figure, name in before.items()}
    told = leaves or json.loads(tags.get(FIGURES, "{}"))
    return Figures(told, tags.get("mnistgan.pins", ""), tags.get("mnistgan.verdict"))


def _is_whole(run: "Run") -> bool:
    return bool(run.data.tags.get("mnistgan.results"))


def _side(version: int, figures: Figures) -> Side:
    name = f"version {version}"
    return Side(name, (Trained(name, figures),))
