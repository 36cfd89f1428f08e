"""Lists the files of a folder of images: which split and which class each belongs to. It opens none of them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mnistgan.datasets.own.pictures import ENDINGS
from mnistgan.errors import DataError

SPLITS = ("train", "validation", "test")
MOST_IMAGES = 1_000_000
TAKEN = (
    "takes PNG or JPEG, one folder a class or none; or images.npy and labels.npy; or one NPZ of images and labels; or "
    "IDX files. Folders train, validation and test around the first, or names that begin so, give the splits"
)
_LIKE_SPLITS = {"training", "val", "valid", "dev", "testing"}
_ARRAYS = re.compile(r"(?:(train|validation|test|t10k)[-_])?(images|labels)(?:\.npy|[-.]idx[13]-ubyte(?:\.gz)?)")
_NPZ = re.compile(r"(?:(train|validation|test)|[^/]+)\.npz")

Holds = Literal["picture", "images", "labels", "both"]


@dataclass(frozen=True)
class File:
    """One file: ``path`` from the folder with ``/``; its split and its class where the folder says them."""

    path: str
    holds: Holds
    split: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Listing:
    """A folder's files, by split and then by path, and what was passed over because it is hidden."""

    root: Path
    files: tuple[File, ...]
    hidden: tuple[str, ...]

    def name(self, file: File) -> str:
        """Names a file in messages."""
        return f"{self.root}/{file.path}"

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the folder itself gives, in their order; none where a seed is to draw them."""
        return tuple(split for split in SPLITS if any(file.split == split for file in self.files))

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes that have folders: by number where all are numbers, else by letter; None without any."""
        names = {file.label for file in self.files if file.label is not None}
        by_number = all(name.isdecimal() and name.isascii() for name in names)
        return tuple(sorted(names, key=lambda name: (int(name) if by_number else 0, name))) or None


def listed(root: Path) -> Listing:
    """Lists a folder of images.

    Raises DataError for a file that is neither picture nor array, a link that leads out of the folder or to another
    folder, a name that is not UTF-8 or has control characters, folders that are too deep or mean two things.
    """
    if not root.is_dir():
        raise DataError(f"{root}: {'is no folder' if root.exists() else 'no such folder'}; {TAKEN}")
    hidden: list[str] = []
    paths = list(_walk(root.resolve(), root, (), hidden))
    if not paths:
        raise DataError(f"{root}: holds no images; {TAKEN}")
    if len(paths) > MOST_IMAGES:
        raise DataError(f"{root}: more than {MOST_IMAGES:,} files; so many images are taken at most")
    is_pictures = any(parts[-1].lower().endswith(ENDINGS) for parts in paths)
    files = _pictures(root, paths) if is_pictures else _arrays(root, paths)
    _demand_splits(root, files)
    order = {split: number for number, split in enumerate((None, *SPLITS))}
    return Listing(root, tuple(sorted(files, key=lambda file: (order[file.split], file.path))), tuple(hidden))


def _walk(top: Path, folder: Path, above: tuple[str, ...], hidden: list[str]) -> Iterator[tuple[str, ...]]:
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    if above and not entries:
        raise DataError(f"{folder}: an empty folder; remove it, or put images in")
    for entry in entries:
        _demand_name(folder, entry.name)
        parts = (*above, entry.name)
        if entry.name.startswith(".") or entry.name == "Thumbs.db":
            hidden.append("/".join(parts))
        elif entry.is_symlink() and (why := _astray(Path(entry.path), top)):
            raise DataError(f"{entry.path}: {why}; copy what it leads to into the folder")
        elif entry.is_dir():
            if len(parts) > 2:
                raise DataError(f"{entry.path}: too deep; {TAKEN}")
            yield from _walk(top, folder / entry.name, parts, hidden)
        elif entry.is_file():
            yield parts
        else:
            raise DataError(f"{entry.path}: no plain file; {TAKEN}")


def _demand_name(folder: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{folder}: the name {os.fsencode(name)!r} is not UTF-8; rename it") from error
    if not name.isprintable() or "\\" in name:
        raise DataError(f"{folder}: the name {name!r} has characters that a list of names can't hold; rename it")


def _astray(link: Path, top: Path) -> str | None:
    target = link.resolve()
    if not target.is_relative_to(top):
        return "a link that leads out of the folder"
    if not target.exists():
        return "a link to nothing"
    return "a link to a folder" if target.is_dir() else None


def _pictures(root: Path, paths: list[tuple[str, ...]]) -> list[File]:
    tops = {parts[0] for parts in paths if len(parts) > 1}
    in_splits = bool(tops & {*SPLITS, *_LIKE_SPLITS})
    if in_splits and (others := sorted({parts[0] for parts in paths} - {*SPLITS})):
        raise DataError(
            f"{root}/{others[0]}: lies beside a folder named as a split is; splits are the folders train, test and, "
            "given or drawn by seed, validation, and all is in them: rename or move it"
        )
    files = []
    for parts in paths:
        path, inner = "/".join(parts), parts[1:] if in_splits else parts
        if not path.lower().endswith(ENDINGS):
            raise DataError(f"{root}/{path}: no picture; {TAKEN}; move it out of the folder")
        if len(inner) > 2:
            raise DataError(f"{root}/{path}: too deep; {TAKEN}")
        files.append(File(path, "picture", parts[0] if in_splits else None, inner[0] if len(inner) == 2 else None))
    if (without := [file.path for file in files if file.label is None]) and len(without) < len(files):
        raise DataError(f"{root}/{without[0]}: lies beside the folders of classes; move it into one of them")
    return files


def _arrays(root: Path, paths: list[tuple[str, ...]]) -> list[File]:
    files = []
    for parts in paths:
        path = "/".join(parts)
        if found := _ARRAYS.fullmatch(path):
            split = "test" if found[1] == "t10k" else found[1]
            files.append(File(path, "images" if found[2] == "images" else "labels", split))
        elif found := _NPZ.fullmatch(path):
            files.append(File(path, "both", found[1]))
        else:
            raise DataError(f"{root}/{path}: not a file that is known here; {TAKEN}")
    for split in {file.split for file in files}:
        held = sorted(file.holds for file in files if file.split == split)
        if held not in (["both"], ["images"], ["images", "labels"]):
            raise DataError(
                f"{root}: holds {', '.join(file.path for file in files if file.split == split)}; takes one NPZ, or one "
                f"file of images and one of labels{f', for {split}' if split else ''}"
            )
    return files


def _demand_splits(root: Path, files: list[File]) -> None:
    there = {file.split for file in files}
    if there != {None} and not {"train", "test"} <= there <= {*SPLITS}:
        got = ", ".join(split or "one without a name" for split in sorted(there, key=str))
        raise DataError(f"{root}: gives the splits {got}; takes train and test, validation too or drawn by seed")
