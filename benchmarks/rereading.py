"""A training's generators read again from checkpoints kept aside: as they are, with fresh BatchNorm, and averaged.

A recipe that averages nothing and keeps BatchNorm's moving statistics, as the article's, swings from look to look. This
tells how much of that is the weights' own. `keep` links every checkpoint of a training into a folder until it is
stopped, since the training itself keeps but two; `read` looks at one an epoch, three ways, into a CSV:

    .venv/bin/python -m benchmarks.rereading keep checkpoints/KEY kept
    .venv/bin/python -m benchmarks.rereading read kept --recipe article --out benchmarks/rereads/article_0.csv
"""

import argparse
import csv
import io
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT
from benchmarks.ending import BenchmarkError, ending
from mnistgan import params
from mnistgan.files import read_arrays, write_bytes
from mnistgan.training.looks import COLUMNS, Look

WAYS = ("as it is", "fresh BatchNorm", "averaged, fresh BatchNorm")
AVERAGED_EPOCHS = 2
"""About as many of the article's steps as `fast` averages over: 500, 1 / (1 - 0.998)."""
SECONDS_BETWEEN_POLLS = 5.0
_NAME = re.compile(r"step_(\d{9})\.npz")

Weights = dict[str, np.ndarray]


def keep(checkpoints: Path, kept: Path) -> None:
    """Link each checkpoint that comes, until Ctrl-C; they are renamed into place, so each is whole."""
    kept.mkdir(parents=True, exist_ok=True)
    while True:
        for path in checkpoints.glob("step_*.npz"):
            try:
                (kept / path.name).hardlink_to(path)
            except FileExistsError:
                continue
            except FileNotFoundError:  # two newer ones have come since the folder was read
                continue
        time.sleep(SECONDS_BETWEEN_POLLS)


def steps_of(kept: Path) -> dict[int, Path]:
    """The kept checkpoints by step, in order. Raises BenchmarkError where there is none."""
    found = {int(match[1]): path for path in sorted(kept.glob("*.npz")) if (match := _NAME.fullmatch(path.name))}
    if not found:
        raise BenchmarkError(f"{kept}: no checkpoint; `keep` links them while a training runs")
    return found


def chosen(steps: Sequence[int], steps_per_epoch: int) -> Iterator[tuple[int, int]]:
    """For each epoch's end the first step at or after it, and within the next epoch, that was kept: (epoch, step)."""
    for epoch in range(1, max(steps) // steps_per_epoch + 1):
        within = [step for step in steps if epoch * steps_per_epoch <= step < (epoch + 1) * steps_per_epoch]
        if within:
            yield epoch, within[0]


def generator_weights(path: Path) -> Weights:
    """The generator's weights in a checkpoint, by name."""
    return {
        name.removeprefix("generator/"): array
        for name, array in read_arrays(path).items()
        if name.startswith("generator/")
    }


def mean(weights: Sequence[Weights]) -> Weights:
    """The mean of several weights, each by name; float32."""
    return {name: np.mean([each[name] for each in weights], axis=0, dtype=np.float32) for name in weights[0]}


class Reader:
    """Looks at generators of a recipe as its training did."""

    def __init__(self, recipe: params.Recipe, seed: int):
        from mnistgan.data.arrays import load
        from mnistgan.rulers import classifier, pixels
        from mnistgan.training.validation import Validation

        self.kind, self.seed = recipe.kind, seed
        train, validation = load(ROOT / "data/train.npz"), load(ROOT / "data/validation.npz")
        rulers = ROOT / "pretrained"
        self.judge = Validation(train, validation, classifier.load(rulers), pixels.load(rulers), seed)
        self.steps_per_epoch = -(-_images(recipe, len(train), len(validation)) // recipe.batch_size)

    def look(self, weights: Weights, epoch: int, step: int, *, fresh: bool) -> Look:
        """Look at one generator, with its BatchNorm statistics measured ``fresh`` or as they are."""
        from mnistgan.models import sampling
        from mnistgan.models import weights as models_weights
        from mnistgan.models.kinds import KINDS
        from mnistgan.training.average import STATISTICS_LATENTS, recompute_batchnorm
        from mnistgan.training.loop import STATISTICS_STREAM

        network: Any = KINDS[self.kind].generator(self.seed)
        models_weights.load(network, weights, f"step {step}")
        if fresh:
            size = KINDS[self.kind].latent_size
            recompute_batchnorm(network, sampling.latents([self.seed, STATISTICS_STREAM], STATISTICS_LATENTS, size))
        return self.judge.look(sampling.Generator(self.kind, network), epoch, step)

    def read(self, kept: Path) -> Iterator[tuple[Look, str]]:
        """Each epoch's first kept checkpoint, three ways; an average is over the epochs before it."""
        paths = steps_of(kept)
        for epoch, step in chosen(list(paths), self.steps_per_epoch):
            weights = generator_weights(paths[step])
            yield self.look(weights, epoch, step, fresh=False), WAYS[0]
            yield self.look(weights, epoch, step, fresh=True), WAYS[1]
            since = step - AVERAGED_EPOCHS * self.steps_per_epoch
            lately = [generator_weights(path) for each, path in paths.items() if since < each <= step]
            yield self.look(mean(lately), epoch, step, fresh=True), WAYS[2]


def _images(recipe: params.Recipe, train: int, validation: int) -> int:
    return {"all": train + validation, "train": train}.get(str(recipe.images)) or int(recipe.images)


def read(kept: Path, recipe_name: str, seed: int, out: Path) -> None:
    """Write the looks as CSV, a line a way a look, and say each."""
    recipes = params.load(ROOT / "params.yaml").recipes
    if recipe_name not in recipes:
        raise BenchmarkError(f"--recipe: got {recipe_name}; params.yaml has {', '.join(recipes)}")
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow((*COLUMNS, "way"))
    for look, way in Reader(recipes[recipe_name], seed).read(kept):
        lines.writerow((*astuple(look), way))
        print(f"epoch {look.epoch}, step {look.step}, {way}: FID {look.fid}, pixels {look.fid_pixels}")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, text.getvalue().encode())


def main() -> None:
    """Keep or read."""
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
