"""Which state of the pipeline this is: its parts as DVC records them, and the keys that name it.

A stage's part is what decides its outs: its resolved params and the digests of its deps, as dvc.lock writes them.
The same part can be read from a dvc.lock (this workspace's or another commit's) or worked out from the workspace
while a stage runs and its lock is still to come; both give the same keys.
"""

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from mnistgan.errors import DataError, FormatError, UsageError
from pipeline.dvcfiles import cache
from pipeline.runtime import LIBRARIES, installed_versions

LOCK = Path("dvc.lock")
SEEDS = Path("metrics/seeds.csv")
PIPELINE = Path("dvc.yaml")
PARAMS = Path("params.yaml")
VERSIONS = Path("models/versions.json")
IGNORED = Path(".dvcignore")
SOURCES = "prepare.sources"
"""The params that say where the data is fetched from, which is no property of it."""
SHORT = 12
SCHEMA = "2.0"
_RESTORE = "`git restore` it, or delete it and `make repro`"
_MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
_RECIPE = re.compile(r"^recipes\.[^.]+")
_REFERENCE = re.compile(r"\$\{([^}]+)\}")

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Part:
    """What decides a stage's outs, and where they lie."""

    params: Mapping[str, Any]
    """By params file, then by the key that dvc.yaml names, resolved."""
    deps: Mapping[str, str]
    """MD5 by path, as DVC writes it."""
    outs: Mapping[str, str]
    """MD5 by path; empty where the stage has not ended yet."""
    options: Mapping[str, Path]
    """The paths on the stage's command line, by option: ``{"curves": Path("metrics/training.csv"), ...}``."""
    command: str = ""
    """That command line."""

    def changed_outs(self, workspace: Path = Path()) -> list[str]:
        """The outs that are missing in ``workspace`` or hold other bytes than the record says."""
        return [path for path, digest in self.outs.items() if _digest_if_there(workspace / path, workspace) != digest]


@dataclass(frozen=True)
class Declared:
    """What dvc.yaml and params.yaml say of a stage, whatever is there."""

    command: str
    params: Mapping[str, Any]
    """As :attr:`Part.params`."""
    deps: Sequence[str]
    outs: Sequence[str]
    in_git: Sequence[str]
    """Those outs that git keeps, and DVC's cache does not."""


@dataclass(frozen=True)
class State:
    """One state of the pipeline, and the keys that name it (hex sha256).

    ``train_key`` names what training makes: its params, data, code, and the libraries it ran on. ``run_key`` adds how
    the result is measured; one MLflow run shows one run key. How results are drawn is in neither.
    """

    params: Mapping[str, Scalar]
    train_key: str
    run_key: str
    data_digest: str

    @classmethod
    def of(cls, parts: Mapping[str, Part], versions: Mapping[str, str]) -> Self:
        """The state that the parts of prepare (may be missing), train and evaluate make."""
        train, evaluate = parts["train"], parts["evaluate"]
        key = train_key(train, versions)
        measuring = {path: digest for path, digest in evaluate.deps.items() if path not in train.outs}
        deps = {**train.deps, **evaluate.deps}
        prepared = parts["prepare"].outs if "prepare" in parts else {}
        return cls(
            params=_flat_params(parts[stage].params for stage in ("prepare", "train", "evaluate") if stage in parts),
            train_key=key,
            run_key=_sha256({"train": key, "params": evaluate.params, "deps": measuring}),
            data_digest=_sha256({path: digest for path, digest in deps.items() if path in prepared}),
        )

    @property
    def short(self) -> str:
        """The run key as people see it."""
        return self.run_key[:SHORT]


def train_key(part: Part, versions: Mapping[str, str]) -> str:
    """The key of what a train stage makes on these library versions."""
    used = {library: versions[library] for library in LIBRARIES}
    return _sha256({"params": part.params, "deps": part.deps, "versions": used})


def train_key_of_workspace(workspace: Path = Path()) -> str:
    """The key of what ``dvc repro train`` would make of the workspace as it is now, on the libraries installed now.

    It names the checkpoints' folder. Raises DataError when one of train's deps is missing.
    """
    return train_key(part_of_workspace("train", workspace), installed_versions())


def state_of_trained(workspace: Path = Path()) -> State:
    """The state of the weights that dvc.lock records, measured as the workspace measures now.

    For a stage after training, which runs before dvc.lock has its entry. Raises UsageError when dvc.lock records no
    training, DataError when the workspace's outs of it are not those recorded.
    """
    recorded = parts_of_lock(read_lock(workspace))
    if "train" not in recorded:
        raise UsageError(f"{LOCK} records no training; run `dvc repro train` first")
    if changed := recorded["train"].changed_outs(workspace):
        raise DataError(f"{', '.join(changed)}: not what {LOCK} records; run `dvc repro` or `dvc checkout`")
    evaluate = part_of_workspace("evaluate", workspace)
    parts = {**recorded, "evaluate": evaluate}
    return State.of(parts, recorded_versions(recorded["train"], workspace))


