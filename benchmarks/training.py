"""Measures what a real training of the default recipe costs beside its steps, and the memory it takes.

It runs in a scratch folder with a store of its own, by the command that dvc.yaml has: published to MLflow while it
goes, looked at, drawn and checkpointed as always. Looks, grids and checkpoints are told by the stage; the publishing
child is watched from outside: its processor time, of as many cores as the training has threads, is what it takes from
the steps. One epoch bears the costs of starting and ending that a whole training bears once.

    .venv/bin/python -m benchmarks.training --epochs 1
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import ROOT
from benchmarks.ending import BenchmarkError, ending
from mnistgan.families import recipes_file
from pipeline.dvcfiles import dvc_yaml, layout
from pipeline.runs import journal
from pipeline.runs.journal import Event, Kind

COPIED = ("pipeline", "src", "datasets", "pretrained", "recipes")
DATA = ROOT / "data"
_SAMPLED_EVERY = 0.2  # seconds
_SHOWN_LINES = 15


@dataclass(frozen=True)
class Costs:
    """What a training took: time, memory, shares."""

    recipe: str
    epochs: int
    images_per_second: float
    loop_seconds: float
    """Of steps, looks, grids, checkpoints and files, from the first report to the last."""
    loop_share: float
    """Of that, what looks, grids, checkpoints and files took."""
    publishing_share: float
    """Of that, what the publishing child took from the steps while they ran."""
    waiting_share: float
    """What the stage waited for it at its end, beside that."""
    peak_mib: float
    publishing_peak_mib: float

    @property
    def tracking_share(self) -> float:
        """Share of everything together: publishing, checkpoints, looks and pictures."""
        return self.loop_share + self.publishing_share + self.waiting_share

    def __str__(self) -> str:
        return (
            f"{self.recipe}, {self.epochs} epochs: {self.images_per_second:.0f} images/s, {self.loop_seconds:.0f} s; "
            f"tracking {self.tracking_share:.1%}: looks, grids and checkpoints {self.loop_share:.1%}, publishing "
            f"{self.publishing_share:.1%}, its end {self.waiting_share:.1%}; peak memory {self.peak_mib:.0f} MiB, "
            f"publishing {self.publishing_peak_mib:.0f} MiB"
        )


def measure(**changes: int) -> Costs:
    """Trains the default recipe with some knobs changed, for instance ``epochs``. Raises BenchmarkError on failure."""
    with _scratch(changes) as folder:
        words = shlex.split(dvc_yaml.declared(folder)["train"].command)[2:]
        left_out = ("DVC_", "MLFLOW_", "MNISTGAN_TRACKING", "GIT_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=folder,
                env={**environment, "DVC_ROOT": str(folder)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                watched = _Watched.until_end(process)
            finally:
                process.kill()
                process.wait()
        ended = datetime.now(UTC)
        if process.returncode:
            said = "\n".join((folder / "output").read_text("utf-8", "replace").strip().splitlines()[-_SHOWN_LINES:])
            raise BenchmarkError(f"training ended with exit code {process.returncode}:\n{said}")
        return _costs(folder, watched, ended)


@dataclass
class _Watched:
    """Observations of a training and of the child that publishes it."""

    peak_kib: int = 0
    child_peak_kib: int = 0
    child_seconds: float = 0.0

    @classmethod
    def until_end(cls, process: subprocess.Popen[bytes]) -> "_Watched":
        seen = cls()
        while process.poll() is None:
            seen.peak_kib = max(seen.peak_kib, _peak_kib(process.pid))
            for child in _children(process.pid):
                seen.child_peak_kib = max(seen.child_peak_kib, _peak_kib(child))
                seen.child_seconds = max(seen.child_seconds, _processor_seconds(child))
            time.sleep(_SAMPLED_EVERY)
        if not seen.child_seconds and process.returncode == 0:
            raise BenchmarkError("the training published nothing, so what publishing costs can't be told")
        return seen


def _costs(folder: Path, watched: _Watched, ended: datetime) -> Costs:
    from mnistgan import params

    given = params.load(folder / layout.PARAMS)
    events = [event for path in (folder / journal.FOLDER).glob("*.jsonl") for event in journal.read(path)]
    speed, share = told(events)
    end = next(event for event in reversed(events) if event.kind is Kind.END and event.stage == "train")
    images = given.recipe.epochs * _images(folder, given.recipe.images)
    seconds = images / speed / (1 - share)
    return Costs(
        recipe=given.train.recipe,
        epochs=given.recipe.epochs,
        images_per_second=speed,
        loop_seconds=seconds,
        loop_share=share,
        publishing_share=watched.child_seconds / given.train.threads / seconds,
        waiting_share=max(0.0, (ended - end.time).total_seconds() - _SAMPLED_EVERY) / seconds,
        peak_mib=watched.peak_kib / 1024,
        publishing_peak_mib=watched.child_peak_kib / 1024,
    )


def told(events: list[Event]) -> tuple[float, float]:
    """Reads images a second, and the share of time spent beside steps, from the last training's journal.

    Raises BenchmarkError where it does not: a training that ended before its second report has no speed.
    """
    for event in reversed(events):
        if event.stage == "train" and "images_per_second" in event.facts:
            return float(event.facts["images_per_second"]), float(event.facts["overhead_share"])
    raise BenchmarkError("the journal tells no speed of a training")


def _images(folder: Path, wanted: str | int) -> int:
    from mnistgan.datasets.arrays import load

    if isinstance(wanted, int):
        return wanted
    splits = ("train", "validation") if wanted == "all" else ("train",)
    return sum(len(load(folder / "data" / f"{split}.npz")) for split in splits)


@contextmanager
def _scratch(changes: Mapping[str, int]) -> Iterator[Path]:
    """A folder with the code, the data and params.yaml, the default recipe changed."""
    from ruamel.yaml import YAML

    if not (DATA / "train.npz").exists():
        raise BenchmarkError("data/train.npz: no such file; `make repro` or `dvc repro prepare` makes it")
    with tempfile.TemporaryDirectory(prefix="mnistgan-bench-") as name:
        folder = Path(name).resolve()
        (folder / ".dvc").mkdir()
        for part in COPIED:
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / DATA.name).symlink_to(DATA)
        for file in (layout.PARAMS, layout.PIPELINE, layout.LOCK, layout.IGNORED):
            if (ROOT / file).exists():
                shutil.copyfile(ROOT / file, folder / file)
        yaml = YAML()
        train = yaml.load((ROOT / layout.PARAMS).read_text("utf-8"))["train"]
        recipes = recipes_file(train["family"])
        given = yaml.load((ROOT / recipes).read_text("utf-8"))
        given[train["recipe"]].update(changes)
        with (folder / recipes).open("w", encoding="utf-8") as changed:
            yaml.dump(given, changed)
        yield folder


def _children(pid: int) -> list[int]:
    return [int(child) for child in _proc(pid, f"task/{pid}/children").split()]


def _peak_kib(pid: int) -> int:
    found = [line.split()[1] for line in _proc(pid, "status").splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) if found else 0


def _processor_seconds(pid: int) -> float:
    fields = _proc(pid, "stat").rpartition(")")[2].split()  # a name may hold blanks, and ends with the bracket
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") if fields else 0.0  # its own, and its children's


def _proc(pid: int, name: str) -> str:
    """A file of the kernel about a process; nothing once that has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def main() -> None:
    """Trains and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, help="of the default recipe; all of them if left out")
    epochs = parser.parse_args().epochs
    print(measure(epochs=epochs) if epochs else measure())


if __name__ == "__main__":
    ending(main)
