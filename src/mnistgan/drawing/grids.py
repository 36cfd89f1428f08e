"""Reads and writes a training's grids: PNGs of images tiled without borders, exact to the pixel."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from mnistgan.errors import DataError, FormatError
from mnistgan.files import replacing
from mnistgan.reading import demand_plain

SIDE = 28
TRAINING_SIDE = 16  # images a side in the grids that training writes
TRAINING_PIXELS = TRAINING_SIDE * SIDE
_EPOCH = re.compile(r"epoch_(\d{4,})\.png")


def tile(images: np.ndarray, columns: int) -> np.ndarray:
    """Tiles images [N, 28, 28] row by row into [rows*28, columns*28]; the places after the last image are black."""
    count = len(images)
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, SIDE, SIDE), np.uint8)
    padded[:count] = images
    return padded.reshape(rows, columns, SIDE, SIDE).swapaxes(1, 2).reshape(rows * SIDE, columns * SIDE)


def untile(grid: np.ndarray) -> np.ndarray:
    """Cuts a grid [rows*28, columns*28] into images [rows*columns, 28, 28]. Raises FormatError on other sides."""
    if grid.ndim != 2 or not all(grid.shape) or any(side % SIDE for side in grid.shape):
        raise FormatError(f"a grid of shape {list(grid.shape)}; should be grey, its sides multiples of {SIDE}")
    rows, columns = grid.shape[0] // SIDE, grid.shape[1] // SIDE
    return grid.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)


def write(folder: Path, epoch: int, images: np.ndarray) -> None:
    """Writes the grid of an epoch: images uint8 [256, 28, 28] as ``epoch_NNNN.png``."""
    with replacing(folder / f"epoch_{epoch:04d}.png") as beside:
        Image.fromarray(tile(images, TRAINING_SIDE)).save(beside, optimize=True)


def clear(folder: Path) -> None:
    """Removes the grids of an earlier training."""
    for path in by_epoch(folder).values() if folder.is_dir() and any(folder.iterdir()) else ():
        path.unlink()


def by_epoch(folder: Path) -> dict[int, Path]:
    """Finds a training's grids by epoch in rising order. Raises DataError where the folder is missing or holds none."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; the train stage writes its grids there")
    matches = ((_EPOCH.fullmatch(path.name), path) for path in folder.iterdir())
    found = {int(match[1]): path for match, path in matches if match}
    if not found:
        raise DataError(f"{folder}: holds no epoch_NNNN.png; the train stage writes one every `grid_every` epochs")
    return dict(sorted(found.items()))


def read(path: Path) -> np.ndarray:
    """Reads a training's grid as grey pixels, uint8 [448, 448]. Raises FormatError where it is no such picture."""
    try:
        demand_plain(path)
        with Image.open(path, formats=["PNG"]) as image:  # reads the header alone
            if image.size != (TRAINING_PIXELS, TRAINING_PIXELS):
                got = f"{image.width} x {image.height}"
                raise FormatError(f"{path}: {got} pixels; a grid has {TRAINING_PIXELS} x {TRAINING_PIXELS}")
            return np.asarray(image.convert("L"))
    except FormatError:
        raise
    except Exception as error:  # Pillow's own dozen kinds: on a torn file, one bomb or another
        raise FormatError(f"{path}: not a whole PNG: {error}") from error