def state_of_lock(text: str, workspace: Path = Path()) -> State:
    """The state that a dvc.lock records: this workspace's, or another commit's.

    Raises UsageError when it lacks train or evaluate, DataError when the library versions it was trained with are
    neither in the workspace nor in DVC's cache.
    """
    parts = parts_of_lock(text)
    for stage in ("train", "evaluate"):
        if stage not in parts:
            raise UsageError(f"{LOCK} has no entry for {stage}; run `dvc repro` first")
    return State.of(parts, recorded_versions(parts["train"], workspace))


def read_lock(workspace: Path = Path()) -> str:
    """The text of dvc.lock. Raises UsageError when there is none, FormatError when it is no text."""
    from mnistgan import reading

    try:
        return reading.text(workspace / LOCK)
    except FileNotFoundError as error:
        raise UsageError(f"{workspace / LOCK}: no such file; run `dvc repro` first") from error
    except FormatError as error:
        raise FormatError(f"{error}; `python -m pipeline repair` puts it back") from error


def parts_of_lock(text: str) -> dict[str, Part]:
    """Every stage's part, by its name. Raises FormatError, which names stage and key, where DVC wrote no such lock."""
    document = parse_yaml(text, str(LOCK))
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise FormatError(f"{LOCK}: should begin with schema: '{SCHEMA}', as DVC writes it; {_RESTORE}")
    return {str(name): _recorded_part(name, entry) for name, entry in _mapping(document, "stages", str(LOCK)).items()}


def part_of_workspace(
    stage: str,
    workspace: Path = Path(),
    known: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
) -> Part:
    """A stage's part as the next run would record it, but for the deps that training makes.

    Those may be still to come, and the train key stands for them. ``known``: MD5 by path of deps that are not to be
    opened. ``params``: those that an experiment would run with, instead of params.yaml's. Raises DataError when another
    dep is missing.
    """
    known = known or {}
    params, stages = _params(workspace) if params is None else params, _stages(workspace)
    entry, trained = stages[stage], _out_paths(stages["train"])
    named = _named_params(entry, params)
    deps = [path for path in (_resolve(path, params) for path in entry.get("deps", [])) if path not in trained]
    return Part(
        params={str(PARAMS): named} if named else {},
        deps={path: known.get(path) or digest(workspace / path, workspace) for path in deps},
        outs=dict.fromkeys(_out_paths(entry), ""),
        options=_options(entry["cmd"]),
        command=entry["cmd"],
    )


def declared(workspace: Path = Path()) -> dict[str, Declared]:
    """Every stage as dvc.yaml and params.yaml declare it, by its name."""
    params = _params(workspace)
    found = {}
    for name, entry in _stages(workspace).items():
        named = _named_params(entry, params)
        found[name] = Declared(
            command=entry["cmd"],
            params={str(PARAMS): named} if named else {},
            deps=[_resolve(path, params) for path in entry.get("deps", [])],
            outs=_out_paths(entry),
            in_git=_outs_in_git(entry),
        )
    return found


def params_of_workspace(workspace: Path = Path()) -> dict[str, Scalar]:
    """What :attr:`State.params` would be for the workspace's params.yaml."""
    params, stages = _params(workspace), _stages(workspace)
    sections = [{str(PARAMS): _named_params(stages[stage], params)} for stage in ("prepare", "train", "evaluate")]
    return _flat_params(sections)


def options_of_workspace(stage: str, workspace: Path = Path()) -> dict[str, Path]:
    """The paths on the command line that dvc.yaml has for a stage, by option."""
    return _options(_stages(workspace)[stage]["cmd"])


def outs_of_workspace(workspace: Path = Path()) -> list[str]:
    """The paths of every stage's outs, metrics and plots."""
    return [path for entry in _stages(workspace).values() for path in _out_paths(entry)]


def recorded_versions(train: Part, workspace: Path) -> dict[str, str]:
    """The library versions that a recorded training wrote, from the workspace or else from DVC's cache.

    Raises DataError when neither has them.
    """
    path = train.options.get("versions", VERSIONS).as_posix()
    recorded = train.outs.get(path, "")
    for place in (workspace / path, cache.place(main_root(), recorded)):
        if recorded and _digest_if_there(place, workspace) == recorded:
            return versions_of(place.read_bytes(), path)
    raise DataError(f"{path}: not the one that {LOCK} records, nor in DVC's cache; run `dvc checkout` or `dvc pull`")


