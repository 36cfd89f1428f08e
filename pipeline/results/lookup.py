"""The results that a commit, an experiment, a file or the workspace records, read for comparison.

Git's are read by git's own plumbing and DVC's experiments as the refs that they are: no library has to be loaded, and
nothing has to be checked out.
"""

import glob
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.comparison import seeds
from mnistgan.comparison.figures import Figures
from mnistgan.comparison.seeds import SeedRow
from mnistgan.comparison.sides import Side, Trained
from mnistgan.errors import DataError, FormatError, GitError, RulerError, UsageError
from mnistgan.metrics.catalog import PRIMARY
from pipeline.dvcfiles import digests, dvc_lock, git, layout, params_yaml
from pipeline.results import history
from pipeline.runs import machine

METRICS = Path("metrics/evaluation.json")
SEEDS = layout.SEEDS
MACHINE = Path("metrics/machine.json")
WORKSPACE = "workspace"
LARGEST = 100_000_000  # bytes of a file of a result; a picture or a table has far fewer
RUN = "run:"
TAKEN = (
    "a git commit, branch or tag, a DVC experiment, REV:PATH, a metrics file (.json), a seeds file (.csv), a folder or "
    f"glob of metrics files, {RUN}ID of an MLflow run, `{WORKSPACE}`, or several of these joined by commas"
)

Read = Callable[[Path], bytes | None]


@dataclass(frozen=True)
class Place:
    """A whole checkout that results are read from: a commit's, a folder's, or what an MLflow run was given."""

    read: Read
    """A file's bytes by its path there; None where there is none."""
    parts: Mapping[str, dvc_lock.Part]
    """What its dvc.lock records, by stage; empty where it has none."""
    commit: str | None
    """None where it is no commit's."""


@dataclass(frozen=True)
class Results:
    """One side of a comparison, and what is recorded of how it came to be."""

    side: Side
    params: Mapping[str, Any] = field(default_factory=dict)
    """By dotted name, a recipe's as ``recipe.KNOB``; empty where nothing records them."""
    data: Mapping[str, str] = field(default_factory=dict)
    """MD5 of what prepare made, by path."""
    code: Mapping[str, str] = field(default_factory=dict)
    """MD5 of the code and rulers that the stages up to evaluate read, by path."""
    machine: Mapping[str, str] = field(default_factory=dict)
    """The processor that the training ran on, and its precision; empty where nothing records them."""
    seeds: tuple[SeedRow, ...] = ()
    """The rows of its metrics/seeds.csv."""
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    """Those of the notes that say why the figures may be another run's, so that no verdict should rest on them."""
    place: Place | None = None
    """Where its other files are; None for a group, and for a metrics file that lies alone."""
    is_recorded: bool = False
    """Whether dvc.lock says that these very figures came of these params, data and code."""

    @property
    def recorded(self) -> bool:
        """Whether it is known how the figures came to be."""
        return bool(self.params)


def read(text: str) -> Results:
    """The results that ``text`` names. Raises UsageError where it names nothing, DataError or FormatError where what
    it names has no results."""
    parts = [part.strip() for part in ([text] if _exists(text) else text.split(","))]
    return _group(text, [found for part in parts for found in _named(part)])


def everywhere() -> Iterator[Results]:
    """What the workspace, the last commit and every DVC experiment record, in this order, experiments by their names.

    Those that hold no results, or none that can be read, are left out.
    """
    experiments = sorted((name, commit) for name, commit, _ in history.experiments())
    head = history.commit_of("HEAD")
    for name, commit in [(WORKSPACE, None), *([("HEAD", head)] if head else []), *experiments]:
        with suppress(DataError, RulerError):
            yield _of_place(name, _bytes_of) if commit is None else _of_commit(name, commit)


def recorded_seeds(*sides: Results) -> list[SeedRow]:
    """The seeds that the sides or the workspace record: of each recipe those of one record, the one with most seeds.

    Two records of a recipe are never mixed: another commit's may be of other code. Of equals the first counts.
    """
    path = Path(SEEDS)
    here = seeds.loads(_text(str(path), reading.content(path)), str(path)) if path.is_file() else []
    fullest: dict[str, list[SeedRow]] = {}
    for record in (*(side.seeds for side in sides), here):
        for digest in dict.fromkeys(row.digest for row in record):
            rows = [row for row in record if row.digest == digest]
            fullest[digest] = max(fullest.get(digest, []), rows, key=len)
    return [row for rows in fullest.values() for row in rows]


