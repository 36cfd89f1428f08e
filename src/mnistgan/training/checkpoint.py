"""Saves and restores checkpoints, each written beside and renamed; a broken one is passed over."""

import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnistgan.datasets.idx import IMAGE_SHAPE
from mnistgan.errors import CheckpointError, DivergedError, FormatError
from mnistgan.files import read_arrays, write_arrays
from mnistgan.training.state import TrainingState

KEPT = 2
_NAME = re.compile(r"step_(\d{9})\.npz")
_GRID = re.compile(r"grid_(\d{6})\.npz")


class Checkpoints:
    """The checkpoints in one folder, which belongs to one training alone."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._saved = time.monotonic()

    def age(self) -> float:
        """Seconds since the last save, or since this object was made: the work that a kill now would lose."""
        return time.monotonic() - self._saved

    def save(self, state: TrainingState) -> Path:
        """Writes the state, keeps the newest two. Raises DivergedError on NaN, CheckpointError where it can't."""
        path = self.folder / f"step_{state.step:09d}.npz"
        named = state.arrays()
        if broken := sorted(name for name, array in named.items() if array.dtype.kind == "f" and not _finite(array)):
            raise DivergedError(
                f"{broken[0]} holds NaN or infinity at step {state.step}; a lower learning_rate in the recipe usually "
                f"helps; the last good weights: {self.newest()}"
            )
        self._write(path, named)
        for old in self.newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
        self._saved = time.monotonic()
        return path

    def restore(self, state: TrainingState, warn: Callable[[str], None]) -> Path | None:
        """Takes ``state`` over from the newest checkpoint that is whole; None, and as it was, where there is none.

        ``warn`` is told of each one that is broken; they are deleted, or they would pass for the newest for ever. A
        broken grid, which can't be drawn again, takes all of them with it.
        """
        for half_written in self.folder.glob(".*"):
            half_written.unlink(missing_ok=True)
        try:
            self.grids()
        except FormatError as error:
            warn(f"a broken grid, so that training starts again: {error}")
            self.clear()
        kept = self.newest_first()
        for path in kept:
            try:
                state.restore(read_arrays(path), str(path))
            except (FormatError, CheckpointError) as error:
                warn(f"passed over a broken checkpoint, and deleted it: {error}")
                path.unlink(missing_ok=True)
            else:
                return path
        if kept:
            warn("no checkpoint is whole, so that training starts again")
        return None

    def clear(self) -> None:
        """Deletes every checkpoint and grid."""
        for path in (*self.newest_first(), *self.folder.glob("grid_*.npz")):
            path.unlink(missing_ok=True)

    def _write(self, path: Path, named: dict[str, np.ndarray]) -> None:
        try:
            write_arrays(path, named)
        except OSError as error:
            raise CheckpointError(f"{path}: can't be written: {error.strerror}; earlier ones are whole") from error

    def save_grid(self, epoch: int, images: np.ndarray) -> None:
        """Keeps an epoch's grid uint8 [N, 28, 28] beside the checkpoints: a resumed training can't draw it again."""
        self._write(self.folder / f"grid_{epoch:06d}.npz", {"images": images})

    def grids(self, until: float = math.inf) -> dict[int, np.ndarray]:
        """The kept grids up to an epoch, by epoch. Raises FormatError where one is broken."""
        named = ((_GRID.fullmatch(path.name), path) for path in sorted(self.folder.glob("grid_*.npz")))
        found = {int(match[1]): path for match, path in named if match}
        return {epoch: _grid(path) for epoch, path in found.items() if epoch <= until}

    def newest(self) -> str:
        """The newest checkpoint's path, for a message."""
        kept = self.newest_first()
        return str(kept[0]) if kept else "none was saved yet"

    def newest_first(self) -> list[Path]:
        """The folder's checkpoints by step, the last one first."""
        if not self.folder.is_dir():
            return []
        return sorted((path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)


def _grid(path: Path) -> np.ndarray:
    images = read_arrays(path).get("images", np.empty(0))
    if images.dtype != np.uint8 or images.shape[1:] != IMAGE_SHAPE:
        raise FormatError(
            f"{path}: holds {images.dtype} {list(images.shape)}; takes uint8 [N, {', '.join(map(str, IMAGE_SHAPE))}]"
        )
    return images


def _finite(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all())
