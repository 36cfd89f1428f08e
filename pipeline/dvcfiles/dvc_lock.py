"""Reads dvc.lock: what each stage was made of and what it made, as DVC recorded it.

A stage's part is what decides its outs: its resolved params and the digests of its deps. It is read here from a
dvc.lock (this workspace's or another commit's); ``dvc_yaml.part_of`` works the same part out from the workspace.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import indent
from typing import Any

from mnistgan import reading
from mnistgan.errors import FormatError, UsageError
from pipeline.dvcfiles import digests
from pipeline.dvcfiles.layout import LOCK

SCHEMA = "2.0"
_RESTORE = "`git restore` it, or delete it and `make repro`"
_MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")


@dataclass(frozen=True)
class Part:
    """What decides a stage's outs (params, deps), and the outs."""

    params: Mapping[str, Any]  # by params file, then by the key that dvc.yaml names, resolved
    deps: Mapping[str, str]  # MD5 by path, as DVC writes it
    outs: Mapping[str, str]  # MD5 by path; empty where the stage has not ended yet
    options: Mapping[str, Path]
    """The paths on the stage's command line, by option: ``{"curves": Path("metrics/training.csv"), ...}``."""
    command: str = ""  # that command line

    @property
    def rulers(self) -> Path | None:
        """The folder of rulers that the stage measures by; None where it has none."""
        named = next((Path(dep) for dep in self.deps if dep.split("/")[0] == "pretrained"), None)
        return self.options.get("rulers", named)

    def changed_outs(self, workspace: Path = Path()) -> list[str]:
        """Lists the outs that are missing in ``workspace`` or hold other bytes than the record says."""
        return [path for path, md5 in self.outs.items() if digests.md5_if_there(workspace / path, workspace) != md5]


def read(workspace: Path = Path()) -> str:
    """Reads the text of dvc.lock. Raises UsageError when there is none, FormatError when it is no text."""
    try:
        return reading.text(workspace / LOCK)
    except FileNotFoundError as error:
        raise UsageError(f"{workspace / LOCK}: no such file; run `dvc repro` first") from error
    except FormatError as error:
        raise FormatError(f"{error}; `python -m pipeline check --repair` puts it back") from error


def parts_of(text: str) -> dict[str, Part]:
    """Parses every stage's part, by name. Raises FormatError, naming stage and key, where DVC wrote no such lock."""
    document = reading.yaml_document(text, str(LOCK))
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise FormatError(f"{LOCK}: should begin with schema: '{SCHEMA}', as DVC writes it; {_RESTORE}")
    return {str(name): _part(name, entry) for name, entry in _mapping(document, "stages", str(LOCK)).items()}


def parts_of_runs(runs: Iterable[str]) -> Iterator[Part]:
    """Parses texts of DVC's run cache, each a stage alone; those that are none are left out."""
    for text in runs:
        with suppress(FormatError):
            yield from parts_of(f"schema: '{SCHEMA}'\nstages:\n  cached:\n{indent(text, '    ')}").values()


def prepared(workspace: Path = Path()) -> dict[str, Part]:
    """Finds the recorded part of prepare, if dvc.lock has one; its outs say which deps are data."""
    recorded = parts_of(read(workspace)) if (workspace / LOCK).exists() else {}
    return {"prepare": recorded["prepare"]} if "prepare" in recorded else {}


def options_of(command: str, where: str) -> dict[str, Path]:
    """Finds the paths on a command line, by option. Raises FormatError, beginning with ``where``, where it is none."""
    try:
        return options_in(shlex.split(command))
    except ValueError as error:
        raise FormatError(f"{where}: the command {command!r:.80} is none: {error}; {_RESTORE}") from error


def options_in(words: Iterable[str]) -> dict[str, Path]:
    """Finds the words of a command that follow an option, by the option's name."""
    return {name.removeprefix("--"): Path(value) for name, value in pairwise(words) if name.startswith("--")}


class _Options(dict[str, Path]):
    """The options of a recorded command; an error names one that is asked for and missing."""

    def __init__(self, options: Mapping[str, Path], where: str) -> None:
        super().__init__(options)
        self._where = where

    def __missing__(self, option: str) -> Path:
        raise FormatError(f"{self._where}: has no --{option} in its cmd; {_RESTORE}")


def _part(stage: Any, entry: Any) -> Part:
    where = f"{LOCK}, {stage}"
    if not isinstance(entry, Mapping) or not isinstance(entry.get("cmd"), str):
        raise FormatError(f"{where}: has no cmd; {_RESTORE}")
    params, command = _mapping(entry, "params", where, optional=True), entry["cmd"]
    part = Part(
        params={file: _mapping(params, file, f"{where}, params") for file in params},
        deps=_digests(entry, "deps", where),
        outs=_digests(entry, "outs", where),
        options=_Options(options_of(command, where), where),
        command=command,
    )
    # A lock that was cut between two lines is YAML all the same, and lacks what its own command names.
    # A place elsewhere, such as a cache, is neither.
    named = [*part.deps, *part.outs]
    inside = [path for path in part.options.values() if "/" in path.as_posix() and not path.is_absolute()]
    lacking = [path.as_posix() for path in inside if not any(_is_one(path, Path(name)) for name in named)]
    if lacking:
        raise FormatError(f"{where}: names {', '.join(lacking)} in its cmd, and in neither deps nor outs; {_RESTORE}")
    return part


def _is_one(path: Path, name: Path) -> bool:
    """Whether a path on a command line is what a dep or out names, or a part of it, or a folder of it."""
    return path.is_relative_to(name) or name.is_relative_to(path)


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