def versions_of(content: bytes, path: str) -> dict[str, str]:
    """The library versions that a training wrote to ``path``. Raises FormatError where it holds none."""
    try:
        versions = json.loads(content)
        return {library: str(versions[library]) for library in LIBRARIES}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"{path}: names no version of {', '.join(LIBRARIES)}; run `dvc repro train`") from error


def main_root(start: Path | None = None) -> Path:
    """The main repository's root, absolute.

    DVC hands it to a stage as DVC_ROOT; for an experiment that runs in a folder of its own it is the parent's root,
    the only place that outlives the experiment. Else the nearest folder upwards with a ``.dvc``, else ``start``.
    """
    if given := os.environ.get("DVC_ROOT"):
        return Path(given).resolve()
    here = (start or Path()).resolve()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


def check_at_root() -> None:
    """Raises UsageError where this is a folder below the root of a repository of DVC's, and none itself."""
    here, root = Path().resolve(), main_root()
    if "DVC_ROOT" not in os.environ and root != here and (root / PIPELINE).is_file() and not PIPELINE.is_file():
        raise UsageError(f"run it from the repository's root: `cd {shlex.quote(str(root))}`")


def digest(path: Path, workspace: Path = Path()) -> str:
    """MD5 of a file or folder exactly as DVC records it. Raises DataError when there is none.

    A folder's is that of the JSON list of its files' digests, sorted by path; names in .dvcignore are left out.
    """
    if path.is_file():
        with path.open("rb") as file:
            return str(hashlib.file_digest(file, _md5).hexdigest())
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder; run `dvc repro`")
    files = _files(path, _ignored_names(workspace))
    listing = [{"md5": digest(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    listing.sort(key=itemgetter("relpath"))
    return f"{_md5(json.dumps(listing, sort_keys=True).encode()).hexdigest()}.dir"


def _md5(content: bytes = b"") -> Any:
    return hashlib.md5(content, usedforsecurity=False)


def _digest_if_there(path: Path, workspace: Path) -> str | None:
    return digest(path, workspace) if path.exists() else None


def _files(folder: Path, ignored: Iterable[str]) -> Iterator[Path]:
    for entry in folder.iterdir():
        if any(fnmatch(entry.name, pattern) for pattern in ignored):
            continue
        if entry.is_dir():
            yield from _files(entry, ignored)
        else:
            yield entry


def _ignored_names(workspace: Path) -> list[str]:
    """The patterns of .dvcignore, which this project keeps to plain names."""
    from mnistgan import reading

    try:
        lines = reading.text(workspace / IGNORED).splitlines()
    except FileNotFoundError:
        return []
    return [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]


def prepared(workspace: Path = Path()) -> dict[str, Part]:
    """The recorded part of prepare, if dvc.lock has one; its outs say which deps are data."""
    if (workspace / LOCK).exists():
        recorded = parts_of_lock(read_lock(workspace))
        if "prepare" in recorded:
            return {"prepare": recorded["prepare"]}
    return {}


class _Recorded(dict[str, Path]):
    """The options of a recorded command, where one that is asked for must be."""

    def __init__(self, options: Mapping[str, Path], where: str) -> None:
        super().__init__(options)
        self._where = where

    def __missing__(self, option: str) -> Path:
        raise FormatError(f"{self._where}: has no --{option} in its cmd; {_RESTORE}")


def _recorded_part(stage: Any, entry: Any) -> Part:
    where = f"{LOCK}, {stage}"
    if not isinstance(entry, Mapping) or not isinstance(entry.get("cmd"), str):
        raise FormatError(f"{where}: has no cmd; {_RESTORE}")
    params, command = _mapping(entry, "params", where, optional=True), entry["cmd"]
    part = Part(
        params={file: _mapping(params, file, f"{where}, params") for file in params},
        deps=_digests(entry, "deps", where),
        outs=_digests(entry, "outs", where),
        options=_Recorded(_options(command, where), where),
        command=command,
    )
    # A lock that was cut between two lines is YAML all the same, and lacks what its own command names.
    # A place elsewhere, such as a cache, is neither.
    named = [*part.deps, *part.outs]
    inside = [path for path in part.options.values() if "/" in path.as_posix() and not path.is_absolute()]
    lacking = [path.as_posix() for path in inside if not any(path.is_relative_to(name) for name in named)]
    if lacking:
        raise FormatError(f"{where}: names {', '.join(lacking)} in its cmd, and in neither deps nor outs; {_RESTORE}")
    return part


def _mapping(entry: Mapping[str, Any], key: str, where: str, optional: bool = False) -> Mapping[str, Any]:
    found: Any = entry.get(key, {} if optional else None)
    if not isinstance(found, Mapping):
        raise FormatError(f"{where}: has no {key}, or what is no mapping there; {_RESTORE}")
    return found


def _digests(entry: Mapping[str, Any], kind: str, where: str) -> dict[str, str]:
    """The MD5 of each of a stage's deps or outs, by path."""
    listed, found = entry.get(kind, []), dict[str, str]()
    if not isinstance(listed, list):
        raise FormatError(f"{where}: has {kind} that are no list; {_RESTORE}")
    for one in listed:
        path, md5 = (one.get(key) for key in ("path", "md5")) if isinstance(one, Mapping) else (None, None)
        if not isinstance(path, str) or path in found:
            raise FormatError(f"{where}: {kind}: got {one!r:.80}; takes each path once, with its MD5; {_RESTORE}")
        size = one.get("size", 0)
        if not isinstance(md5, str) or not _MD5.fullmatch(md5) or type(size) is not int or size < 0:
            raise FormatError(f"{where}: {kind}: {path}: got md5 {md5!r:.80}, size {size!r:.80}; {_RESTORE}")
        found[path] = md5
    return found


def _stages(workspace: Path) -> Mapping[str, Any]:
    document = _document(PIPELINE, workspace)
    if not isinstance(document, Mapping) or not isinstance(document.get("stages"), Mapping):
        raise FormatError(f"{PIPELINE}: has no stages; restore it with git")
    stages: Mapping[str, Any] = document["stages"]
    return stages


def _params(workspace: Path) -> Mapping[str, Any]:
    params: Mapping[str, Any] = _document(PARAMS, workspace)
    return params


def _document(name: Path, workspace: Path) -> Any:
    from mnistgan import reading

    try:
        return parse_yaml(reading.text(workspace / name), str(name))
    except FileNotFoundError as error:
        raise UsageError(f"{workspace / name}: no such file; run from the repository's root") from error


def _named_params(entry: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The params that a stage's entry in dvc.yaml names, with their values."""
    return {name: _look_up(name, params) for name in (_resolve(name, params) for name in entry.get("params", []))}


def _out_paths(entry: Mapping[str, Any]) -> list[str]:
    listed = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, [])]
    return [out if isinstance(out, str) else next(iter(out)) for out in listed]


def _outs_in_git(entry: Mapping[str, Any]) -> list[str]:
    flagged = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, []) if not isinstance(out, str)]
    return [path for out in flagged for path, flags in out.items() if flags.get("cache") is False]


