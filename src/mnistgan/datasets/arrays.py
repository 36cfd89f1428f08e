"""Reads and writes labelled images, one NPZ a split, as the stages hand them on."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnistgan import files
from mnistgan.datasets.idx import CLASSES, IMAGE_SHAPE
from mnistgan.errors import FormatError


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images; checked when made.

    ``images`` is uint8 [N, 28, 28], 0 background and 255 full ink; ``labels`` is uint8 [N], each 0 to 9; N >= 1.
    Raises FormatError when built from anything else.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        _check("images", self.images, IMAGE_SHAPE)
        _check("labels", self.labels, ())
        if len(self.images) != len(self.labels):
            raise FormatError(f"{len(self.images)} images, but {len(self.labels)} labels; each image has one")
        if not len(self.labels):
            raise FormatError("holds no images")
        if self.labels.max() >= CLASSES:
            raise FormatError(f"holds the label {self.labels.max()}; labels are 0 to {CLASSES - 1}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, indices: np.ndarray) -> "Images":
        """The images at ``indices`` (int [M]), in that order."""
        return Images(self.images[indices], self.labels[indices])

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Number of images of each of the ten classes."""
        return tuple(int(count) for count in np.bincount(self.labels, minlength=CLASSES))

    @property
    def digest(self) -> str:
        """Hex sha256 of both arrays' names, types, shapes and values, whatever the file format."""
        digest = hashlib.sha256()
        for name, array in (("images", self.images), ("labels", self.labels)):
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load(path: Path) -> Images:
    """Reads a split. Raises DataError when the file is missing, FormatError when it is anything but a whole split."""
    found = files.read_arrays(path)
    if set(found) != {"images", "labels"}:
        raise FormatError(f"{path}: holds the arrays {sorted(found)}; should be images and labels")
    try:
        return Images(found["images"], found["labels"])
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def save(path: Path, images: Images) -> None:
    """Writes a split, in one rename; the same images give the same bytes."""
    files.write_arrays(path, {"images": images.images, "labels": images.labels})


def _check(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.dtype == np.uint8 and array.ndim == 1 + len(shape) and array.shape[1:] == shape:
        return
    expected = ", ".join(["N", *map(str, shape)])
    raise FormatError(f"{name} are {array.dtype} {list(array.shape)}; should be uint8 [{expected}]")
