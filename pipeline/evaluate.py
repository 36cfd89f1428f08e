"""Measure a generator's samples against real images."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistgan.errors import UsageError
from pipeline import console
from pipeline.stage import Verbose, load_tensorflow, running

if TYPE_CHECKING:
    import numpy as np

    from mnistgan.evaluation.measuring import Evaluation
    from mnistgan.params import EvaluateParams
    from mnistgan.progress import Progress


class TrainedOn(StrEnum):
    """Which images the generator has seen."""

    TRAIN = "train"
    ALL = "all"


def evaluate(
    train: Annotated[Path, typer.Option(help="Training images: the classes' prior, and what a generator could copy.")],
    validation: Annotated[Path, typer.Option(help="Validation images: what real data gets, the floor.")],
    test: Annotated[Path, typer.Option(help="Test images: what everything is measured against.")],
    rulers: Annotated[Path, typer.Option(help="Folder of the pinned rulers and their cards.")],
    metrics: Annotated[Path, typer.Option(help="JSON to write: every metric with its floor or real value.")],
    classes: Annotated[Path, typer.Option(help="CSV to write: each digit's share, and its prior.")],
    generator: Annotated[Path | None, typer.Option(help="Weights of the generator to measure.")] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="Images to measure in its place: .npy, .npz or a folder of PNG files, 28 x 28, grey."),
    ] = None,
    trained_on: Annotated[
        TrainedOn | None,
        typer.Option(
            help="Images that the generator has seen, and could copy; as params.yaml's recipe says if left out."
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Measure samples against the test images by the pinned rulers.

    Draws `evaluate.samples` images from `evaluate.latent_seed`, or takes those of --samples, and writes FID at two
    layers of the classifier and in pixel components, KID, precision, recall, density, coverage, the classifier
    score, class balance, novelty, repetition and pixel statistics; each beside what real validation images get. FID,
    KID, repetition: lower is better. Recall and coverage: higher is better. Precision, density, classifier score:
    as near to the real value as can be. FIDs of other pins do not compare.
    """
    if (generator is None) == (samples is None):
        raise UsageError("give --generator WEIGHTS or --samples IMAGES, one of the two")
    with running("evaluate") as params, console.progress() as progress:
        # Before TensorFlow is loaded, so that images that are not taken are refused at once.
        outside = _outside(samples, params.evaluate.samples, progress) if samples else None
        load_tensorflow(verbose, params.train.threads)
        from mnistgan import files
        from mnistgan.data.arrays import load
        from mnistgan.evaluation import measuring
        from mnistgan.rulers import classifier, pixels
        from mnistgan.rulers.pins import pins
        from mnistgan.rulers.real import RealData

        real = RealData(load(train), load(validation), load(test))
        network, components = classifier.load(rulers), pixels.load(rulers)
        images = outside if outside is not None else _drawn(generator, params.evaluate, progress)
        seen = trained_on.value if trained_on else params.recipe.images
        reference = measuring.Reference(real, network, components, len(images), progress)
        found = reference.measure(images, seen, progress=progress)
        seed = params.evaluate.latent_seed if generator else None
        pinned = pins(network.digest, classifier.LAYERS, components.digest, real.digests, len(images), seed)
        files.write_json(metrics, {**found.report, "pins": str(pinned)})
        rows = (",".join(map(str, row)) for row in measuring.class_rows(found.balance))
        files.write_bytes(classes, "\n".join(["digit,share,prior", *rows, ""]).encode())
        console.summary(_summary(found))


def _outside(samples: Path, count: int, progress: "Progress") -> "np.ndarray":
    from mnistgan.evaluation.outside import read

    return read(samples, count, progress)


def _drawn(generator: Path | None, params: "EvaluateParams", progress: "Progress") -> "np.ndarray":
    from mnistgan.models import sampling

    assert generator is not None
    network = sampling.load(generator)
    return network.images(sampling.latents(params.latent_seed, params.samples, network.latent_size), progress=progress)


def _summary(found: "Evaluation") -> str:
    report, balance = found.report, found.balance
    distance, score, coverage = report["fid"], report["classifier_score"], report["coverage"]
    dropped = f"; dropped: {', '.join(balance.dropped)}" if balance.dropped else ""
    return (
        f"FID {distance['value']:.4g} (floor {distance['floor']:.3g}, {distance['units']:.3g} of a missing digit), "
        f"classifier score {score['value']:.3f} (real {score['real']:.3f}), "
        f"coverage {coverage['value']:.3f} (real {coverage['real']:.3f}), "
        f"smallest class {balance.smallest} at {balance.smallest_ratio:.2f} of its share{dropped}"
    )
