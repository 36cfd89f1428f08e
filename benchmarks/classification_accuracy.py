"""Tests on real images what a classifier learns from samples, beside one that learned from as many real images.

The classification accuracy score of Ravuri and Vinyals, arXiv 1905.10887, of families that can be asked for a class:

    .venv/bin/python -m benchmarks.classification_accuracy --weights models/final.npz --seeds 3 --out accuracy.json

Where samples lack variety in a class, or show another than was asked for, there is less to learn. Both classifiers get
as many images of each class, the classifier ruler's network and its training on this data (datasets/NAME/dataset.yaml),
and keep the epoch that is best on the same 2,000 validation images; each reads the test images once, at the end. A seed
draws samples, real images and the training of both. Samples may be worth more than as many real images: the generator
has seen more of them.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks import ROOT
from benchmarks.ending import BenchmarkError, ending
from benchmarks.mnist import prepared
from mnistgan import params
from mnistgan.comparison.differences import half_of_mean
from mnistgan.datasets.arrays import Images
from mnistgan.datasets.contract import DataSet
from mnistgan.datasets.split import stratified
from mnistgan.errors import UsageError
from mnistgan.evaluation import fitting
from mnistgan.families import sampling
from mnistgan.families.contract import Ask
from mnistgan.families.sampling import Sampler
from mnistgan.files import sha256, write_json
from mnistgan.metrics.as_asked import AsAsked, as_asked
from mnistgan.progress import Progress, silent
from mnistgan.rulers.classifier import Classifier
from mnistgan.rulers.real import RealData, subset
from pipeline import console, places
from pipeline.runtime import load_tensorflow

VALIDATION = 2000
FROM = ("samples", "real images")
Scores = Mapping[str, AsAsked]
"""How the test images are read, by what the classifier has learned from."""


def load(weights: Path, facts: DataSet) -> Sampler:
    """Loads what draws. Raises UsageError where it can't be asked for a class."""
    sampler = sampling.load(weights, facts.counts)
    if not facts.classes or not sampler.takes_classes:
        raise UsageError(
            f"--weights {weights}: can't be asked for a class, so its samples have no labels to learn; takes weights "
            "of a family that can, as cgan"
        )
    return sampler


def scores(
    sampler: Sampler, real: RealData, count: int, recipe: fitting.Settings, progress: Progress = silent
) -> Scores:
    """Trains a classifier on ``count`` samples and another on as many training images; tests both."""
    asked = sampling.by_share(real.train.class_counts[: len(real.facts.classes)], count, recipe.seed)
    samples = Images(sampler.images(Ask(count, recipe.seed, asked), progress), asked.astype(np.uint8))
    chosen = real.train[stratified(real.train.labels, count, recipe.seed)[1]]
    return {name: taught(by, real, recipe, progress) for name, by in zip(FROM, (samples, chosen), strict=True)}


def taught(by: Images, real: RealData, recipe: fitting.Settings, progress: Progress = silent) -> AsAsked:
    """Trains a classifier on labelled images; tells how it reads the test images, with 95% intervals over these."""
    held = real.validation[subset(len(real.validation), min(VALIDATION, len(real.validation)), "validation")]
    names = real.facts.classes
    network = Classifier(fitting.fit(by, held, recipe, progress).arrays, "not saved", len(names))
    return as_asked(network.features(real.test.images).logits.argmax(axis=1), real.test.labels, names)


def worded(found: Scores) -> str:
    """Words the two accuracies of a seed."""
    return "; ".join(
        f"from {name} {score.share.value:.2%} ({score.share.low:.2%} to {score.share.high:.2%}), "
        f"worst class {score.worst.name} {score.worst.share:.2%}"
        for name, score in found.items()
    )


def compared(found: Sequence[Scores]) -> str:
    """Words the means over two or more seeds, and that of their differences with its 95% interval by Student's t."""
    samples, real = ([one[name].share.value for one in found] for name in FROM)
    gaps = [100 * (more - less) for less, more in zip(samples, real, strict=True)]
    mean, half = fmean(gaps), half_of_mean(gaps)
    return (
        f"from samples {fmean(samples):.2%}, from real images {fmean(real):.2%}, the second less the first "
        f"{mean:.2f} points ({mean - half:.2f} to {mean + half:.2f})"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"got {text!r}; takes a whole number from 1 on")
    return int(text)


def main() -> None:
    """Prints a line a seed, and one for all where there are several."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=ROOT / "models" / "final.npz", help="what draws the samples")
    parser.add_argument("--count", type=_count, default=10_000, help="images that each classifier learns from")
    parser.add_argument("--seeds", type=_count, default=1, help="so many, from 0 on")
    parser.add_argument("--epochs", type=_count, help="of both trainings; the data set's if left out")
    parser.add_argument("--out", type=Path, help="JSON to write")
    options = parser.parse_args()
    if options.out:
        places.demand({"out": (options.out, places.Out(".json"))})
    given = params.load(ROOT / "params.yaml")
    load_tensorflow(verbose=False, threads=given.train.threads)
    sampler = load(options.weights, given.dataset)
    recipe = fitting.Settings(**given.dataset.classifier.model_dump())
    recipe = replace(recipe, epochs=options.epochs or recipe.epochs)
    if options.count < recipe.batch_size:
        raise BenchmarkError(f"--count {options.count}: takes {recipe.batch_size} or more, a step's")
    real, found = RealData(*map(prepared, ("train", "validation", "test")), facts=given.dataset), []
    for seed in range(options.seeds):
        with console.progress() as progress:
            found.append(scores(sampler, real, options.count, replace(recipe, seed=seed), progress))
        print(f"seed {seed}: {worded(found[-1])}", flush=True)
    if len(found) > 1:
        print(f"{len(found)} seeds: {compared(found)}")
    if options.out:
        of = {"weights": sha256(options.weights), "data": given.data.name, "count": options.count}
        seeds = [{name: {**vars(one.share), "worst": vars(one.worst)} for name, one in each.items()} for each in found]
        write_json(options.out, {**of, "epochs": recipe.epochs, "seeds": seeds})


if __name__ == "__main__":
    ending(main)
