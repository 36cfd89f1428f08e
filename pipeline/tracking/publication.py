"""Describes what one MLflow run is to show of a state: figures and params, in which order, description, tags, files.

Knows nothing of MLflow but its names for things. MLflow sorts its charts by what stands before a name's slash: the
scores that decide, then the curves of training and validation, then the rest of the evaluation.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from mnistgan.comparison import wording
from mnistgan.comparison.compare import Comparison
from mnistgan.metrics.catalog import PRIMARY, deciding, metrics_in
from pipeline import output
from pipeline.dvcfiles import layout
from pipeline.dvcfiles.dvc_yaml import Scalar
from pipeline.results import datasets, former
from pipeline.runs.keys import State

MACHINE_TAGS = {"mnistgan.cpu": "cpu", "mnistgan.host": "host", "mnistgan.clone": "clone"}
"""What tells machines, and clones on one, apart: a run's tag, and the fact in a stage's journal that it shows."""
SCORES, TRAINING, VALIDATION, OTHERS = "scores/", "training/", "validation/", "whole evaluation/"
DATA, FAMILY, RECIPE, SEED, KNOB = datasets.NAME, "train.family", "train.recipe", "train.seed", "recipe."
FORMER_FIGURES = "evaluation/"
"""What the names of all figures began with before families."""
HOST, SPEED = "mnistgan.host", "training/images_per_second"
COMMIT = "mlflow.source.git.commit"
JOURNALLED = {
    COMMIT: "the commit",
    "mnistgan.cpu": "the processor",
    HOST: "the machine's name and the times of day",
    SPEED: "the speed",
    "mnistgan.data_source": "where the data came from",
}
"""What may be known of a journal alone: the tag or metric that shows it in a run, and how a person calls it."""
RECIPE_DIGEST = "mnistgan.recipe_digest"
"""Tag of a run: the group of seeds that it belongs to, of which it is one."""
VERSION_TAG = "mnistgan.version."
"""What tags of a run begin with that name the versions of libraries."""
FIGURES = "mlflow.mnistgan.figures"
"""Tag of a run: its whole evaluation, for what judges it; MLflow's pages hide tags that begin so."""
USER = "mlflow.user"
RUN_KEY, TRAIN_KEY = "mnistgan.run_key", "mnistgan.train_key"
DRAWING = "mnistgan.weights"
"""Tag of a run: the sha256 of the weights that draw."""
PINS = "mnistgan.pins"
"""Tag of a run: how it was measured."""
EXPERIMENT = "mnistgan.experiment"
"""Tag of a run: the name of the DVC experiment that trained it."""
NOTE = "mlflow.note.content"
"""Tag of a run: its description on MLflow's pages, in Markdown."""
TOLD_ONCE = (USER, COMMIT, "mnistgan.dirty", EXPERIMENT, *MACHINE_TAGS)
"""Tags that tell how a training went, of which a finished run keeps those of who was first to publish its results."""
PATCHES = ("tree.patch", "evaluate/tree.patch")


class Status(StrEnum):
    """A run's status, by MLflow's names."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"  # nothing works on it and a stage is still to come
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


UNFINISHED = (Status.RUNNING, Status.SCHEDULED)


@dataclass(frozen=True)
class Point:
    """A metric's value at a training step; figures of the final weights stand at step 0."""

    metric: str
    step: int
    value: float


@dataclass(frozen=True)
class Baseline:
    """The commit that a state was made from: the verdict beside it in Markdown, and the report, an HTML page."""

    words: str
    page: Callable[[], str]


@dataclass(frozen=True)
class Publication:
    """Everything that one run shows."""

    state: State
    name: str
    status: Status
    started: datetime | None
    stopped: datetime | None  # when the last stage that made it ended, however it did
    tags: Mapping[str, str]
    machines: Sequence[Mapping[str, str]] = ()
    """Where the training was worked on, by machine tags; several where it went on elsewhere, none if not known."""
    points: Sequence[Point] = ()
    grids: Mapping[int, Path] = field(default_factory=dict)  # picture of the fixed latents, by epoch
    artifacts: Mapping[str, Path] = field(default_factory=dict)  # files by the name they get in the run
    params: Mapping[str, str] = field(default_factory=dict)  # those that the run shows
    line: str = ""  # what it came to, for the run's description; empty until it is measured
    baseline: Baseline | None = None  # the commit that it was made from, where that has results to compare with
    author: str = ""  # whose work it is, as git knows them
    dataset: str | None = None  # data/summary.json's text
    generator: Path | None = None  # the final weights, once the state is whole
    results: str | None = None
    """Digest of what was made, once the state is whole: two runs of one key that differ here are replicates."""
    rules: Mapping[str, Any] = field(default_factory=dict)
    """gate.yaml's, parsed, once the state is whole: what a generator is to pass before it may be the best."""
    best_pins: str = ""  # how a generator is to be measured before it may be the best: as the commit's figures are

    def beside(self, tags: Mapping[str, str]) -> "Publication":
        """Keeps of it what a finished run of these results with ``tags`` still lacks: how they were made, no more."""
        told = [name for name in TOLD_ONCE if tags.get(name)]
        if all(self.tags.get(name, tags[name]) == tags[name] for name in told):
            return self
        kept = {*PATCHES, str(layout.LOCK), str(layout.MACHINE)}
        return replace(
            self,
            tags={name: value for name, value in self.tags.items() if name not in TOLD_ONCE},
            artifacts={name: file for name, file in self.artifacts.items() if name not in kept},
        )