def _named(text: str) -> list[Results]:
    if not text:
        raise UsageError(f"got an empty name; takes {TAKEN}")
    if text == WORKSPACE:
        return [_of_place(text, _bytes_of)]
    if text.startswith(RUN):
        return [_of_run(text)]
    path, commit = Path(text), _commit_beside(text)
    if commit is not None and _exists(text) and not text.startswith((".", "/")):
        raise UsageError(
            f"{text}: both a file and a commit; write ./{text} for the file, refs/heads/{text} for a branch"
        )
    if _exists(text) and path.is_dir():
        return _of_folder(path)
    if _exists(text):
        return _of_file(text, reading.content(path))
    if commit is not None:
        return [_of_commit(text, commit)]
    if glob.has_magic(text):
        return _of_files(text, sorted(glob.glob(text, recursive=True)))  # noqa: PTH207 - Path's takes no absolute pattern
    return _of_path_in_commit(text)


def _commit_beside(text: str) -> str | None:
    """:func:`history.commit_of`, but that a file needs no git."""
    try:
        return history.commit_of(text)
    except GitError:
        if _exists(text):
            return None
        raise


def _exists(text: str) -> bool:
    return os.path.exists(text)  # noqa: PTH110 - Path's raises where a long list of names makes no file's name


def _of_commit(name: str, commit: str) -> Results:
    return _of_place(name, lambda wanted: _blob(commit, wanted.as_posix()), commit)


def _bytes_of(path: Path) -> bytes | None:
    return reading.content(path, LARGEST) if path.is_file() else None


def _of_folder(folder: Path) -> list[Results]:
    if (folder / layout.LOCK).is_file() or (folder / METRICS).is_file():
        return [_of_place(str(folder), lambda wanted: _bytes_of(folder / wanted))]
    found = sorted(folder.glob("*.json")) or sorted(folder.rglob(METRICS.name))
    return _of_files(f"{folder}/*.json", [str(path) for path in found])


def _of_files(pattern: str, paths: Sequence[str]) -> list[Results]:
    if not paths:
        raise UsageError(f"{pattern}: no such file")
    return [found for path in paths for found in _of_file(path, reading.content(Path(path)))]


def _of_path_in_commit(text: str) -> list[Results]:
    rev, _, path = text.partition(":")
    commit = history.commit_of(rev) if path else None
    if commit is None:
        raise UsageError(
            f"{text}: neither a file nor a commit, branch, tag or DVC experiment of this repository; "
            f"{git.how_to_fetch()}; takes {TAKEN}"
        )
    content = _blob(commit, path)
    if content is None:
        raise UsageError(f"{text}: {rev} has no {path}")
    return _of_file(text, content)


def _of_file(name: str, content: bytes) -> list[Results]:
    """A metrics file's figures, or a seeds file's: one of each seed, all of one recipe."""
    if not name.endswith(".csv"):
        return [Results(Side(name, (Trained(name, _figures(name, content)),)))]
    rows = seeds.loads(_text(name, content), name)
    recipes = sorted({row.digest for row in rows})
    if len(recipes) != 1:
        raise UsageError(f"{name}: holds seeds of {len(recipes)} recipes ({', '.join(recipes)}); a group is of one")
    members = tuple(Trained(f"{name}, seed {row.seed}", row.figures) for row in rows)
    return [Results(Side(name, members, recipes[0]), seeds=tuple(rows))]


def _of_run(text: str) -> Results:
    from pipeline.tracking.reading import read_files

    places = {str(path): path for path in (METRICS, SEEDS, MACHINE, layout.LOCK, layout.PARAMS)}
    held = read_files(text.removeprefix(RUN), list(places))
    return _of_place(text, lambda wanted: held.get(str(wanted)))


def _of_place(name: str, read_bytes: Read, commit: str | None = None) -> Results:
    """What a whole checkout of the repository records: a commit's, or a folder's."""
    content = read_bytes(METRICS)
    if content is None:
        raise DataError(f"{name}: has no {METRICS}; `make repro` there makes one")
    figures = _figures(f"{name}, {METRICS}", content)
    recorded = read_bytes(SEEDS)
    rows = seeds.loads(_text(f"{name}, {SEEDS}", recorded), f"{name}, {SEEDS}") if recorded is not None else []
    lock, written = read_bytes(layout.LOCK), read_bytes(layout.PARAMS)
    if lock is None:
        side = Side(name, (Trained(name, figures),))
        unknown = (f"{name} has no {layout.LOCK}: its params and code are unknown",)
        return Results(side, seeds=tuple(rows), notes=unknown, doubts=unknown, place=Place(read_bytes, {}, commit))
    parts = dvc_lock.parts_of(_text(f"{name}, {layout.LOCK}", lock))
    found = Results(
        side=Side(name, (_trained(name, figures, parts),), recipe_digest(parts, figures.pins)),
        params=_params(parts),
        data=_data(parts),
        code=_code(parts),
        machine=_machine(parts, read_bytes),
        seeds=tuple(rows),
        place=Place(read_bytes, parts, commit),
    )
    doubts = (*_stale_metrics(name, content, parts), *_torn_chain(name, parts), *_unnamed(name, parts))
    notes = (*doubts, *_stale_params(name, written, found.params), *_other_record(found))
    return replace(found, notes=notes, doubts=doubts, is_recorded=not doubts)


