"""Reads the results of one checkout: its figures, and by its dvc.lock the params, data and code that they came of.

It tells why the figures may be another run's, or the params other than those that ran.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.comparison import seeds
from mnistgan.comparison.figures import Figures
from mnistgan.comparison.seeds import SeedRow
from mnistgan.comparison.sides import Side, Trained
from mnistgan.errors import DataError, FormatError
from mnistgan.families import recipes_file
from mnistgan.metrics.catalog import PRIMARY
from pipeline.dvcfiles import digests, dvc_lock, dvc_yaml, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.dvcfiles.layout import METRICS, SEEDS
from pipeline.results import former
from pipeline.runs import keys, machine

Read = Callable[[Path], bytes | None]


@dataclass(frozen=True)
class Place:
    """A whole checkout that results are read from: a commit's, a folder's, or the files of an MLflow run."""

    read: Read  # a file's bytes by its path there; None where there is none
    parts: Mapping[str, Part]  # what its dvc.lock records, by stage; empty where it has none
    commit: str | None  # None where it is no commit's


@dataclass(frozen=True)
class Results:
    """One side of a comparison, and what is recorded of its making."""

    side: Side
    params: Mapping[str, Any] = field(default_factory=dict)
    """By dotted name, a recipe's as ``recipe.KNOB``; empty where nothing records them."""
    data: Mapping[str, str] = field(default_factory=dict)  # MD5 of what prepare made, by path
    code: Mapping[str, str] = field(default_factory=dict)
    """MD5 of the code and rulers that the stages up to evaluate read, by path."""
    machine: Mapping[str, str] = field(default_factory=dict)
    """The processor that the training ran on, and its precision; empty where nothing records them."""
    seeds: tuple[SeedRow, ...] = ()  # the rows of its metrics/seeds.csv
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    """Those of the notes that say why the figures may be another run's, so that no verdict should rest on them."""
    place: Place | None = None  # where its other files are; None for a group, and for a metrics file that lies alone
    is_recorded: bool = False  # whether dvc.lock says that these very figures came of these params, data and code

    @property
    def recorded(self) -> bool:
        return bool(self.params)


def of_place(
    name: str, read_bytes: Read, commit: str | None = None, recorded_parts: Mapping[str, Part] | None = None
) -> Results:
    """Reads the results of a whole checkout of the repository: a commit's, or a folder's.

    ``recorded_parts``: what its dvc.lock is going to record, where DVC has not written it yet.
    """
    content = read_bytes(METRICS)
    if content is None:
        raise DataError(f"{name}: has no {METRICS}; `make repro` there makes one")
    figures = figures_of(f"{name}, {METRICS}", content)
    recorded = read_bytes(SEEDS)
    rows = seeds_of(f"{name}, {SEEDS}", recorded) if recorded is not None else []
    lock = read_bytes(layout.LOCK)
    if lock is None and recorded_parts is None:
        side = Side(name, (Trained(name, figures),))
        unknown = (f"{name} has no {layout.LOCK}: its params and code are unknown",)
        return Results(side, seeds=tuple(rows), notes=unknown, doubts=unknown, place=Place(read_bytes, {}, commit))
    read = recorded_parts or dvc_lock.parts_of(reading.decoded(lock or b"", f"{name}, {layout.LOCK}"))
    parts = former.parts(read)
    train = parts.get("train")
    weights = train.outs.get(str(train.options.get("final"))) if train else None
    trained = Trained(name, figures, weights, _measured_by(parts), _training(parts))
    found = Results(
        side=Side(name, (trained,), recipe_digest(parts, figures.pins)),
        # As the stages resolved them when they ran, so that recipes of other names line up.
        params=dvc_yaml.flat_params(part.params for part in keys.measuring(parts)),
        data=_data(parts),
        code=_code(parts),
        machine=machine.recorded_facts(train, read_bytes),
        seeds=tuple(rows),
        place=Place(read_bytes, parts, commit),
    )
    doubted = tuple(_of_other_runs(name, content, parts))
    others = _other_record(found.side, found.params.get("train.seed"), rows)
    notes = (*doubted, *_stale_params(name, read_bytes, found.params), *others)
    return replace(found, notes=notes, doubts=doubted, is_recorded=not doubted)


def _data(parts: Mapping[str, Part]) -> dict[str, str]:
    made = parts["prepare"].outs if "prepare" in parts else {}
    used = {path for part in keys.measuring(parts) for path in part.deps}
    return {path: digest for path, digest in made.items() if path in used}


def _code(parts: Mapping[str, Part]) -> dict[str, str]:
    made = {path for part in parts.values() for path in part.outs}
    deps = {path: digest for part in keys.measuring(parts) for path, digest in part.deps.items()}
    return {path: digest for path, digest in sorted(deps.items()) if path not in made}


def _measured_by(parts: Mapping[str, Part]) -> dict[str, str] | None:
    """Collects what evaluate read beside what was trained: digests of code, rulers and data, values of params."""
    if not {"train", "evaluate"} <= parts.keys():
        return None
    evaluate, trained = parts["evaluate"], parts["train"].outs
    read = {path: digest for path, digest in evaluate.deps.items() if path not in trained}
    return read | {name: str(value) for name, value in dvc_yaml.flat_params([evaluate.params]).items()}


