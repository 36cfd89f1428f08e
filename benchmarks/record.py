"""Records the training that a repository's dvc.lock holds as a CSV of looks with their times, for the frontier.

The times come from the journal of that training: images a second, and the share of time spent beside steps, over all
of it. Where something else ran on the machine meanwhile, give the speed that was measured apart.

    .venv/bin/python -m benchmarks.record
    .venv/bin/python -m benchmarks.record --rev baser-wort --images-per-second 504
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from benchmarks.ending import BenchmarkError, ending
from benchmarks.runs import FOLDER, Run, TimedLook
from benchmarks.training import told
from mnistgan.datasets import contract
from mnistgan.errors import DataError, UsageError
from mnistgan.families import recipes_file
from mnistgan.files import write_bytes
from mnistgan.metrics.looks import Look, parse
from pipeline.dvcfiles import digests, dvc_lock, git, layout
from pipeline.results import former
from pipeline.runs import journal, keys, machine
from pipeline.runs.journal import Event, Kind


@dataclass(frozen=True)
class Real:
    """Figures of real images at a look, in place of samples: those without a single 8, and those of every digit."""

    missing_class: Look
    floor: Look


@dataclass(frozen=True)
class Trained:
    """A training, read from a dvc.lock and its journal."""

    recipe: str
    seed: int
    batch_size: int
    key: str
    processor: str
    commit: str
    images_per_second: float
    overhead_share: float
    looks: tuple[Look, ...]

    @classmethod
    def of(cls, folder: Path, rev: str | None = None, images_per_second: float | None = None) -> "Trained":
        """Reads the training that the workspace in ``folder``, or a commit or experiment of it, records.

        Raises UsageError, DataError or BenchmarkError where a part of it is not to be had.
        """
        lock = _text(layout.LOCK, folder, rev)
        part = dvc_lock.parts_of(lock).get("train")
        if part is None:
            raise UsageError(f"{folder / layout.LOCK} records no training; run `dvc repro train` first")
        looks_path = part.options["looks"]
        if rev is None and digests.md5_of(folder / looks_path) != part.outs[str(looks_path)]:
            raise DataError(f"{folder / looks_path}: not the one that {layout.LOCK} records; `dvc repro` makes it anew")
        key = keys.train_key(part, machine.recorded_versions(part, folder))
        path = journal.path_of(layout.main_root(folder), key)
        events = journal.read(path)
        if not events:
            raise DataError(f"{path}: no such journal, so the times of this training are not known")
        speed, share = told(events)
        params = former.parts({"train": part})["train"].params
        trained = params[str(layout.PARAMS)]["train"]
        return cls(
            recipe=trained["recipe"],
            seed=trained["seed"],
            batch_size=params[recipes_file(trained["family"])][trained["recipe"]]["batch_size"],
            key=key[: keys.SHORT],
            processor=_at_start(events, "cpu"),
            commit=_at_start(events, "commit"),
            images_per_second=images_per_second or speed,
            overhead_share=share,
            looks=tuple(parse(_text(looks_path, folder, rev), str(looks_path))),
        )

    def run(self, name: str, real: Real) -> Run:
        """Computes the looks' times: as fast as the whole training was, and as much beside the steps."""
        return Run(name, tuple(self._timed(look, real) for look in self.looks))

    def _timed(self, look: Look, real: Real) -> TimedLook:
        steps_seconds = look.step * self.batch_size / self.images_per_second
        return TimedLook(
            recipe=self.recipe,
            seed=self.seed,
            key=self.key,
            processor=self.processor,
            images_per_second=self.images_per_second,
            epoch=look.epoch,
            step=look.step,
            seconds=round(steps_seconds / (1 - self.overhead_share), 1),
            fid=look.fid,
            fid_missing_class=real.missing_class.fid,
            fid_floor=real.floor.fid,
            fid_pixels=look.fid_pixels,
            fid_pixels_missing_class=real.missing_class.fid_pixels,
            fid_pixels_floor=real.floor.fid_pixels,
            coverage=look.coverage,
            smallest_ratio=look.smallest_ratio,
        )


def _text(path: Path, folder: Path, rev: str | None) -> str:
    if rev is None:
        try:
            return (folder / path).read_text("utf-8")
        except FileNotFoundError as error:
            raise DataError(f"{folder / path}: no such file; run `dvc repro` there first") from error
    found = git.ask("show", f"{_commit(folder, rev)}:{path}", folder=folder)
    if found is None:
        raise DataError(f"{path}: not in {rev}")
    return found.decode()


def _commit(folder: Path, rev: str) -> str:
    """The commit that git or, by an experiment's name, DVC calls so. Raises UsageError where there is none."""
    if found := git.ask("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}", folder=folder):
        return found.decode().strip()
    listed = git.ask("for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{rev}", folder=folder) or b""
    if commits := listed.decode().split():
        return commits[0]
    raise UsageError(f"--rev: got {rev}, which is no commit and no experiment in {folder}")


def _at_start(events: list[Event], fact: str) -> str:
    starts = [event.facts for event in events if event.kind is Kind.START and event.stage == "train"]
    return str(starts[-1].get(fact, "not known")) if starts else "not known"


def real_images(data: str, train_file: Path, validation_file: Path) -> Real:
    """Measures real images at a look: as many as it has samples, of the validation images that it does not look at.

    ``data``: the data set that the files of its splits hold.

    Raises BenchmarkError where there are too few of those.
    """
    import numpy as np

    from mnistgan.datasets.arrays import load
    from mnistgan.rulers import classifier, pixels
    from mnistgan.rulers.real import subset
    from mnistgan.training.validation import Validation

    train, validation = load(train_file), load(validation_file)
    rulers, facts = ROOT / "pretrained" / data, contract.load(data, ROOT)
    judge = Validation(train, validation, classifier.load(rulers), pixels.load(rulers), seed=0)
    count = len(judge.real)
    others = validation[np.setdiff1d(np.arange(len(validation)), subset(len(validation), count, "validation"))]
    lacking = others[np.flatnonzero(others.labels != facts.missing_class)]
    if len(lacking) < count:
        raise BenchmarkError(
            f"{len(lacking)} validation images that no look sees and of the classes but one; takes {count}"
        )
    lacking, floor = (judge.measure(real[np.arange(count)].images, 0, 0) for real in (lacking, others))
    return Real(lacking, floor)


def main() -> None:
    """Records and say where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT, help="the repository that holds the training")
    parser.add_argument("--rev", help="a commit or an experiment's name; the workspace's dvc.lock if left out")
    parser.add_argument("--name", help="of the file; RECIPE_SEED if left out")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the recorded runs")
    parser.add_argument(
        "--images-per-second", type=float, help="measured apart, where the training shared its machine; else as it ran"
    )
    options = parser.parse_args()
    trained = Trained.of(options.folder.resolve(), options.rev, options.images_per_second)
    run = trained.run(
        options.name or f"{trained.recipe}_{trained.seed}",
        real_images("mnist", *(options.folder / "data" / f"{split}.npz" for split in ("train", "validation"))),
    )
    path = options.out / f"{run.name}.csv"
    write_bytes(path, run.dumps().encode())
    last = run.looks[-1]
    print(
        f"{path}: {len(run.looks)} looks over {run.seconds / 60:.1f} minutes; "
        f"relative FID {last.relative:.3f} at the last one (floor {last.floor:.3f})"
    )


if __name__ == "__main__":
    ending(main)