def _figures(name: str, content: bytes) -> Figures:
    try:
        return Figures.of(reading.json_document(_text(name, content), name), name)
    except OverflowError as error:
        raise FormatError(f"{name}: {error}") from error


def _text(name: str, content: bytes) -> str:
    if len(content) > reading.MOST_TEXT:
        raise FormatError(f"{name}: larger than the {reading.MOST_TEXT:,} bytes that belong in it")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{name}: not UTF-8 text: {error}") from error


def _measuring(parts: Mapping[str, dvc_lock.Part]) -> list[dvc_lock.Part]:
    """The parts of the stages that the figures come from."""
    return [parts[stage] for stage in ("prepare", "train", "evaluate") if stage in parts]


def _params(parts: Mapping[str, dvc_lock.Part]) -> dict[str, Any]:
    """Params as the stages resolved them when they ran, so that recipes of other names line up.

    Where the data was fetched from is no property of it.
    """
    return params_yaml.flat(part.params for part in _measuring(parts))


def _data(parts: Mapping[str, dvc_lock.Part]) -> dict[str, str]:
    made = parts["prepare"].outs if "prepare" in parts else {}
    used = {path for part in _measuring(parts) for path in part.deps}
    return {path: digest for path, digest in made.items() if path in used}


def _code(parts: Mapping[str, dvc_lock.Part]) -> dict[str, str]:
    made = {path for part in parts.values() for path in part.outs}
    deps = {path: digest for part in _measuring(parts) for path, digest in part.deps.items()}
    return {path: digest for path, digest in sorted(deps.items()) if path not in made}


def _machine(parts: Mapping[str, dvc_lock.Part], read_bytes: Read) -> dict[str, str]:
    """What trained, by the file that is recorded for it; empty in a record from before there was one."""
    train = parts.get("train")
    path = train.options.get("machine") if train else None
    content = (read_bytes(path) if path else None) or b""
    recorded = train.outs.get(str(path)) if train else None
    if digests.md5(content) != recorded:
        return {}
    try:
        return machine.facts(json.loads(content))
    except (ValueError, RecursionError):
        return {}


def _trained(name: str, figures: Figures, parts: Mapping[str, dvc_lock.Part]) -> Trained:
    train = parts.get("train")
    weights = train.outs.get(str(train.options.get("generator"))) if train else None
    return Trained(name, figures, weights, _measured_by(parts), _training(parts))


def _measured_by(parts: Mapping[str, dvc_lock.Part]) -> dict[str, str] | None:
    """What evaluate read beside what was trained: code, rulers and data by their digests, params by their values."""
    if not {"train", "evaluate"} <= parts.keys():
        return None
    evaluate, trained = parts["evaluate"], parts["train"].outs
    read = {path: digest for path, digest in evaluate.deps.items() if path not in trained}
    return read | {name: str(value) for name, value in params_yaml.flat([evaluate.params]).items()}


def _training(parts: Mapping[str, dvc_lock.Part]) -> str | None:
    """All that decides the weights to the bit; None where the machine or the libraries are not recorded."""
    train = parts.get("train")
    ran_on = [train.outs.get(str(train.options.get(name))) for name in ("machine", "versions")] if train else [None]
    if train is None or None in ran_on:
        return None
    return json.dumps([params_yaml.flat([train.params]), dict(train.deps), ran_on], sort_keys=True, default=str)


def recipe_digest(parts: Mapping[str, dvc_lock.Part], pins: str) -> str | None:
    """What the group of seeds is known by that a state belongs to; None where no training is recorded."""
    named = parts["train"].params.get(str(layout.PARAMS), {}) if "train" in parts else {}
    knobs = next((value for name, value in named.items() if params_yaml.RECIPE.fullmatch(name)), None)
    if knobs is None:
        return None
    return seeds.recipe_digest(knobs, json.dumps(_data(parts), sort_keys=True), pins)


def _torn_chain(name: str, parts: Mapping[str, dvc_lock.Part]) -> Iterable[str]:
    """What a stage did not read as the others wrote it, as after a run that was cut short."""
    written = {path: digest for part in parts.values() for path, digest in part.outs.items()}
    read = [item for part in _measuring(parts) for item in part.deps.items()]
    others = dict.fromkeys(path for path, digest in read if written.get(path, digest) != digest)
    if missing := sorted({"prepare", "train", "evaluate"} - parts.keys()):
        yield f"{name}: {layout.LOCK} has no {' and no '.join(missing)}, so what the figures came of is unknown"
    elif others:
        yield f"{name}: {', '.join(others)} was written anew since a later stage read it; `dvc repro` catches up"


