"""Reads dvc.yaml, its references to params resolved, and the params files, whole, unchecked, as DVC does."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.errors import FormatError, UsageError
from pipeline.dvcfiles import digests
from pipeline.dvcfiles.dvc_lock import Part, options_of
from pipeline.dvcfiles.layout import PARAMS, PIPELINE

SOURCES = "prepare.sources"  # the params that say where the data is fetched from, which is no property of it
_RECIPES = re.compile(r"recipes/([^/]+)\.yaml")  # the file of a family's recipes
_DATASET = re.compile(r"datasets/([^/]+)/dataset\.yaml")
_OF_DATASET = ("missing_class",)
"""The keys of a data set's file that are no property of its images, and so are params of a state, as ``data.KEY``."""
_NAME, _FORMER_NAME = re.compile(r"^[^.]+"), re.compile(r"^recipes\.[^.]+")
"""What begins the names of a recipe's knobs, as dvc.yaml names them there; and as params.yaml had them."""

_REFERENCE = re.compile(r"\$\{([^}]+)\}")

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Declared:
    """A stage as dvc.yaml and the params files declare it, whether or not its files are there."""

    command: str
    params: Mapping[str, Any]  # as :attr:`Part.params`
    deps: Sequence[str]
    outs: Sequence[str]
    in_git: Sequence[str]  # those outs that git keeps, and DVC's cache does not


def declared(workspace: Path = Path()) -> dict[str, Declared]:
    """Reads every stage as dvc.yaml and the params files declare it, by its name."""
    read = cache(partial(read_params, workspace))
    return {name: _declared(entry, read) for name, entry in _stages(workspace).items()}


def options(stage: str, workspace: Path = Path()) -> dict[str, Path]:
    """Finds the paths on dvc.yaml's command line of a stage, by option. Raises KeyError where it has no such stage."""
    return options_of(_resolve(_stages(workspace)[stage]["cmd"], read_params(workspace)), str(PIPELINE))


def outs(workspace: Path = Path()) -> list[str]:
    """Lists the paths of every stage's outs, metrics and plots."""
    return [path for entry in _stages(workspace).values() for path in _outs(entry)]


def part_of(
    stage: str,
    workspace: Path = Path(),
    known: Mapping[str, str] | None = None,
    params: Mapping[Path, Any] | None = None,
) -> Part:
    """Works out a stage's part as the next run would record it, but for the deps that training makes.

    Those may be still to come, and the train key stands for them. ``known``: MD5 by path of deps that are not to be
    opened. ``params``: those that an experiment would run with, by file, instead of the workspace's; of other files
    the workspace's count. Raises DataError when another dep is missing.
    """
    known, given = known or {}, params or {}
    stages = _stages(workspace)
    found = _declared(stages[stage], lambda file: given[file] if file in given else read_params(workspace, file))
    deps = [path for path in found.deps if path not in _outs(stages["train"])]
    return Part(
        params=found.params,
        deps={path: known.get(path) or digests.md5_of(workspace / path, workspace) for path in deps},
        outs=dict.fromkeys(found.outs, ""),
        options=options_of(found.command, str(PIPELINE)),
        command=found.command,
    )


def _declared(entry: Mapping[str, Any], read: Callable[[Path], Any]) -> Declared:
    params = read(PARAMS)
    named: dict[str, dict[str, Any]] = {}
    for listed in entry.get("params", []):
        # a key of params.yaml, or another file with a list of keys
        file, keys = (str(PARAMS), [listed]) if isinstance(listed, str) else next(iter(listed.items()))
        file = _resolve(file, params)
        values = read(Path(file))
        for key in (_resolve(key, params) for key in keys):
            named.setdefault(file, {})[key] = _look_up(key, values, file)
    return Declared(
        command=_resolve(entry["cmd"], params),
        params=named,
        deps=[_resolve(path, params) for path in entry.get("deps", [])],
        outs=_outs(entry),
        in_git=[path for path, flags in _listed(entry) if flags.get("cache") is False],
    )


def _stages(workspace: Path) -> Mapping[str, Any]:
    document = read_params(workspace, PIPELINE)
    if not isinstance(document, Mapping) or not isinstance(document.get("stages"), Mapping):
        raise FormatError(f"{PIPELINE}: has no stages; restore it with git")
    stages: Mapping[str, Any] = document["stages"]
    return stages


def _outs(entry: Mapping[str, Any]) -> list[str]:
    return [path for path, _ in _listed(entry)]


def _listed(entry: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Lists a stage's outs, metrics and plots, each with its flags."""
    listed = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, [])]
    return [(out, {}) if isinstance(out, str) else next(iter(out.items())) for out in listed]


def _resolve(text: str, params: Mapping[str, Any]) -> str:
    return _REFERENCE.sub(lambda found: str(_look_up(found[1].strip(), params)), text)


def _look_up(name: str, params: Any, file: str = str(PARAMS)) -> Any:
    for key in name.split("."):
        if not isinstance(params, Mapping) or key not in params:
            raise UsageError(f"{PIPELINE} asks for {name}, which {file} lacks")
        params = params[key]
    return params


def read_params(workspace: Path = Path(), name: Path = PARAMS) -> Any:
    """Reads params.yaml, or another file of a workspace's root. Raises UsageError when there is none."""
    try:
        return reading.yaml_document(reading.text(workspace / name), str(name))
    except FileNotFoundError as error:
        raise UsageError(f"{workspace / name}: no such file; run from the repository's root") from error


def flat_params(parts: Iterable[Mapping[str, Any]]) -> dict[str, Scalar]:
    """Flattens the params of parts by dotted names; the recipe's become ``recipe.<knob>``, so that recipes line up.

    Where prepare got its data from is no property of the data, so its sources are left out; so are a data set's facts
    that its images tell, whose digest stands for them.
    """
    named = (
        (_flat_name(file, name), value)
        for params in parts
        for file, section in params.items()
        for name, value in section.items()
        if not _DATASET.fullmatch(file) or name in _OF_DATASET
    )
    leaves = (leaf for name, value in named for leaf in reading.flatten(value, name))
    return {name: value for name, value in leaves if not name.startswith(SOURCES)}


def _flat_name(file: str, name: str) -> str:
    if _DATASET.fullmatch(file):
        return f"data.{name}"
    return (_NAME if _RECIPES.fullmatch(file) else _FORMER_NAME).sub("recipe", name)
