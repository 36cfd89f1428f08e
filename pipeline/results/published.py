"""Reads and writes the published generator: the default's weights in 16 bit, kept in git, so that a clone can draw.

``published/generator.json``, its card, holds the digest of ``published/generator.npz`` and says what it was made of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnistgan import files
from mnistgan.errors import DataError, FormatError
from pipeline.dvcfiles import git

WEIGHTS = Path("published/generator.npz")
CARD = WEIGHTS.with_suffix(".json")
HALF, FULL = np.dtype(np.float16), np.dtype(np.float32)
_FACTS = {"sha256": str, "family": str, "recipe": str, "seed": int, "commit": str, "md5": str, "of_sha256": str}
_RESTORE = "restore published/ from git"


@dataclass(frozen=True)
class Published:
    """A published generator, its bytes those that its card names."""

    folder: Path
    card: Mapping[str, Any]

    def __str__(self) -> str:
        of = "{family} {recipe}, seed {seed}, of commit {commit:.12}".format(**self.card)
        return f"the published generator {self.card['sha256'][:12]} ({of})"

    def widen(self, to: Path) -> None:
        """Writes the weights as float32, which every family loads."""
        halved = files.read_arrays(self.folder / WEIGHTS)
        files.write_arrays(to, {name: a.astype(FULL) if a.dtype == HALF else a for name, a in halved.items()})


def halve(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rounds kernels and tables to float16; leaves vectors, among them BatchNorm's, whose range can be beyond its.

    Raises FormatError where a kernel has values beyond it too.
    """
    with np.errstate(over="ignore"):  # refused below
        halved = {name: a.astype(HALF) if a.dtype == FULL and a.ndim > 1 else a for name, a in weights.items()}
    for name, array in halved.items():
        if array.dtype == HALF and not np.isfinite(array).all():
            raise FormatError(f"{name}: has values that 16 bit can't hold; takes {np.finfo(HALF).max} at most")
    return halved


def read(folder: Path = Path()) -> Published:
    """Reads the one that lies below a folder. Raises DataError where its files are missing, or not as the card says."""
    card = files.read_json(folder / CARD)
    if not isinstance(card, dict) or any(type(card.get(name)) is not kind for name, kind in _FACTS.items()):
        raise FormatError(f"{folder / CARD}: should hold {', '.join(_FACTS)}; {_RESTORE}")
    try:
        got = files.sha256(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise DataError(f"{folder / WEIGHTS}: no such file; {_RESTORE}") from error
    if got != card["sha256"]:
        raise FormatError(f"{folder / WEIGHTS}: sha256 is {got}, its card says {card['sha256']}; {_RESTORE}")
    return Published(folder, card)


def full(digest: str) -> str:
    """Turns the sha256 of the published weights here into that of the weights that they come of; leaves any other."""
    of = read().card if CARD.is_file() else {}
    return str(of["of_sha256"]) if of.get("sha256") == digest else digest


def read_at(commit: str, folder: Path) -> Published | None:
    """Reads a commit's by way of a folder; None where it has none. Raises DataError as :func:`read`, and GitError."""
    for path in (WEIGHTS, CARD):
        content = git.blob(commit, path)
        if content is None:
            return None
        files.write_bytes(folder / path, content)
    return read(folder)
