"""Lists the files that MLflow's store really has of a run or a model, and those that arrived whole in a run.

The latter is ``published.json`` in the run, with the sha256 of each; it is a claim, and files get lost. A store that is
a folder here is read; of one elsewhere, names and sizes are asked, a call a folder.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.files import sha256
from pipeline.tracking import database
from pipeline.tracking.connection import Connection

if TYPE_CHECKING:
    from mlflow.entities import FileInfo

MANIFEST = "published.json"
List = Callable[[str | None], "list[FileInfo]"]


@dataclass(frozen=True)
class Holdings:
    """Files by their paths in the store, with their sizes."""

    sizes: Mapping[str, int]
    folder: Path | None  # where they lie, if that is on this machine

    @classmethod
    def of(cls, listing: List, place: str = "") -> "Holdings":
        """Collects those that ``listing`` lists, folder by folder; ``place``: the address of their folder."""
        return cls(dict(_walk(listing, None)), database.folder(place))

    def has(self, name: str, digest: str, file: Path | None) -> bool:
        """Whether a file is there with this sha256; where it lies elsewhere, with the size of ``file``."""
        if name not in self.sizes:
            return False
        if self.folder:
            return sha256(self.folder / name) == digest
        return file is None or self.sizes[name] == file.stat().st_size


def _walk(listing: List, folder: str | None) -> Iterator[tuple[str, int]]:
    for found in listing(folder):
        if found.is_dir:
            yield from _walk(listing, found.path)
        else:
            yield found.path, found.file_size or 0


def read(at: Connection, run_id: str) -> dict[str, str]:
    """Reads what arrived whole, by name; a list that was cut off counts as none, and all is written over."""
    if not any(file.path == MANIFEST for file in at.client.list_artifacts(run_id)):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        text = Path(at.client.download_artifacts(run_id, MANIFEST, folder)).read_bytes()
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}


def write(at: Connection, run_id: str, manifest: Mapping[str, str]) -> None:
    at.client.log_text(run_id, json.dumps(dict(sorted(manifest.items())), indent=2), MANIFEST)
