"""What the files of a state say, put together for MLflow to show. Knows nothing of MLflow."""

import csv
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistgan.errors import DataError, FormatError, GateError, GitError, MnistganError
from pipeline import runtime
from pipeline.dvcfiles import digests, dvc_lock, dvc_yaml, git, layout, params_yaml
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.runs import journal, keys, machine, patches
from pipeline.runs.journal import Event, Kind, Outcome
from pipeline.runs.keys import State

if TYPE_CHECKING:
    from mnistgan.training.looks import Look

GRID_PREFIX = "epoch_"
LOOK_METRICS = ("fid", "fid_pixels", "class_divergence", "smallest_ratio", "dropped", "coverage", "repetition")
"""The columns of looks at validation that are metrics of the generator."""
MACHINE_TAGS = {"mnistgan.cpu": "cpu", "mnistgan.host": "host", "mnistgan.clone": "clone"}
"""What tells machines, and clones on one, apart: a run's tag, and the fact in a stage's journal that it shows."""
HOST, SPEED = "mnistgan.host", "training/images_per_second"
JOURNALLED = {
    "mlflow.source.git.commit": "the commit",
    "mnistgan.cpu": "the processor",
    HOST: "the machine's name and the times of day",
    SPEED: "the speed",
    "mnistgan.data_source": "where the data came from",
}
"""What may be known of a journal alone: the tag or metric that shows it in a run, and how a person calls it."""
RECIPE_DIGEST = "mnistgan.recipe_digest"
"""Tag of a run: the group of seeds that it belongs to, of which it is one."""
NOTE = "mlflow.note.content"
"""Tag of a run: its description on MLflow's pages, in Markdown."""
TOLD_ONCE = ("mlflow.source.git.commit", "mnistgan.dirty", "mnistgan.experiment", *MACHINE_TAGS)
"""Tags that tell how a training went, of which a finished run keeps those of who was first to publish its results."""
PATCHES = ("tree.patch", "evaluate/tree.patch")
CLOCK_LAG_SECONDS = 1.0
"""A file system's clock may lag behind the system's by a moment."""


class Status(StrEnum):
    """A run's status, by MLflow's names."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    """Nothing works on it and a stage is still to come."""
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True)
class Point:
    """A metric's value at a training step; figures of the final weights stand at step 0."""

    metric: str
    step: int
    value: float


@dataclass(frozen=True)
class Publication:
    """All that one run shows."""

    state: State
    name: str
    status: Status
    started: datetime | None
    stopped: datetime | None
    """When the last stage that made it ended, however it did."""
    tags: Mapping[str, str]
    machines: Sequence[Mapping[str, str]] = ()
    """Where the training was worked on, by machine tags; several where it went on elsewhere, none if not known."""
    points: Sequence[Point] = ()
    grids: Mapping[int, Path] = field(default_factory=dict)
    """Picture of the fixed latents, by epoch."""
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    """Files by the name they get in the run."""
    dataset: str | None = None
    """data/summary.json's text."""
    generator: Path | None = None
    """The final weights, once the state is whole."""
    results: str | None = None
    """Digest of what was made, once the state is whole: two runs of one key that differ here are replicates."""
    rules: Mapping[str, Any] = field(default_factory=dict)
    """gate.yaml's, parsed, once the state is whole: what a generator is to pass before it may be the best."""
    best_pins: str = ""
    """How a generator is to be measured before it may be the best: as the commit's figures are."""

    def beside(self, tags: Mapping[str, str]) -> "Publication":
        """What is left to tell in a finished run of these results that has ``tags``: how they were made, no more."""
        from pipeline.results import lookup as results

        told = [name for name in TOLD_ONCE if tags.get(name)]
        if all(self.tags.get(name, tags[name]) == tags[name] for name in told):
            return self
        kept = {*PATCHES, str(layout.LOCK), str(results.MACHINE)}
        return replace(
            self,
            tags={name: value for name, value in self.tags.items() if name not in TOLD_ONCE},
            artifacts={name: file for name, file in self.artifacts.items() if name not in kept},
        )


