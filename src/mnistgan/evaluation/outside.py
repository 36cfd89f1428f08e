"""Loads images from any file or folder, checked first, so that anybody's generator can be measured.

Taken: ``.npy``; ``.npz`` with one array, or one named ``images``; a folder of PNG files. Nothing is unpickled, and
no more of a file is held than the images asked for.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from mnistgan.datasets.npy import header
from mnistgan.errors import DataError, FormatError
from mnistgan.progress import Progress, silent
from mnistgan.reading import demand_plain
from mnistgan.rulers.real import SUBSET_SEED, subset

TAKEN = "uint8 in 0..255 or float in 0..1 or -1..1, shaped [N, 28, 28], [N, 28, 28, 1] or [N, 1, 28, 28]"
IMAGE_SHAPES = {(28, 28), (28, 28, 1), (1, 28, 28)}
MENDS = {
    **dict.fromkeys("iu", "; if they are 0..255, save images.astype(np.uint8)"),
    "b": "; save images * np.uint8(255)",
}
PIXELS = 28 * 28
HAIR, HALF = 0.01, 0.5  # past a range: what rounding leaves; and what some pixel of -1..1 falls below
LARGEST_PNG = 100_000  # bytes; 28 x 28 pixels take some 3,000 at most
MOST_IMAGES = 10_000_000  # to draw from
DIM, LIGHT = 64, 170  # levels: no digit is so faint all over; MNIST's mean is 33, an untrained generator's 127


@dataclass(frozen=True)
class Samples:
    """Images from outside, uint8 [count, 28, 28], and out of how many they were drawn."""

    images: np.ndarray
    total: int

    @property
    def drawn(self) -> str:
        """Says in words which images these are."""
        count = len(self.images)
        if count == self.total:
            return f"all {count:,} images"
        return f"{count:,} of {self.total:,} images, drawn by seed {SUBSET_SEED}"

    @property
    def oddity(self) -> str | None:
        """Says why the pixels may not mean what MNIST's do (0 background, 255 full ink); None where they seem to."""
        if (highest := int(self.images.max())) < DIM:
            return f"no pixel is above {highest} of 255: are they scaled as {TAKEN.partition(', shaped')[0]}?"
        if (mean := float(self.images.mean())) > LIGHT:
            return f"the mean pixel is {mean:.0f}, MNIST's 33: are they dark on light? Takes 0 as background"
        return None


def read(path: Path, count: int, progress: Progress = silent) -> Samples:
    """Reads images of a file or folder: all in their order, or ``count`` drawn by a fixed seed where there are more.

    The first ones would not do, since what is sorted by class begins with few of them. Raises DataError where there
    are no or too few images, FormatError where a shape, a dtype, a range or a file's own structure is not as taken.
    """
    if path.is_dir():
        return _read_folder(path, count, progress)
    try:
        demand_plain(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path}: no such file or folder; takes .npy, .npz or a folder of PNG files") from error
    if path.suffix not in {".npy", ".npz"}:
        raise FormatError(f"{path}: takes .npy, .npz or a folder of PNG files")
    try:
        with _stream(path) as (stream, size, where):
            rows, total = _read_rows(stream, size, count, where)
            return Samples(_to_uint8(rows, where), total)
    except DataError:
        raise
    except Exception as error:  # zipfile and what unpacks for it raise a dozen kinds
        raise FormatError(f"{path}: can't be read: {error}") from error


@contextmanager
def _stream(path: Path) -> Iterator[tuple[IO[bytes], int, str]]:
    """Opens the NPY bytes of a file, or of an NPZ's member that holds the images; with their size and name."""
    if path.suffix == ".npy":
        with path.open("rb") as file:
            yield file, path.stat().st_size, str(path)
        return
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        name = "images.npy" if "images.npy" in names else names[0] if len(names) == 1 else None
        if name is None:
            held = ", ".join(names[:8]) or "nothing"
            raise FormatError(f"{path}: holds {held}; takes one array, or one named images")
        with archive.open(name) as member:
            yield member, archive.getinfo(name).file_size, f"{path}[{name.removesuffix('.npy')}]"