def _unnamed(name: str, parts: Mapping[str, dvc_lock.Part]) -> Iterable[str]:
    """What the training's command no longer names, so that what it tells of the weights would be overlooked."""
    if not {"train", "evaluate"} <= parts.keys():
        return
    train = parts["train"]
    generator = str(train.options.get("generator"))
    if generator not in train.outs or generator not in parts["evaluate"].deps:
        yield f"{name}: {layout.LOCK} names no generator, so of which weights the figures are is unknown"
    elif unnamed := [path for path in train.outs if Path(path) not in train.options.values()]:
        yield f"{name}: {layout.LOCK}'s command of train names no {', '.join(unnamed)}, which it wrote"


def _stale_metrics(name: str, content: bytes, parts: Mapping[str, dvc_lock.Part]) -> Iterable[str]:
    recorded = parts["evaluate"].outs.get(METRICS.as_posix()) if "evaluate" in parts else None
    if recorded is None:
        yield f"{name}: {layout.LOCK} records no {METRICS}, so whose figures it holds is unknown"
    elif digests.md5(content) != recorded:
        yield f"{name}: {METRICS} is not the one that {layout.LOCK} records; params, data and code may be another run's"


def _other_record(of: Results) -> Iterable[str]:
    """Where the record of seeds has another FID for the very seed."""
    (member,), seed = of.side.members, of.params.get("train.seed")
    fid = member.figures.leaves.get(PRIMARY, math.nan)
    for row in of.seeds:
        if (row.digest, row.seed) == (of.side.recipe, seed) and row.figures.leaves[PRIMARY] != fid:
            told = f"FID {row.figures.leaves[PRIMARY]:.4g}, not {fid:.4g}"
            yield f"{of.side.name}: {SEEDS} has {told}, for seed {seed}: the spread is another run's, or was edited"


def _stale_params(name: str, written: bytes | None, ran: Mapping[str, Any]) -> Iterable[str]:
    """What params.yaml says otherwise than the run whose figures these are."""
    if written is None:
        return
    document = reading.yaml_document(_text(f"{name}, {layout.PARAMS}", written), f"{name}, {layout.PARAMS}")
    try:
        recipe = document["recipes"][document["train"]["recipe"]]
    except (KeyError, TypeError):
        yield f"{name}: {layout.PARAMS} names no recipe; the figures are of the run that {layout.LOCK} records"
        return
    now = dict(params_yaml.flatten({**document, "recipe": recipe}, ""))
    changed = [key for key, value in ran.items() if key in now and now[key] != value]
    if changed:
        shown = ", ".join(f"{key} {now[key]} (ran with {ran[key]})" for key in changed)
        yield f"{name}: {layout.PARAMS} has changed since the run: {shown}; the figures are of the run"


def _group(name: str, found: Sequence[Results]) -> Results:
    """Several results as one side: the first one's causes, with what varies among them written out."""
    if len(found) == 1:
        return replace(found[0], side=replace(found[0].side, name=name))
    recipes = {one.side.recipe for one in found}
    varying = _varying(found)
    knobs = [key for key in varying if key.startswith("recipe.")]
    notes = [note for one in found for note in one.notes]
    if knobs:
        notes.append(f"{name}: its members differ in {', '.join(knobs)}, not in the seed alone")
    return Results(
        side=Side(
            name, tuple(m for one in found for m in one.side.members), recipes.pop() if len(recipes) == 1 else None
        ),
        params={**found[0].params, **varying},
        data=found[0].data,
        code=found[0].code,
        machine=_machines(found),
        seeds=tuple(row for one in found for row in one.seeds),
        notes=tuple(notes),
        doubts=tuple(doubt for one in found for doubt in one.doubts),
    )


def _machines(found: Sequence[Results]) -> dict[str, str]:
    """The processors of a group and what they trained at; without what is not known of a member."""
    names = [name for name in machine.FACTS if all(name in one.machine for one in found)]
    return {name: ", ".join(dict.fromkeys(one.machine[name] for one in found)) for name in names}


def _varying(found: Sequence[Results]) -> dict[str, str]:
    """Each param in which members of a group differ, with all of its values."""
    recorded = [one.params for one in found if one.recorded]
    names = dict.fromkeys(name for params in recorded for name in params)
    values = {name: list(dict.fromkeys(str(params.get(name)) for params in recorded)) for name in names}
    return {name: ", ".join(distinct) for name, distinct in values.items() if len(distinct) > 1}


def _blob(commit: str, path: str) -> bytes | None:
    return git.blob(commit, Path(path))