@dataclass(frozen=True)
class Sources:
    """Where a publication is read from: the state, its stages' parts, and which of them have ended."""

    state: State
    parts: Mapping[str, Part]
    ended: frozenset[str]
    running: str | None = None
    """The stage at work."""
    since: float = 0.0
    """When it started (seconds since the epoch): what it writes is newer, what is older was an earlier run's."""
    problems: Sequence[str] = ()
    """What in the workspace is not as dvc.lock records, and so is left out."""

    def fingerprint(self) -> tuple[tuple[str, int], ...]:
        """Changes whenever the running stage has written something that a publication would show."""
        train = self.parts["train"].options
        files = [train[name] for name in ("curves", "looks") if name in train and train[name].exists()]
        files += [file for _, file in _grids(train["grids"])]
        return tuple((file.name, file.stat().st_mtime_ns) for file in files)

    def fresh(self, stage: str, path: Path) -> bool:
        """Whether a stage's out is of this state, which an out left over from an earlier run is not."""
        if stage in self.ended:
            return path.exists()
        return stage == self.running and path.exists() and path.stat().st_mtime >= self.since - CLOCK_LAG_SECONDS


def while_running(stage: str, since: float) -> Sources:
    """What a stage that started at ``since`` works on, and what the stages before it recorded.

    Raises UsageError or DataError when the workspace does not hold what those stages recorded.
    """
    if stage == "train":
        prepared = dvc_lock.prepared()
        # While training nothing opens the test images, not even to name the run that they will measure.
        known = {path: digest for part in prepared.values() for path, digest in part.outs.items()}
        parts = {
            **prepared,
            "train": dvc_yaml.part_of("train"),
            "evaluate": dvc_yaml.part_of("evaluate", known=known),
        }
        return Sources(State.of(parts, runtime.installed_versions()), parts, frozenset(), stage, since)
    if stage == "evaluate":
        parts = dvc_lock.parts_of(dvc_lock.read()) | {"evaluate": dvc_yaml.part_of("evaluate")}
        return Sources(keys.state_of_trained(), parts, frozenset({"train"}), stage, since)
    recorded = of_lock()
    if not recorded.ended.issuperset(keys.MAKING):
        raise DataError("; ".join(recorded.problems))
    parts = {**recorded.parts, stage: dvc_yaml.part_of(stage)}
    return Sources(recorded.state, parts, recorded.ended - {stage}, stage, since)


def of_lock() -> Sources:
    """What dvc.lock records and the workspace still holds as recorded.

    Raises UsageError when there is no dvc.lock or it records no training, FormatError when it is no record, DataError
    when the training's outs are not there as recorded.
    """
    from pipeline.tracking import proof

    text = dvc_lock.read()
    parts = dvc_lock.parts_of(text)
    proof.check(parts)
    changed = {stage: part.changed_outs() for stage, part in parts.items() if _follows(stage, parts)}
    ended = {stage for stage, paths in changed.items() if not paths}
    if ended.issuperset(keys.MAKING):
        now = keys.state_of_lock(text)
    else:
        now = keys.state_of_trained()
        parts["evaluate"] = dvc_yaml.part_of("evaluate")
        ended -= {"evaluate", "render"}
    stale = [f"{stage}: not run on these weights yet" for stage in ("evaluate", "render") if stage not in changed]
    differing = [f"{path}: not what {layout.LOCK} records" for paths in changed.values() for path in paths]
    return Sources(now, parts, frozenset(ended), problems=(*stale, *differing))