def _read_rows(stream: IO[bytes], size: int, count: int, where: str) -> tuple[np.ndarray, int]:
    """Reads rows of an NPY stream, whose header is checked before any of them is read, and counts all that it has."""
    shape, dtype, start = header(stream, where)
    if dtype != np.uint8 and dtype.kind != "f":
        raise FormatError(f"{where}: dtype is {dtype}; takes {TAKEN}{MENDS.get(dtype.kind, '')}")
    if shape[1:] not in IMAGE_SHAPES:
        hint = "; save images.reshape(-1, 28, 28)" if shape[1:] == (PIXELS,) else ""
        raise FormatError(f"{where}: shape is {list(shape)}; takes {TAKEN}{hint}")
    total, row = shape[0], PIXELS * dtype.itemsize
    _demand_count(where, total, count)
    if size < start + total * row:
        raise FormatError(
            f"{where}: ends after {max(0, size - start):,} bytes of {total:,} images; expected {total * row:,}"
        )
    content = bytearray()
    for index in subset(total, count, "outside"):
        stream.seek(start + int(index) * row)
        content += stream.read(row)
    return np.frombuffer(content, dtype).reshape(count, 28, 28), total


def _to_uint8(images: np.ndarray, where: str) -> np.ndarray:
    if images.dtype == np.uint8:
        if images.max() == 1:
            raise FormatError(f"{where}: holds only 0 and 1, which uint8 has as black; save images * 255")
        return images.copy()
    if not np.isfinite(images).all():
        raise FormatError(f"{where}: holds NaN or infinite pixels; takes {TAKEN}")
    low, high = images.min(), images.max()  # of their own type, which says how many digits they have
    if low < -1 - HAIR or high > 1 + HAIR:
        hint = MENDS["i"] if low >= 0 and 2 < high <= 255 else ""
        raise FormatError(f"{where}: floats from {low!s} to {high!s}; takes {TAKEN}{hint}")
    if -HALF < low < -HAIR:
        raise FormatError(f"{where}: floats from {low!s} to {high!s}, neither 0..1 nor -1..1; takes {TAKEN}")
    values = images.astype(np.float64)
    unit = np.clip(values if low >= -HAIR else (values + 1.0) / 2.0, 0.0, 1.0)
    return np.rint(unit * 255.0).astype(np.uint8)


def _read_folder(path: Path, count: int, progress: Progress) -> Samples:
    names = sorted(file for file in path.iterdir() if file.suffix.lower() == ".png")
    _demand_count(f"{path} (*.png)", len(names), count)
    images = np.empty((count, 28, 28), np.uint8)
    for place, index in enumerate(subset(len(names), count, "outside")):
        if place % 500 == 0:
            progress("reading PNG", place, count)
        images[place] = _read_png(names[index])
    progress("reading PNG", count, count)
    return Samples(images, len(names))


def _read_png(path: Path) -> np.ndarray:
    try:
        demand_plain(path)
        if (size := path.stat().st_size) > LARGEST_PNG:
            raise FormatError(f"{path}: {size} bytes; a PNG of 28 x 28 pixels has less than {LARGEST_PNG}")
        with Image.open(path, formats=["PNG"]) as image:  # reads the header alone
            pixels = f"{image.size[0]} x {image.size[1]} pixels"
            if image.size != (28, 28) or image.mode not in {"L", "RGB"} or "transparency" in image.info:
                alpha = " with transparency" if "transparency" in image.info else ""
                raise FormatError(f"{path}: {pixels}, mode {image.mode}{alpha}; takes 28 x 28, mode L or RGB, opaque")
            if getattr(image, "n_frames", 1) > 1:
                raise FormatError(f"{path}: an animation; takes single images")
            return np.asarray(image.convert("L"))
    except FormatError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file: the link leads nowhere") from error
    except Exception as error:  # Pillow's own dozen kinds: on a torn file, one bomb or another
        raise FormatError(f"{path}: not a whole PNG: {error}") from error


def _demand_count(where: str, got: int, needed: int) -> None:
    if got < needed:
        raise DataError(f"{where}: {got} images; needs {needed}, the `evaluate.samples` of params.yaml")
    if got > MOST_IMAGES:
        raise DataError(f"{where}: {got:,} images; takes {MOST_IMAGES:,} at most")
