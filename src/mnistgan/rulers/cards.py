"""Reads and writes a ruler: plain arrays in ``NAME.npz``, and in ``NAME.json`` its card, which describes them.

The card holds the digest of the arrays' file. It is checked before the arrays are parsed, so that a ruler that was
swapped, edited or half-copied never measures anything.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mnistgan import files
from mnistgan.errors import DataError, RulerError

DIGEST = "sha256"
RESTORE = "restore pretrained/ from git, or make both anew by `python -m pipeline dataset rulers`"
RULERS = ("classifier", "pixels")

Arrays = dict[str, np.ndarray]
Card = dict[str, Any]


def folder_of(dataset: str) -> Path:
    """Folder of a data set's pinned rulers, from the repository's root."""
    return Path("pretrained") / dataset


def arrays_path(folder: Path, name: str) -> Path:
    """Path of a ruler's arrays."""
    return folder / f"{name}.npz"


def card_path(folder: Path, name: str) -> Path:
    """Path of a ruler's card."""
    return folder / f"{name}.json"


def save(folder: Path, name: str, arrays: Mapping[str, np.ndarray], card: Card) -> str:
    """Writes a ruler and its card, the digest added; returns the digest."""
    path = arrays_path(folder, name)
    files.write_arrays(path, arrays)
    digest = files.sha256(path)
    files.write_json(card_path(folder, name), {DIGEST: digest, **card})
    return digest


def read(folder: Path, name: str) -> tuple[Arrays, Card]:
    """Reads a ruler, its digest checked first. Raises RulerError where a file is missing or not as the card says."""
    card = _card(card_path(folder, name))
    path = arrays_path(folder, name)
    try:
        got = files.sha256(path)
        if got == card[DIGEST]:
            return files.read_arrays(path), card
    except FileNotFoundError as error:
        raise RulerError(f"{path}: no such file; {RESTORE}") from error
    except DataError as error:
        raise RulerError(f"{error}; {RESTORE}") from error
    raise RulerError(f"{path}: sha256 is {got}, its card says {card[DIGEST]}; {RESTORE}")


def demand_data(folder: Path, digests: Mapping[str, str]) -> None:
    """Raises RulerError where a ruler was made of other images than those of ``digests``, by split; names both."""
    for name in RULERS:
        path = card_path(folder, name)
        made_of = _card(path).get("data")
        for split, digest in digests.items():
            held = made_of.get(split) if isinstance(made_of, dict) else None
            known = str(held.get(DIGEST, "none")) if isinstance(held, dict) else "none"
            if known != digest:
                raise RulerError(
                    f"{path}: made of other data: the digest of its {split} images is {known[:12]}, of those here "
                    f"{digest[:12]}; `dvc repro prepare`, or make rulers of it by `python -m pipeline dataset rulers`"
                )


def _card(path: Path) -> Card:
    try:
        card = files.read_json(path)
    except DataError as error:
        raise RulerError(f"{error}; {RESTORE}") from error
    if not isinstance(card, dict) or not isinstance(card.get(DIGEST), str):
        raise RulerError(f"{path}: holds no {DIGEST!r} of the arrays; {RESTORE}")
    return card


def demand(arrays: Arrays, shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Checks float32 arrays' names and shapes. Raises RulerError that names the first that differs."""
    if sorted(arrays) != sorted(shapes):
        raise RulerError(f"{where}: holds {', '.join(sorted(arrays))}; expected {', '.join(sorted(shapes))}; {RESTORE}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float32:
            raise RulerError(
                f"{where}: {name} is {array.dtype} {list(array.shape)}; expected float32 {list(shape)}; {RESTORE}"
            )