def gather(sources: Sources, root: Path) -> Publication:
    """What the files say now. Raises DataError or OSError where one of a stage at work is torn, or gone meanwhile."""
    from mnistgan.comparison.figures import verdict_of
    from mnistgan.training.looks import Collapse

    now, parts = sources.state, dict(sources.parts)
    ended = sources.ended
    if sources.running and _outcome_of(sources.running, now, root, sources.since) is Outcome.DONE:
        skipped = _skipped() if sources.running == "train" else {}
        parts |= skipped
        ended = ended | {sources.running} | skipped.keys()
    events = journal.making_events(root, now.train_key, now.run_key)
    training = [event for event in events if event.stage == "train"]
    complete = ended.issuperset(keys.MAKING)
    train, evaluate = parts["train"], parts["evaluate"]
    tags = {
        **_key_tags(now),
        **_group_tags(parts),
        **_journal_tags(training),
        **_outside_params(parts),
        **_source_tags(root, parts),
    }
    points = _curve_points(train.options["curves"]) if sources.fresh("train", train.options["curves"]) else []
    looks = _looks(sources, train)
    points += [Point(f"validation/{name}", look.step, getattr(look, name)) for look in looks for name in LOOK_METRICS]
    if collapse := Collapse.of(looks):
        tags["mnistgan.collapse"] = str(collapse)
    if "train" in ended:
        tags = _processor_tags(train) | tags | _weight_tags(train)
        points += _speed_points(training)
    if complete:
        figures = _json(evaluate.options["metrics"])
        points += _figure_points(figures)
        tags |= {f"mnistgan.{name}": value for name, value in figures.items() if isinstance(value, str)}
        if verdict := verdict_of(figures):
            tags["mnistgan.verdict"] = verdict
    generator = train.options["generator"] if complete else None
    return Publication(
        state=now,
        name=_name(now, training),
        status=_status(now, events, complete, root),
        started=next((event.time for event in training if event.kind is Kind.START), None),
        stopped=events[-1].time if events else None,
        tags=tags,
        machines=[machine_tags(event.facts) for event in training if event.kind is Kind.START],
        points=points,
        grids={epoch: file for epoch, file in _grids(train.options["grids"]) if sources.fresh("train", file)},
        artifacts=_artifacts(parts, ended) | _records(now, complete) | _trees(root, now),
        dataset=_summary(parts),
        generator=generator,
        results=_results(generator, evaluate.options["metrics"]) if generator else None,
        rules=_rules(root) if complete else {},
        best_pins=_pins_of_commit(root) if complete else "",
    )


def untold(names: Collection[str]) -> tuple[str, ...]:
    """What a run of these tags and metrics leaves blank of the things that only a journal knows.

    Where the journal is there, and tells the host, a training without a speed was too short to be timed.
    """
    timed = {SPEED} if HOST in names else set()
    return tuple(told for name, told in JOURNALLED.items() if name not in {*names, *timed})


def outcome(events: Sequence[Event]) -> Outcome | None:
    """How the last stage in ``events`` ended; None where its process was gone before it could say."""
    last = events[-1] if events else None
    return Outcome(last.facts["outcome"]) if last and last.kind is Kind.END else None


def is_live(root: Path, train_key: str, run_key: str) -> bool:
    """Whether a process on this machine is training or measuring under these keys now."""
    return any(journal.is_live(journal.path_of(root, key)) for key in (train_key, run_key))


def settled_status(events: Sequence[Event]) -> Status:
    """The status of an unfinished state that no process works on any more."""
    if not events:
        return Status.SCHEDULED
    settled = {Outcome.DONE: Status.SCHEDULED, Outcome.FAILED: Status.FAILED}
    last = outcome(events)
    return settled.get(last, Status.KILLED) if last else Status.KILLED


def _follows(stage: str, recorded: Mapping[str, Part]) -> bool:
    """Whether what a stage's entry says it read is what the other entries say was written."""
    written = {path: digest for part in recorded.values() for path, digest in part.outs.items()}
    return stage in recorded and all(written.get(path, read) == read for path, read in recorded[stage].deps.items())


def _skipped() -> dict[str, Part]:
    """The stages after a training that has just ended which DVC will skip, so that nothing of them tells more."""
    with suppress(MnistganError):
        recorded = dvc_lock.parts_of(dvc_lock.read())
        found: dict[str, Part] = {}
        for stage in ("evaluate", "render"):
            if stage not in recorded or not _is_up_to_date(stage, recorded[stage]):
                break
            found[stage] = recorded[stage]
        return found
    return {}


def _is_up_to_date(stage: str, recorded: Part) -> bool:
    """Whether nothing that a stage reads or wrote is other than recorded."""
    here = dvc_yaml.part_of(stage)
    deps = {path: here.deps.get(path) or digests.md5_of(Path(path)) for path in recorded.deps}
    if here.deps.keys() - deps.keys() or (here.command, here.params, deps) != (
        recorded.command,
        recorded.params,
        recorded.deps,
    ):
        return False
    return not recorded.changed_outs()


