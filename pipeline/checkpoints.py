"""Where a training's checkpoints lie: in a folder that its key names, under the main repository, outside DVC's outs."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.errors import UsageError
from pipeline import state

if TYPE_CHECKING:
    import numpy as np

FOLDER = "checkpoints"
KEPT_TRAININGS = 2  # folders: the state at work, and the one before it


@contextmanager
def folder_of(images: "np.ndarray", declared: bool) -> Iterator[Path]:
    """Give the folder of the workspace's training state, locked for the block.

    Where the images are not the ones that dvc.yaml declares, their digest is in the name too. The folders of older
    states are removed, unless something trains in them. Raises UsageError while another process trains this state.
    """
    from filelock import FileLock, Timeout

    name = state.train_key_of_workspace()[: state.SHORT]
    if not declared:
        name += f"-{hashlib.sha256(images.tobytes()).hexdigest()[: state.SHORT]}"
    folder = state.main_root() / FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(_lock(folder), timeout=0):
            _remove_older(folder)
            yield folder
    except Timeout as error:
        raise UsageError(f"another process is training this very state ({_lock(folder)}); wait for it") from error


def _remove_older(own: Path) -> None:
    from filelock import FileLock, Timeout

    others = sorted((path for path in own.parent.iterdir() if path.is_dir() and path != own), key=_modified)
    for old in others[: -(KEPT_TRAININGS - 1)]:
        try:
            with FileLock(_lock(old), timeout=0):
                shutil.rmtree(old, ignore_errors=True)
                _lock(old).unlink(missing_ok=True)
        except Timeout:
            continue  # at work


def _lock(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
