"""Finds, locks, pushes and pulls the folder of a training's checkpoints, named by its key, outside DVC's outs."""

import fnmatch
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnistgan.errors import MnistganError, UsageError
from pipeline import console, runtime
from pipeline.dvcfiles import layout
from pipeline.dvcfiles.remote_folder import RemoteFolder
from pipeline.runs import keys

FOLDER = "checkpoints"
STEPS = "step_*.npz"
KNOWN_BY = "params.json"
RECIPE = "train.recipe"
KEPT_TRAININGS = 2  # folders: the state at work, and the one before it

Params = Mapping[str, Any]


def root() -> Path:
    """Folder that holds every training's folder."""
    return layout.main_root() / FOLDER


def place(other: str | None = None) -> Path:
    """Path of the folder of the workspace's training state, which need not be there; ``other``: see folder_of."""
    name = keys.train_key_of_workspace()[: keys.SHORT]
    if other:
        name += f"-{other[: keys.SHORT]}"
    if settings := runtime.settings():
        name += f"-{hashlib.sha256(' '.join(settings).encode()).hexdigest()[: keys.SHORT]}"
    return root() / name


@contextmanager
def folder_of(other: str | None, params: Params | None = None) -> Iterator[Path]:
    """Yields the folder of the workspace's training state, locked for the block.

    ``other`` is the digest of what goes in where that is not what dvc.yaml declares; it is in the name then, too, as is
    one of runtime.settings(), so that a training goes on by the arithmetic that it began by. The folders of older
    states are removed, unless something trains in them. ``params``, by name, are kept in it, by which the next state
    can be told from this one. Raises UsageError while another process trains this state.
    """
    from filelock import FileLock, Timeout

    from mnistgan.files import write_json

    folder = place(other)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(_beside(folder, "lock"), timeout=0), _named(_beside(folder, "pid")):
            _remove_older(folder)
            if params:
                _say_why_afresh(folder, params)
                write_json(folder / KNOWN_BY, params)
            yield folder
    except Timeout as error:
        raise UsageError(_refusal(folder)) from error


def push() -> str:
    """Copies the newest checkpoint of the workspace's training, and its grids, to DVC's remote; says which.

    While a process trains it, too: files are whole or not there. Raises UsageError where there is none, or no remote;
    DataError where the remote can't be reached.
    """
    folder = place()
    steps = sorted(path.name for path in folder.glob(STEPS))
    if not steps:
        raise UsageError(f"{folder}: no checkpoint of this state, so there is nothing to push")
    remote = RemoteFolder(FOLDER, folder.name)
    there = remote.names()
    others = [path.name for path in folder.iterdir() if path.is_file() and path.name not in steps]
    for name in (*sorted(others), steps[-1]):  # last what the others go with
        if name not in there and not name.startswith("."):
            remote.put(folder / name)
    for name in fnmatch.filter(there, STEPS):
        if name < steps[-1]:
            remote.remove(name)
    return f"{steps[-1]} of {folder.name} is in DVC's remote"


def pull() -> str:
    """Brings the newest checkpoint of the workspace's training from DVC's remote, unless it got further here.

    Raises UsageError where there is none, no remote, or a process trains it; DataError where the remote can't be
    reached.
    """
    remote = RemoteFolder(FOLDER, place().name)
    there = remote.names()
    if not fnmatch.filter(there, STEPS):
        raise UsageError(f"DVC's remote has no checkpoint of this state ({place().name}); push where it was trained")
    newest = max(fnmatch.filter(there, STEPS))
    with folder_of(None) as folder:
        if any(path.name >= newest for path in folder.glob(STEPS)):
            return f"{folder} got as far as DVC's remote, or further"
        for name in sorted(there, key=lambda name: (name == newest, name)):
            if not (folder / name).exists() and (name == newest or not fnmatch.fnmatch(name, STEPS)):
                remote.get(name, folder / name)
    return f"{newest} is in {folder}; `dvc repro` goes on from it"


def _say_why_afresh(folder: Path, params: Params) -> None:
    """Says why a training starts anew where another of this recipe has checkpoints."""
    if any(folder.glob(STEPS)):
        return
    for other in sorted(folder.parent.iterdir(), key=_modified, reverse=True):
        known = _params_of(other)
        if known.get(RECIPE) == params[RECIPE] and any(other.glob(STEPS)):
            differ = [
                f"{name} {known.get(name)} -> {value}" for name, value in params.items() if known.get(name) != value
            ]
            console.say(
                f"starts at step 0: the checkpoints in {other} are of another state of this recipe "
                f"({', '.join(differ) or 'other data, code, libraries or settings'}), and its schedule and draws "
                "differ from the first step on"
            )
            return


def _params_of(folder: Path) -> Params:
    """Reads the params kept in a training's folder; nothing where they are not there, or torn."""
    from mnistgan.files import read_json

    try:
        found = read_json(folder / KNOWN_BY)
    except (MnistganError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _named(holder: Path) -> Iterator[None]:
    """Writes the lock holder's name beside the lock; a kill leaves the name, but not the lock."""
    holder.write_text(f"{os.getpid()}\n", "utf-8")
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)


def _refusal(folder: Path) -> str:
    state, wait = "another process is training this very state", f"({_beside(folder, 'lock')}); wait for it"
    try:
        pid = int(_beside(folder, "pid").read_text("utf-8"))
    except (OSError, ValueError):  # it is about to name itself, or an earlier version holds the lock
        return f"{state} {wait}"
    return f"{state}: pid {pid} {wait}, or end it by `kill {pid}`, and it saves first"


def _remove_older(own: Path) -> None:
    from filelock import FileLock, Timeout

    others = sorted((path for path in own.parent.iterdir() if path.is_dir() and path != own), key=_modified)
    for old in others[: -(KEPT_TRAININGS - 1)]:
        try:
            with FileLock(_beside(old, "lock"), timeout=0):
                shutil.rmtree(old, ignore_errors=True)
                for ending in ("lock", "pid"):
                    _beside(old, ending).unlink(missing_ok=True)
        except Timeout:
            continue  # at work


def _beside(folder: Path, ending: str) -> Path:
    return folder.with_name(f"{folder.name}.{ending}")


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