def _outcome_of(stage: str, now: State, root: Path, since: float) -> Outcome | None:
    """How the stage that started at ``since`` ended; None while it runs."""
    events = journal.read(journal.path_of(root, now.train_key if stage == "train" else now.run_key))
    return outcome([event for event in events if event.stage == stage and event.time.timestamp() >= since])


def _status(now: State, events: Sequence[Event], complete: bool, root: Path) -> Status:
    if complete:
        return Status.FINISHED
    return Status.RUNNING if is_live(root, now.train_key, now.run_key) else settled_status(events)


def _curve_points(path: Path) -> list[Point]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(int(row.pop("step")), row) for row in csv.DictReader(file)]
        return [Point(f"training/{name}", step, float(value)) for step, row in rows for name, value in row.items()]
    except (ValueError, KeyError, TypeError, csv.Error) as error:  # a row cut short has None in it
        raise FormatError(f"{path}: no whole table of curves: {error}") from error


def _looks(sources: Sources, train: Part) -> list["Look"]:
    """The looks at validation, as the training in question wrote them; none where it took none."""
    from mnistgan.training import looks

    path = train.options.get("looks")
    return looks.parse(path.read_text("utf-8", "replace")) if path and sources.fresh("train", path) else []


def _speed_points(training: Sequence[Event]) -> list[Point]:
    facts = {name: _last_fact(training, name) for name in ("images_per_second", "overhead_share")}
    return [Point(f"training/{name}", 0, float(value)) for name, value in facts.items() if value is not None]


def _figure_points(figures: Mapping[str, Any]) -> Iterator[Point]:
    for name, value in params_yaml.flatten(figures, ""):
        if isinstance(value, int | float):
            yield Point(f"evaluation/{name}", 0, float(value))


def _grids(folder: Path) -> Iterator[tuple[int, Path]]:
    for file in sorted(folder.glob(f"{GRID_PREFIX}*.png")):
        yield int(file.stem.removeprefix(GRID_PREFIX)), file


def _artifacts(parts: Mapping[str, Part], ended: frozenset[str]) -> dict[str, Path]:
    """The results as files; the data, the discriminator and the best weights by validation stay with DVC."""
    places: list[Path] = []
    if "train" in ended:
        options = parts["train"].options
        names = ("generator", "versions", "machine", "curves", "looks")
        places += [options[name] for name in names if name in options]
    for stage in ended & {"evaluate", "render"}:
        places += [Path(out) for out in parts[stage].outs]
    files = [file for place in places for file in (sorted(place.rglob("*")) if place.is_dir() else [place])]
    return {file.as_posix(): file for file in sorted(files) if file.is_file()}


def _records(now: State, complete: bool) -> dict[str, Path]:
    """params.yaml and dvc.lock, where they are this state's: a person may have edited on while it trained."""
    found = {}
    with suppress(MnistganError):
        here = keys.params_of_workspace()
        if all(here.get(name, value) == value for name, value in now.params.items()):
            found[str(layout.PARAMS)] = layout.PARAMS
    with suppress(MnistganError):
        text = dvc_lock.read()
        if complete and _follows("evaluate", dvc_lock.parts_of(text)) and keys.state_of_lock(text) == now:
            found[str(layout.LOCK)] = layout.LOCK
    return found


def _trees(root: Path, now: State) -> dict[str, Path]:
    """What the trees of training and measuring held beyond their commits."""
    kept = dict(zip(PATCHES, (now.train_key, now.run_key), strict=True))
    return {name: path for name, key in kept.items() if (path := patches.path_of(root, key)).exists()}


def _source_tags(root: Path, parts: Mapping[str, Part]) -> dict[str, str]:
    """Where the data came from; nothing where no journal tells of these very splits."""
    text = _summary(parts)
    if text is None:
        return {}
    splits = {name: described.get("sha256") for name, described in json.loads(text).get("splits", {}).items()}
    told = journal.data_source(root, splits)
    return {"mnistgan.data_source": told} if told else {}


def _key_tags(now: State) -> dict[str, str]:
    return {
        "mnistgan.train_key": now.train_key,
        "mnistgan.run_key": now.run_key,
        "mnistgan.data_digest": now.data_digest,
    }


