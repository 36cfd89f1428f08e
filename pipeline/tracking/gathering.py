"""Builds one MLflow run's payload, its tags too, from what a state's files, dvc.lock and the journals say."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.comparison.compare import Comparison, compare
from mnistgan.errors import FormatError, GateError, GitError, MnistganError
from mnistgan.families import recipes_file
from mnistgan.metrics import looks
from mnistgan.metrics.catalog import METRICS
from mnistgan.metrics.looks import Collapse, Look
from pipeline.dvcfiles import digests, dvc_lock, git, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.results import checkout, consistency, datasets, former, lookup, rules
from pipeline.results.checkout import Results
from pipeline.runs import journal, keys, machine, patches
from pipeline.runs.journal import Event, Kind, Outcome
from pipeline.runs.keys import MAKING, State
from pipeline.tracking import publication, sources
from pipeline.tracking.publication import FIGURES, TRAINING, USER, VALIDATION, Baseline, Point, Publication, Status
from pipeline.tracking.sources import Sources

LOOK_METRICS = tuple(metric.look for metric in METRICS if metric.look)
"""The columns of looks at validation that are metrics of the generator."""


def gather(found: Sources, root: Path) -> Publication:
    """Builds what the files say now. Raises DataError or OSError where a stage at work left one torn or gone."""
    from mnistgan.files import read_json, sha256

    now, parts, ended = found.state, dict(found.parts), found.ended
    if found.running and _outcome_of(found.running, now, root, found.since) is Outcome.DONE:
        skipped = sources.skipped() if found.running == "train" else {}
        parts |= skipped
        ended = ended | {found.running} | skipped.keys()
    events = journal.making_events(root, now.train_key, now.run_key)
    training = [event for event in events if event.stage == "train"]
    complete, figures = ended.issuperset(MAKING), dict[str, float]()
    train, evaluate = (former.options(stage, parts[stage]) for stage in MAKING)
    told = _tags(root, now, parts, training, "train" in ended)
    points = _curve_points(train["curves"]) if found.fresh("train", train["curves"]) else []
    seen = _looks(found, train)
    points += [Point(f"{VALIDATION}{name}", look.step, getattr(look, name)) for look in seen for name in LOOK_METRICS]
    if collapse := Collapse.of(seen):
        told["mnistgan.collapse"] = str(collapse)
    if "train" in ended:
        facts = {name: journal.last_fact(training, name) for name in ("images_per_second", "overhead_share")}
        points += [Point(f"{TRAINING}{name}", 0, float(fact)) for name, fact in facts.items() if fact is not None]
    if complete:
        report = former.evaluation(read_json(evaluate["metrics"]))
        figures = {name: float(value) for name, value in reading.flatten(report) if isinstance(value, int | float)}
        # MLflow lists metrics and tags in the order in which a run got them.
        points = [*(Point(name, 0, value) for name, value in publication.figures(figures)), *points]
        words = {f"mnistgan.{name}": value for name, value in report.items() if isinstance(value, str)}
        told = {**words, **told, FIGURES: json.dumps(figures, separators=(",", ":"))}
    generator = train["final"] if complete else None
    made = "".join(map(sha256, (generator, evaluate["metrics"]))) if generator else ""
    is_at_work = not complete and journal.is_making(root, now.train_key, now.run_key)
    status = Status.FINISHED if complete else Status.RUNNING if is_at_work else settled_status(events)
    kept = zip(publication.PATCHES, (now.train_key, now.run_key), strict=True)  # of the trees of training and measuring
    trees = {name: path for name, key in kept if (path := patches.path_of(root, key)).exists()}
    return Publication(
        state=now,
        name=publication.name(now.params, journal.last_fact(training, "experiment"), now.short),
        status=status,
        started=next((event.time for event in training if event.kind is Kind.START), None),
        stopped=events[-1].time if events else None,
        tags=told,
        machines=[machine_tags(event.facts) for event in training if event.kind is Kind.START],
        points=points,
        grids={epoch: file for epoch, file in sources.grids(train["grids"]) if found.fresh("train", file)},
        artifacts=_artifacts(parts, ended) | _records(now, complete) | trees,
        params=publication.params(now.params),
        line=publication.summary(told.get("mnistgan.verdict"), figures) if complete else "",
        baseline=_baseline(root, parts, training) if complete else None,
        author=told.get(USER, ""),
        dataset=_data_summary(parts),
        generator=generator,
        results=hashlib.sha256(made.encode()).hexdigest() if made else None,
        rules=_rules(root, datasets.name_of(now.params)) if complete else {},
        best_pins=_pins_of_commit(root) if complete else "",
    )


def _baseline(root: Path, parts: Mapping[str, Part], training: Sequence[Event]) -> Baseline | None:
    """Compares a state with the commit that its training was made from; None where that has no such results."""
    commit = next((event.facts.get("commit") for event in training if event.kind is Kind.START), None)
    with suppress(MnistganError):  # other pins, or results that are none
        base = lookup.read(str(commit)[: keys.SHORT]) if commit else None
        here = checkout.of_place("this run", lookup.bytes_of, recorded_parts=parts)
        if base and base.side.members[0].figures.signature != here.side.members[0].figures.signature:
            data = datasets.check_same(base, here)
            found = compare(base.side, here.side, lookup.recorded_seeds(base, here))
            words = publication.verdict_beside(found, base.side.name, _rules(root, data or former.DATA["name"]))
            return Baseline(words, partial(_page, found, base, here))
    return None


def _page(found: Comparison, base: Results, here: Results) -> str:
    from pipeline.results import pages  # which load what draws

    return pages.html(found, base, here)


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


def _curve_points(path: Path) -> list[Point]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(int(row.pop("step")), row) for row in csv.DictReader(file)]
        return [
            Point(f"{TRAINING}{name}", step, float(value))
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
            recipes = Path(recipes_file(str(now.params.get(publication.FAMILY))))
            found |= {str(file): file for file in (layout.PARAMS, recipes) if file.is_file()}
    with suppress(MnistganError):
        text = dvc_lock.read()
        if complete and sources.follows("evaluate", dvc_lock.parts_of(text)) and keys.state_of_lock(text) == now:
            found[str(layout.LOCK)] = layout.LOCK
    return found


def _rules(root: Path, data: str) -> Mapping[str, Any]:
    """Reads the main workspace's gate.yaml; no rules where it has none for the data set, or they are not understood."""
    with suppress(GateError):
        return dict(rules.read(root / rules.RULES).get(data, {}))
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