def _training(parts: Mapping[str, Part]) -> str | None:
    """Digest of all that decides the weights to the bit; None where the machine or the libraries are not recorded."""
    train = parts.get("train")
    ran_on = [train.outs.get(str(train.options.get(name))) for name in ("machine", "versions")] if train else [None]
    if train is None or None in ran_on:
        return None
    return json.dumps([dvc_yaml.flat_params([train.params]), dict(train.deps), ran_on], sort_keys=True, default=str)


def recipe_digest(parts: Mapping[str, Part], pins: str) -> str | None:
    """Digest of the group of seeds that a state belongs to; None where no training is recorded.

    The family counts as the knob that it was, so that a spread recorded then is found.
    """
    by_file = former.parts(parts)["train"].params if "train" in parts else {}
    recipes = (knobs for file, named in by_file.items() if file.startswith("recipes/") for knobs in named.values())
    knobs = next(recipes, None)
    if knobs is None:
        return None
    family = by_file[str(layout.PARAMS)]["train"].get("family", former.FAMILY)
    return seeds.recipe_digest({former.FAMILY_KNOB: family, **knobs}, json.dumps(_data(parts), sort_keys=True), pins)


def seeds_of(name: str, content: bytes) -> list[SeedRow]:
    """Parses a seeds file. Raises FormatError, beginning with ``name``, where it is none."""
    return seeds.loads(former.seeds(reading.decoded(content, name)), name)


def figures_of(name: str, content: bytes) -> Figures:
    """Parses a metrics file. Raises FormatError, beginning with ``name``, where it is none."""
    try:
        return Figures.of(former.evaluation(reading.json_document(reading.decoded(content, name), name)), name)
    except OverflowError as error:
        raise FormatError(f"{name}: {error}") from error


def _of_other_runs(name: str, content: bytes, parts: Mapping[str, Part]) -> Iterator[str]:
    """Says why a metrics file may not be what these stages wrote, so that no verdict should rest on it."""
    recorded = parts["evaluate"].outs.get(METRICS.as_posix()) if "evaluate" in parts else None
    if recorded is None:
        yield f"{name}: {layout.LOCK} records no {METRICS}, so whose figures it holds is unknown"
    elif digests.md5(content) != recorded:
        yield f"{name}: {METRICS} is not the one that {layout.LOCK} records; params, data and code may be another run's"
    written = {path: digest for part in parts.values() for path, digest in part.outs.items()}
    read = [item for part in keys.measuring(parts) for item in part.deps.items()]
    others = dict.fromkeys(path for path, digest in read if written.get(path, digest) != digest)
    if missing := sorted({"prepare", "train", "evaluate"} - parts.keys()):
        yield f"{name}: {layout.LOCK} has no {' and no '.join(missing)}, so what the figures came of is unknown"
    elif others:
        yield f"{name}: {', '.join(others)} was written anew since a later stage read it; `dvc repro` catches up"
    yield from _unnamed(name, parts)


def _stale_params(name: str, read: Read, ran: Mapping[str, Any]) -> Iterator[str]:
    """Lists where params.yaml and the recipe differ from the run whose figures these are."""

    def held(path: Path) -> Any:
        content, told = read(path), f"{name}, {path}"
        return None if content is None else reading.yaml_document(reading.decoded(content, told), told)

    document = former.document(held(layout.PARAMS))
    if document is None:
        return
    try:
        train = document["train"]
        recipes = document.get("recipes") or held(Path(recipes_file(train["family"])))
        recipe = recipes[train["recipe"]]
    except (AttributeError, KeyError, TypeError):
        yield f"{name}: {layout.PARAMS} names no recipe; the figures are of the run that {layout.LOCK} records"
        return
    now = dict(reading.flatten({**document, "recipe": recipe}, ""))
    changed = [key for key, value in ran.items() if key in now and now[key] != value]
    if changed:
        shown = ", ".join(f"{key} {now[key]} (ran with {ran[key]})" for key in changed)
        yield f"{name}: {layout.PARAMS} has changed since the run: {shown}; the figures are of the run"


def _other_record(side: Side, seed: Any, rows: Sequence[SeedRow]) -> Iterator[str]:
    """Says where the record of seeds has another FID for the very seed."""
    (member,) = side.members
    fid = member.figures.leaves.get(PRIMARY, math.nan)
    for row in rows:
        if (row.digest, row.seed) == (side.recipe, seed) and row.figures.leaves[PRIMARY] != fid:
            told = f"FID {row.figures.leaves[PRIMARY]:.4g}, not {fid:.4g}"
            yield f"{side.name}: {SEEDS} has {told}, for seed {seed}: the spread is another run's, or was edited"


def _unnamed(name: str, parts: Mapping[str, Part]) -> Iterator[str]:
    """Says where dvc.lock's commands don't name the weights, or files that the training wrote, which so go unread."""
    if not {"train", "evaluate"} <= parts.keys():
        return
    train = parts["train"]
    weights = str(train.options.get("final"))
    if weights not in train.outs or weights not in parts["evaluate"].deps:
        yield f"{name}: {layout.LOCK} names no weights, so of which weights the figures are is unknown"
    elif unnamed := [path for path in train.outs if Path(path) not in train.options.values()]:
        yield f"{name}: {layout.LOCK}'s command of train names no {', '.join(unnamed)}, which it wrote"
