"""Builds one MLflow run's payload from a state's files."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.comparison.figures import verdict_of
from mnistgan.errors import FormatError, GateError, GitError, MnistganError
from mnistgan.families import recipes_file
from mnistgan.metrics import looks
from mnistgan.metrics.catalog import METRICS
from mnistgan.metrics.looks import Collapse, Look
from pipeline.dvcfiles import dvc_lock, git, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.results import former, rules
from pipeline.runs import journal, keys, patches
from pipeline.runs.journal import Event, Kind, Outcome
from pipeline.runs.keys import MAKING, State
from pipeline.tracking import shown, sources, tags
from pipeline.tracking.publication import FIGURES, PATCHES, USER, Point, Publication, Status
from pipeline.tracking.sources import Sources

LOOK_METRICS = tuple(metric.look for metric in METRICS if metric.look)
"""The columns of looks at validation that are metrics of the generator."""


def gather(found: Sources, root: Path) -> Publication:
    """Builds what the files say now. Raises DataError or OSError where a stage at work left one torn or gone."""
    from mnistgan.files import read_json

    now, parts, ended = found.state, dict(found.parts), found.ended
    if found.running and _outcome_of(found.running, now, root, found.since) is Outcome.DONE:
        skipped = sources.skipped() if found.running == "train" else {}
        parts |= skipped
        ended = ended | {found.running} | skipped.keys()
    events = journal.making_events(root, now.train_key, now.run_key)
    training = [event for event in events if event.stage == "train"]
    complete, figures = ended.issuperset(MAKING), dict[str, float]()
    train, evaluate = (former.options(stage, parts[stage]) for stage in MAKING)
    told = tags.of(root, now, parts, training, "train" in ended)
    points = _curve_points(train["curves"]) if found.fresh("train", train["curves"]) else []
    seen = _looks(found, train)
    points += [
        Point(f"{shown.VALIDATION}{name}", look.step, getattr(look, name)) for look in seen for name in LOOK_METRICS
    ]
    if collapse := Collapse.of(seen):
        told["mnistgan.collapse"] = str(collapse)
    if "train" in ended:
        points += _speed_points(training)
    if complete:
        report = former.evaluation(read_json(evaluate["metrics"]))
        figures = {name: float(value) for name, value in reading.flatten(report) if isinstance(value, int | float)}
        # MLflow lists metrics and tags in the order in which a run got them.
        points = [*(Point(name, 0, value) for name, value in shown.figures(figures)), *points]
        words = {f"mnistgan.{name}": value for name, value in report.items() if isinstance(value, str)}
        if verdict := verdict_of(report):
            words["mnistgan.verdict"] = verdict
        told = {**words, **told, FIGURES: json.dumps(figures, separators=(",", ":"))}
    generator = train["final"] if complete else None
    return Publication(
        state=now,
        name=shown.name(now.params, journal.last_fact(training, "experiment"), now.short),
        status=_status(now, events, complete, root),
        started=next((event.time for event in training if event.kind is Kind.START), None),
        stopped=events[-1].time if events else None,
        tags=told,
        machines=[tags.machine_tags(event.facts) for event in training if event.kind is Kind.START],
        points=points,
        grids={epoch: file for epoch, file in sources.grids(train["grids"]) if found.fresh("train", file)},
        artifacts=_artifacts(parts, ended) | _records(now, complete) | _trees(root, now),
        params=shown.params(now.params),
        line=shown.summary(told.get("mnistgan.verdict"), figures) if complete else "",
        author=told.get(USER, ""),
        dataset=tags.summary(parts),
        generator=generator,
        results=_results(generator, evaluate["metrics"]) if generator else None,
        rules=_rules(root) if complete else {},
        best_pins=_pins_of_commit(root) if complete else "",
    )


def settled_status(events: Sequence[Event]) -> Status:
    """Status of an unfinished state that no process works on any more."""
    if not events:
        return Status.SCHEDULED
    settled = {Outcome.DONE: Status.SCHEDULED, Outcome.FAILED: Status.FAILED}
    last = journal.outcome(events)
    return settled.get(last, Status.KILLED) if last else Status.KILLED


def _outcome_of(stage: str, now: State, root: Path, since: float) -> Outcome | None:
    """Outcome of the stage that started at ``since``; None while it runs."""
    events = journal.read(journal.path_of(root, now.train_key if stage == "train" else now.run_key))
    return journal.outcome([event for event in events if event.stage == stage and event.time.timestamp() >= since])


def _status(now: State, events: Sequence[Event], complete: bool, root: Path) -> Status:
    if complete:
        return Status.FINISHED
    return Status.RUNNING if journal.is_making(root, now.train_key, now.run_key) else settled_status(events)


def _curve_points(path: Path) -> list[Point]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(int(row.pop("step")), row) for row in csv.DictReader(file)]
        return [
            Point(f"{shown.TRAINING}{name}", step, float(value))
            for step, row in rows
            for name, value in row.items()
            if name != "epoch"
        ]
    except (ValueError, KeyError, TypeError, csv.Error) as error:  # a row cut short has None in it
        raise FormatError(f"{path}: no whole table of curves: {error}") from error


def _looks(found: Sources, train: Mapping[str, Path]) -> list[Look]:
    """Reads the looks at validation, as the training in question wrote them; none where it took none."""
    path = train.get("looks")
    return looks.parse(former.table(path.read_text("utf-8", "replace"))) if path and found.fresh("train", path) else []


def _speed_points(training: Sequence[Event]) -> list[Point]:
    facts = {name: journal.last_fact(training, name) for name in ("images_per_second", "overhead_share")}
    return [Point(f"{shown.TRAINING}{name}", 0, float(value)) for name, value in facts.items() if value is not None]


def _artifacts(parts: Mapping[str, Part], ended: frozenset[str]) -> dict[str, Path]:
    """Lists the results that MLflow gets as files; the data, what only trains and the best weights stay with DVC."""
    places: list[Path] = []
    if "train" in ended:
        options = former.options("train", parts["train"])
        names = ("final", "versions", "machine", "curves", "looks")
        places += [options[name] for name in names if name in options]
    for stage in ended & {"evaluate", "render"}:
        places += [Path(out) for out in parts[stage].outs]
    files = [file for place in places for file in (sorted(place.rglob("*")) if place.is_dir() else [place])]
    return {file.as_posix(): file for file in sorted(files) if file.is_file()}


def _records(now: State, complete: bool) -> dict[str, Path]:
    """Lists params.yaml, recipes and dvc.lock, where they are this state's, and not edited while it trained."""
    found: dict[str, Path] = {}
    with suppress(MnistganError):
        here = keys.params_of_workspace()
        if all(here.get(name, value) == value for name, value in now.params.items()):
            recipes = Path(recipes_file(str(now.params.get(shown.FAMILY))))
            found |= {str(file): file for file in (layout.PARAMS, recipes) if file.is_file()}
    with suppress(MnistganError):
        text = dvc_lock.read()
        if complete and sources.follows("evaluate", dvc_lock.parts_of(text)) and keys.state_of_lock(text) == now:
            found[str(layout.LOCK)] = layout.LOCK
    return found


def _trees(root: Path, now: State) -> dict[str, Path]:
    """Lists the patches of the trees of training and measuring."""
    kept = dict(zip(PATCHES, (now.train_key, now.run_key), strict=True))
    return {name: path for name, key in kept.items() if (path := patches.path_of(root, key)).exists()}


def _rules(root: Path) -> Mapping[str, Any]:
    """Reads the main workspace's gate.yaml; no rules where they are not understood, as `gate` says."""
    with suppress(GateError):
        return dict(rules.read(root / rules.RULES))
    return {}


def _pins_of_commit(root: Path) -> str:
    """Reads the pins of the main repository's figures: an experiment does not say which generator is the best."""
    committed = None
    with suppress(GitError):
        committed = git.blob("HEAD", layout.METRICS, root)
    try:
        return str(json.loads(committed or (root / layout.METRICS).read_bytes())["pins"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _results(generator: Path, figures: Path) -> str:
    from mnistgan.files import sha256

    return hashlib.sha256((sha256(generator) + sha256(figures)).encode()).hexdigest()
