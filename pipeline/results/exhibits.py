"""Collects what a report shows of one side beside its metrics: curves, pictures and where it comes from."""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from mnistgan import reading
from mnistgan.drawing.evenly import evenly
from mnistgan.drawing.report import curves, samples
from mnistgan.drawing.report.curves import Table
from mnistgan.drawing.report.dots import Shares
from mnistgan.errors import FormatError
from mnistgan.rulers import pixels
from pipeline.dvcfiles import cache, digests, dvc_lock, git, layout
from pipeline.results import former, history
from pipeline.results.checkout import Place, Results
from pipeline.runs import journal, keys
from pipeline.runs.journal import Kind

T = TypeVar("T")

CURVES = Path("metrics/training.csv")
LOOKS = Path("metrics/looks.csv")
CLASSES = Path("metrics/classes.csv")
SAMPLES = Path("plots/samples.png")
GRIDS = "models/grids"
RULER = "classifier.npz"
MOST_GRIDS = 24
"""Grids of a side that a page holds: about 40 KB each."""
_OF_DVC = "dvc: commit experiment"
_GRID = re.compile(r"epoch_(\d{4,})\.png")


@dataclass(frozen=True)
class Exhibits:
    """One side's files. What can't be had is None, and its ``notes`` say why."""

    letter: str
    results: Results

    @property
    def name(self) -> str:
        return f"{self.letter} ({self.results.side.name})"

    @property
    def place(self) -> Place | None:
        """Places of its files; None for a group, and for a metrics file alone."""
        return self.results.place

    @property
    def parts(self) -> Mapping[str, dvc_lock.Part]:
        return self.place.parts if self.place else {}

    def curves(self, path: Path) -> tuple[Table | None, list[str]]:
        """Reads the table of a CSV. Raises FormatError where it is none."""
        return self._read(path, "train", lambda content, name: curves.parse(_text(content), name))

    def shares(self) -> tuple[Shares | None, list[str]]:
        """Reads the shares of the classes. Raises FormatError where the file holds something else."""
        return self._read(CLASSES, "evaluate", lambda content, name: Shares.parse(_text(content), name))

    @cached_property
    def sheet(self) -> tuple[np.ndarray | None, list[str]]:
        """Reads the picture of the samples that git keeps, grey [H, W]. Raises FormatError where it is no picture."""
        return self._read(SAMPLES, "render", samples.read)

    @cached_property
    def samples(self) -> np.ndarray | None:
        """Cuts the 256 samples [256, 28, 28] out of it; None where there is no such sheet."""
        sheet, _ = self.sheet
        return None if sheet is None else samples.cut(sheet)

    def classifier(self) -> Mapping[str, np.ndarray] | None:
        """Reads the ruler's arrays, checked against the digest in dvc.lock; None where they are not to be had.

        Empty where the data has no classes, and so no classifier.
        """
        deps = self.parts["train"].deps if "train" in self.parts else {}
        path = next((Path(path) for path in deps if Path(path).name == RULER), None)
        if self.place is None or path is None:
            return None
        content = next(filter(None, map(self.place.read, former.paths(path))), None)
        if content is None or digests.md5(content) != deps[path.as_posix()]:
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                held = {name: archive[name] for name in archive.files}
                return held if held.keys() != pixels.SHAPES.keys() else {}
        except Exception as error:  # NumPy and zipfile raise a dozen kinds
            raise FormatError(f"{self.name}, {path}: not a whole NPZ: {error}") from error

    def grids(self) -> dict[int, np.ndarray]:
        """Reads the training's grids by epoch, at most 24 of them, from the side's folder or DVC's cache."""
        chosen = evenly(self._listed_grids(), MOST_GRIDS)
        return {epoch: samples.read(content, f"{self.name}, epoch {epoch}") for epoch, content in chosen}

    def _listed_grids(self) -> list[tuple[int, bytes]]:
        """Lists every grid that is here, in the order of epochs; none unless all that dvc.lock records are."""
        digest = self.parts["train"].outs.get(GRIDS) if "train" in self.parts else None
        if self.place is None or digest is None:
            return []
        try:
            files = [(Path(path), md5) for path, md5 in cache.files_of(GRIDS, digest)]
        except FormatError:  # a torn list in the cache
            return []
        named = [(int(match[1]), path, md5) for path, md5 in files if (match := _GRID.fullmatch(path.name))]
        found = [(epoch, self._bytes(path, md5)) for epoch, path, md5 in sorted(named)]
        there = [(epoch, content) for epoch, content in found if content is not None]
        return there if len(there) == len(found) else []

    def _bytes(self, path: Path, digest: str) -> bytes | None:
        """Reads a recorded file's bytes, from DVC's cache or from the side's folder."""
        cached = cache.place(digest)
        if cached.is_file():
            return cached.read_bytes()
        content = self.place.read(path) if self.place else None
        return content if content is not None and digests.md5(content) == digest else None

    def _read(self, path: Path, stage: str, parse: Callable[[bytes, str], T]) -> tuple[T | None, list[str]]:
        """Reads a file that git keeps, with notes on it."""
        if self.place is None:
            return None, [self.why_nothing]
        content = self.place.read(path)
        if content is None:
            return None, [f"{self.name} has no {path}"]
        recorded = self.parts[stage].outs.get(path.as_posix()) if stage in self.parts else None
        parsed = parse(content, f"{self.name}, {path}")
        if recorded is not None and digests.md5(content) != recorded:
            return parsed, [f"{self.name}: {path} is not the one that {layout.LOCK} records; it may be another run's"]
        return parsed, []

    @property
    def why_nothing(self) -> str:
        """Says why there are no files of this side."""
        count = len(self.results.side.members)
        if count > 1:
            return f"{self.name} is a group of {count} seeds, and this is of one training: name one of them to see it"
        return f"{self.name} is a metrics file by itself: name its commit or experiment to see this"

    def where(self) -> str:
        """Says in a few words what the side is."""
        count = len(self.results.side.members)
        if count > 1:
            return f"{count} seeds"
        if self.place is None:
            return "a metrics file"
        return self._commit_line() if self.place.commit else "files in a folder, not a commit"

    def verdict(self) -> str:
        """Its own verdict; of a group, how many have which."""
        members = self.results.side.members
        if len(members) == 1:
            return members[0].figures.verdict or "no verdict recorded"
        told = [" and ".join(member.figures.findings) or "no verdict" for member in members]
        return ", ".join(f"{told.count(each)} {each}" for each in dict.fromkeys(told))

    def provenance(self) -> Iterator[tuple[str, str]]:
        """Lists where it comes from, a name and a text each."""
        side = self.results.side
        yield "result", self.where()
        if len(side.members) > 1:
            yield "seeds", ", ".join(member.name for member in side.members)
        if "train.recipe" in self.results.params:
            yield "recipe", str(self.results.params["train.recipe"])
            yield "seed", str(self.results.params.get("train.seed", ""))
        yield "weights (MD5)", ", ".join(filter(None, (member.weights for member in side.members))) or "not recorded"
        if self.place is not None and self.parts:
            yield from self._of_record()
        yield "pins", ", ".join(dict.fromkeys(member.figures.pins for member in side.members))

    def _of_record(self) -> Iterator[tuple[str, str]]:
        commit = self.place.commit if self.place else None
        commits = [history.Commit(commit, "", "", ())] if commit else []
        lock = self.place.read(layout.LOCK) if self.place else None  # keys are of what is recorded, by its own names
        parts = dvc_lock.parts_of(reading.decoded(lock, str(layout.LOCK))) if lock else self.parts
        record = history.Recorded("", parts, commits, in_workspace=commit is None)
        yield "weights (sha256)", record.weights or "their file is not on this machine"
        for name, field in (("run key", "run_key"), ("train key", "train_key"), ("data", "data_digest")):
            yield name, getattr(record.state, field, "not known here")
        yield "trained on", ", ".join(f"{name} {version}" for name, version in record.versions.items()) or "not known"
        yield from _of_journal(record.state)

    def _commit_line(self) -> str:
        assert self.place is not None
        told = git.line("show", "--no-patch", "--format=%cs%x1f%s", str(self.place.commit))
        date, _, subject = told.partition("\x1f")
        if subject.startswith(_OF_DVC):
            subject = "a DVC experiment"  # the rest is a digest
        return ", ".join(filter(None, (f"commit {str(self.place.commit)[: keys.SHORT]}", date, subject)))


def _of_journal(of: keys.State | None) -> Iterator[tuple[str, str]]:
    """Lists what only the journals on this machine tell, if they are here."""
    events = journal.making_events(layout.main_root(), of.train_key, of.run_key) if of else []
    training = [event for event in events if event.stage == "train"]
    start = next((event for event in training if event.kind is Kind.START), None)
    if start is None:
        yield "made by", "no journal on this machine tells"
        return
    changed = ", with changes that it does not hold" if start.facts.get("dirty") else ""
    yield "made by", f"commit {str(start.facts.get('commit'))[: keys.SHORT]}{changed}"
    yield "made at", f"{start.time:%Y-%m-%d %H:%M} UTC"
    yield "processor", str(start.facts.get("cpu", "not known"))
    if speed := journal.last_fact(training, "images_per_second"):
        yield "speed", f"{float(speed):.0f} images/s"


def _text(content: bytes) -> str:
    return former.table(content.decode("utf-8", "replace"))