def _tags(
    root: Path, now: State, parts: Mapping[str, Part], training: Sequence[Event], is_trained: bool
) -> dict[str, str]:
    """Makes the tags of a state's run; ``training``: what its training journalled."""
    told = {
        publication.TRAIN_KEY: now.train_key,
        publication.RUN_KEY: now.run_key,
        "mnistgan.data_digest": now.data_digest,
        **_group_tags(parts),
        **_journal_tags(training),
        **_outside_params(parts),
        **_source_tags(root, parts),
        **author_tags(root),
    }
    if is_trained:
        from mnistgan.files import read_json, sha256

        options = parts["train"].options
        path = options.get("machine")  # records from before it was written down have none
        if path and path.exists() and (processor := machine.facts(read_json(path)).get("processor")):
            told = {"mnistgan.cpu": processor} | told
        told[publication.DRAWING] = sha256(former.options("train", parts["train"])["final"])
        told |= _version_tags(read_json(options["versions"]))
    return told


def _data_summary(parts: Mapping[str, Part]) -> str | None:
    """Reads what prepare wrote of the data; None where it is not here as recorded."""
    if "prepare" not in parts:
        return None
    path = parts["prepare"].options["summary"]
    is_there = path.exists() and digests.md5_of(path) == parts["prepare"].outs.get(str(path))
    return path.read_text("utf-8") if is_there else None


def machine_tags(start: Mapping[str, Any]) -> dict[str, str]:
    return {tag: str(start[fact]) for tag, fact in publication.MACHINE_TAGS.items() if fact in start}


def _group_tags(parts: Mapping[str, Part]) -> dict[str, str]:
    """Names the group of seeds that this is one of; nothing where the data or the rulers are not known."""
    if "prepare" not in parts or parts["evaluate"].rulers is None:
        return {}
    try:
        digest = checkout.recipe_digest(parts, consistency.pins_to_write(parts))
    except MnistganError:
        return {}
    return {publication.RECIPE_DIGEST: digest} if digest else {}


def _version_tags(versions: Mapping[str, str]) -> dict[str, str]:
    return {f"{publication.VERSION_TAG}{library}": version for library, version in versions.items()}


def _journal_tags(training: Sequence[Event]) -> dict[str, str]:
    """Collects what only the journal of the training knows; nothing where it is gone."""
    start = next((event.facts for event in reversed(training) if event.kind is Kind.START), None)
    if start is None:
        return {}
    known = {
        publication.COMMIT: start.get("commit"),
        "mlflow.source.name": "python -m pipeline train",
        "mlflow.source.type": "LOCAL",
        "mnistgan.dirty": start.get("dirty"),
        publication.EXPERIMENT: start.get("experiment"),
    }
    tags = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in known.items()
        if value is not None
    }
    return tags | machine_tags(start) | _version_tags(start.get("versions", {}))


def _source_tags(root: Path, parts: Mapping[str, Part]) -> dict[str, str]:
    """Says where the data came from; nothing where no journal tells of these very splits."""
    text = _data_summary(parts)
    if text is None:
        return {}
    splits = {name: described.get("sha256") for name, described in json.loads(text).get("splits", {}).items()}
    told = journal.data_source(root, splits)
    return {"mnistgan.data_source": told} if told else {}


def author_tags(root: Path) -> dict[str, str]:
    """Names the author, as git knows them here; nothing where it doesn't."""
    with suppress(GitError):
        if known := git.line("config", "user.name", folder=root):
            return {USER: known}
    return {}


def _outside_params(parts: Mapping[str, Part]) -> dict[str, str]:
    """Collects params that decide no result; tags, since MLflow never lets a param change."""
    sections = parts["render"].params.values() if "render" in parts else ()
    named = [item for section in sections for item in reading.flatten(section.get("render", {}), "render")]
    return {name: str(value) for name, value in named}