def _group_tags(parts: Mapping[str, Part]) -> dict[str, str]:
    """The group of seeds that this is one of; nothing where the data or the rulers are not known."""
    from pipeline.engines import planning
    from pipeline.results import lookup as results

    if "prepare" not in parts or "rulers" not in parts["evaluate"].options:
        return {}
    try:
        digest = results.recipe_digest(parts, planning.pins_of(parts))
    except MnistganError:
        return {}
    return {RECIPE_DIGEST: digest} if digest else {}


def _rules(root: Path) -> Mapping[str, Any]:
    """The rules of the main workspace's gate.yaml; none where there are none that are understood, as `gate` says."""
    from pipeline.commands import gate

    try:
        rules: Mapping[str, Any] = gate.read_rules(root / gate.RULES)
    except GateError:
        return {}
    return rules


def _pins_of_commit(root: Path) -> str:
    """The pins of the figures that the main repository's commit holds, or else its workspace; an experiment's are its
    own, and which generator is the best is not for it to say."""
    from pipeline.results import lookup as results

    committed = None
    with suppress(GitError):
        committed = git.blob("HEAD", results.METRICS, root)
    try:
        return str(json.loads(committed or (root / results.METRICS).read_bytes())["pins"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _weight_tags(train: Part) -> dict[str, str]:
    from mnistgan.files import sha256

    versions = _json(train.options["versions"])
    return {"mnistgan.weights": sha256(train.options["generator"]), **_version_tags(versions)}


def _processor_tags(train: Part) -> dict[str, str]:
    """The processor that the training ran on, as its outs say; nothing where they are from before they did."""
    path = train.options.get("machine")
    processor = machine.processor(_json(path)) if path and path.exists() else None
    return {"mnistgan.cpu": processor} if processor else {}


def _version_tags(versions: Mapping[str, str]) -> dict[str, str]:
    return {f"mnistgan.version.{library}": version for library, version in versions.items()}


def _journal_tags(training: Sequence[Event]) -> dict[str, str]:
    """What only the journal of the training knows; nothing where it is gone."""
    start = next((event.facts for event in reversed(training) if event.kind is Kind.START), None)
    if start is None:
        return {}
    known = {
        "mlflow.source.git.commit": start.get("commit"),
        "mlflow.source.name": "python -m pipeline train",
        "mlflow.source.type": "LOCAL",
        "mnistgan.dirty": start.get("dirty"),
        "mnistgan.experiment": start.get("experiment"),
    }
    tags = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in known.items()
        if value is not None
    }
    return tags | machine_tags(start) | _version_tags(start.get("versions", {}))


def machine_tags(start: Mapping[str, Any]) -> dict[str, str]:
    """Where a stage ran, as its journal's first line tells it."""
    return {tag: str(start[fact]) for tag, fact in MACHINE_TAGS.items() if fact in start}


def _outside_params(parts: Mapping[str, Part]) -> dict[str, str]:
    """Params that decide no result; tags, since MLflow never lets a param change."""
    sections = parts["render"].params.values() if "render" in parts else ()
    named = [item for section in sections for item in params_yaml.flatten(section.get("render", {}), "render")]
    return {name: str(value) for name, value in named}


def _last_fact(events: Sequence[Event], name: str) -> Any:
    return next((event.facts[name] for event in reversed(events) if name in event.facts), None)


def _name(now: State, training: Sequence[Event]) -> str:
    """A name that a person tells apart: the experiment's, or recipe, seed and epochs; and the key."""
    params = now.params
    given = _last_fact(training, "experiment")
    told = given or f"{params['train.recipe']} seed {params['train.seed']}, {params['recipe.epochs']} epochs"
    return f"{told} · {now.short}"


def _summary(parts: Mapping[str, Part]) -> str | None:
    """What prepare wrote of the data; None where it is not here as recorded."""
    if "prepare" not in parts:
        return None
    path = parts["prepare"].options["summary"]
    is_there = path.exists() and digests.md5_of(path) == parts["prepare"].outs.get(str(path))
    return path.read_text("utf-8") if is_there else None


def _json(path: Path) -> Any:
    from mnistgan.files import read_json

    return read_json(path)


def _results(generator: Path, figures: Path) -> str:
    from mnistgan.files import sha256

    return hashlib.sha256((sha256(generator) + sha256(figures)).encode()).hexdigest()
