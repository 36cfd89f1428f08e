"""Measures a training's generators again from kept checkpoints: as they are, with fresh BatchNorm, and averaged.

A recipe that averages nothing and keeps BatchNorm's moving statistics, as the article's, swings from look to look. This
tells how much of that is the weights' own. `keep` links every checkpoint of a training into a folder until it is
stopped, since the training itself keeps but two; `read` looks at one an epoch, three ways, into a CSV:

    .venv/bin/python -m benchmarks.rereading keep checkpoints/KEY kept
    .venv/bin/python -m benchmarks.rereading read kept --recipe article --out benchmarks/rereads/article_0.csv
"""

import argparse
import csv
import io
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT
from benchmarks.ending import BenchmarkError, ending
from benchmarks.mnist import RULERS, SPEC
from mnistgan import families, params
from mnistgan.datasets.arrays import load
from mnistgan.families.sampling import Sampler, latents
from mnistgan.files import read_arrays, write_bytes
from mnistgan.metrics.looks import COLUMNS, Look
from mnistgan.nn import weights
from mnistgan.nn.layers import recompute_batchnorm
from mnistgan.rulers import classifier, pixels
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.loop import STATISTICS_LATENTS, STATISTICS_STREAM
from mnistgan.training.validation import Validation

WAYS = ("as it is", "fresh BatchNorm", "averaged, fresh BatchNorm")
AVERAGED_EPOCHS = 2
"""About as many of the article's steps as `fast` averages over: 500, 1 / (1 - 0.998)."""
SECONDS_BETWEEN_POLLS = 5.0
REMEMBERED = 32
"""So many checkpoints' weights, 9 MB each, more than are averaged: each is read once."""

Weights = dict[str, np.ndarray]


def keep(checkpoints: Path, kept: Path) -> None:
    """Links each checkpoint that comes, until Ctrl-C; they are renamed into place, so each is whole."""
    kept.mkdir(parents=True, exist_ok=True)
    while True:
        for path in Checkpoints(checkpoints).newest_first():
            try:
                (kept / path.name).hardlink_to(path)
            except (FileExistsError, FileNotFoundError):  # linked before; gone since the folder was read
                continue
        time.sleep(SECONDS_BETWEEN_POLLS)


def steps_of(kept: Path) -> dict[int, Path]:
    """The kept checkpoints by step, in order. Raises BenchmarkError where there is none."""
    found = {_progress(path)["step"]: path for path in reversed(Checkpoints(kept).newest_first())}
    if not found:
        raise BenchmarkError(f"{kept}: no checkpoint; `keep` links them while a training runs")
    return found


def steps_per_epoch(newest: Path) -> int:
    """Counts them by the looks in a checkpoint. Raises BenchmarkError where it has seen none."""
    looks = _progress(newest)["looks"]
    if not looks:
        raise BenchmarkError(f"{newest}: from before the end of the first epoch; keep later ones")
    return int(looks[-1]["step"]) // int(looks[-1]["epoch"])


def chosen(steps: Sequence[int], of_epoch: int) -> Iterator[tuple[int, int]]:
    """For each end of an epoch of so many steps the first step at or after it, within the next: (epoch, step)."""
    for epoch in range(1, max(steps) // of_epoch + 1):
        within = [step for step in steps if epoch * of_epoch <= step < (epoch + 1) * of_epoch]
        if within:
            yield epoch, within[0]


@lru_cache(REMEMBERED)
def generator_weights(path: Path) -> Weights:
    """The generator's weights in a checkpoint, by name."""
    return {
        name.removeprefix("generator/"): array
        for name, array in read_arrays(path).items()
        if name.startswith("generator/")
    }


def mean(several: Sequence[Weights]) -> Weights:
    """The mean of several weights, each by name; float32."""
    return {name: np.mean([each[name] for each in several], axis=0, dtype=np.float32) for name in several[0]}


def _progress(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as held:
        told: dict[str, Any] = json.loads(str(held["progress"]))
    return told


class Reader:
    """Looks at what a family's networks draw as their training did."""

    def __init__(self, family: str, seed: int):
        self.family, self.seed = families.find(family), seed
        train, validation = load(ROOT / "data/train.npz"), load(ROOT / "data/validation.npz")
        rulers = RULERS
        self.judge = Validation(train, validation, classifier.load(rulers), pixels.load(rulers), seed)

    def look(self, named: Weights, epoch: int, step: int, *, fresh: bool) -> Look:
        """Looks at one generator, with its BatchNorm statistics measured ``fresh`` or as they are."""
        network = self.family.build_sampled(SPEC, self.seed)
        weights.load(network, named, f"step {step}")
        if fresh:
            seed = [self.seed, STATISTICS_STREAM]
            recompute_batchnorm(network, latents(seed, STATISTICS_LATENTS, self.family.latent_size))
        return self.judge.look(Sampler(self.family, network, SPEC), epoch, step)

    def read(self, kept: Path) -> Iterator[tuple[Look, str]]:
        """Each epoch's first kept checkpoint, three ways; an average is over the epochs before it."""
        paths = steps_of(kept)
        of_epoch = steps_per_epoch(paths[max(paths)])
        for epoch, step in chosen(list(paths), of_epoch):
            now = generator_weights(paths[step])
            since = step - AVERAGED_EPOCHS * of_epoch
            lately = mean([generator_weights(path) for each, path in paths.items() if since < each <= step])
            yield self.look(now, epoch, step, fresh=False), WAYS[0]
            yield self.look(now, epoch, step, fresh=True), WAYS[1]
            yield self.look(lately, epoch, step, fresh=True), WAYS[2]


def read(kept: Path, recipe: str, seed: int, out: Path) -> None:
    """Writes the looks as CSV, a line a way a look, and say each."""
    given = params.load(ROOT / "params.yaml")
    if recipe not in (recipes := given.recipes):
        raise BenchmarkError(f"--recipe: got {recipe}; params.yaml has {', '.join(recipes)}")
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow((*COLUMNS, "way"))
    for look, way in Reader(given.train.family, seed).read(kept):
        lines.writerow((*astuple(look), way))
        print(f"epoch {look.epoch}, step {look.step}, {way}: FID {look.fid}, pixels {look.fid_pixels}")
    write_bytes(out, text.getvalue().encode())


def main() -> None:
    """Keeps or read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    keeping = commands.add_parser("keep", help="link every checkpoint of a training, until Ctrl-C")
    keeping.add_argument("checkpoints", type=Path, help="the training's folder of checkpoints")
    keeping.add_argument("kept", type=Path, help="where to; on the same file system")
    reading = commands.add_parser("read", help="look at what was kept")
    reading.add_argument("kept", type=Path)
    reading.add_argument("--recipe", required=True)
    reading.add_argument("--seed", type=int, default=0)
    reading.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "keep":
        keep(options.checkpoints, options.kept)
    else:
        read(options.kept, options.recipe, options.seed, options.out)


if __name__ == "__main__":
    ending(main)