def score(name: str) -> str:
    """Names a score in a run: ``scores/fid`` for ``fid.value``."""
    return f"{SCORES}{name.removesuffix('.value')}"


def figures(leaves: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Names the figures of an evaluation that a run shows: scores, then other metrics.

    What only goes with a metric (floors, ends of intervals) is in the run's metrics/evaluation.json.
    """
    scores = [name for name in deciding() if name in leaves]
    yield from ((score(name), leaves[name]) for name in scores)
    for metric in metrics_in(leaves):
        if metric.name not in scores:
            yield f"{OTHERS}{metric.short}", leaves[metric.name]


def params(held: Mapping[str, Scalar]) -> dict[str, str]:
    """Picks the params that a run shows: data set, family, recipe, seed, knobs; its params.yaml has all others."""
    shown = (DATA, FAMILY, RECIPE, SEED)
    named = {name: value for name, value in held.items() if name in shown or name.startswith(KNOB)}
    return {name: str(value) for name, value in named.items()}


def name(held: Mapping[str, Scalar], experiment: str | None, key: str) -> str:
    """Names a run: the data set unless it is MNIST, family/recipe/seed, the experiment if it was one, and the key."""
    parts = [held.get(FAMILY, former.FAMILY), held[RECIPE], held[SEED]]
    before = [] if datasets.name_of(held) == former.DATA["name"] else [datasets.name_of(held)]
    place = "/".join(map(str, [*before, *parts]))
    return " · ".join(filter(None, (place, experiment, key)))


def facts(content: Publication, weights: str) -> dict[str, Any]:
    """Collects what a file that draws says of itself; ``weights``: the sha256 of those that it draws by."""
    held = content.state.params
    told = {name: held.get(f"train.{name}") for name in ("family", "recipe", "seed")}
    commit = content.tags.get(COMMIT, "")
    return {**told, "data": datasets.name_of(held), "weights": weights, "commit": commit}


def summary(verdict: str | None, leaves: Mapping[str, float]) -> str:
    told = [verdict or "no verdict"]
    if PRIMARY in leaves:
        told.append(f"FID {leaves[PRIMARY]:.4g}")
    if (relative := leaves.get("fid.relative")) is not None:
        told.append(f"which is {relative:.3g} of what leaving out a class costs")
    return ", ".join(told)


def note(run_id: str, content: Publication, picture: str | None) -> str:
    """Words a run's description in Markdown: its verdict beside its baseline, what it came to, a picture of its own."""
    shown = f"![samples](get-artifact?path={picture}&run_uuid={run_id})" if picture else ""
    return "\n\n".join(
        filter(None, [content.baseline.words if content.baseline else "", output.escaped(content.line), shown])
    )


def verdict_beside(found: Comparison, baseline: str, asked: Iterable[str]) -> str:
    """Words a comparison in Markdown: its headline, and the figures that decide, first those ``asked`` about."""
    metrics = {compared.metric.name: compared for compared in (found.primary, *found.others)}
    rows = [wording.row(metrics[name]) for name in wording.leading(metrics, asked)]
    table = output.markdown_table(("", "real", baseline, "this run", "change", "p", "says"), rows)
    return "\n".join([f"**{output.escaped(wording.headline(found))}**", "", *table])


def untold(names: Collection[str]) -> tuple[str, ...]:
    """Lists what a run of these tags and metrics leaves blank of the things that only a journal knows.

    Where the journal is there, and tells the host, a training without a speed was too short to be timed.
    """
    timed = {SPEED} if HOST in names else set()
    return tuple(told for name, told in JOURNALLED.items() if name not in {*names, *timed})