def _options(command: str, where: str = str(PIPELINE)) -> dict[str, Path]:
    try:
        return options_in(shlex.split(command))
    except ValueError as error:
        raise FormatError(f"{where}: the command {command!r:.80} is none: {error}; {_RESTORE}") from error


def options_in(words: Iterable[str]) -> dict[str, Path]:
    """The words of a command that follow an option, by the option's name."""
    pairs = pairwise(words)
    return {name.removeprefix("--"): Path(value) for name, value in pairs if name.startswith("--")}


def _resolve(text: str, params: Mapping[str, Any]) -> str:
    return _REFERENCE.sub(lambda found: str(_look_up(found[1].strip(), params)), text)


def _look_up(name: str, params: Any) -> Any:
    for key in name.split("."):
        if not isinstance(params, Mapping) or key not in params:
            raise UsageError(f"{PIPELINE} asks for {name}, which {PARAMS} lacks")
        params = params[key]
    return params


def _flat_params(files: Iterable[Mapping[str, Any]]) -> dict[str, Scalar]:
    """Every param in parts' ``params``, flat; the recipe's as ``recipe.<knob>``, so that recipes line up.

    Where prepare got its data from is no property of the data, so its sources are left out.
    """
    sections = [section for params in files for section in params.values()]
    flat: dict[str, Scalar] = {}
    for name, value in (item for section in sections for item in section.items()):
        flat.update(flatten(value, _RECIPE.sub("recipe", name)))
    return {name: value for name, value in flat.items() if not name.startswith(SOURCES)}


def flatten(value: Any, name: str) -> Iterator[tuple[str, Scalar]]:
    """Leaves of nested mappings and lists, named by their dotted path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from flatten(inner, f"{name}.{index}")
    else:
        yield name, value


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def parse_yaml(text: str, name: str) -> Any:
    """What a YAML 1.2 text holds; ``name`` stands in messages. Raises FormatError where it is none."""
    from mnistgan.reading import yaml_document

    return yaml_document(text, name, FormatError)
