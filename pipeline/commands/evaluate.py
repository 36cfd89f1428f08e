"""Measures a generator's samples against real images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mnistgan.errors import DataError, UsageError
from mnistgan.rulers.pins import pins
from pipeline import console
from pipeline.places import Out, tried
from pipeline.runtime import load_tensorflow
from pipeline.stage import Verbose, naming, running

if TYPE_CHECKING:
    from mnistgan.evaluation.measuring import Evaluation


@tried()
def evaluate(
    train: Annotated[Path, typer.Option(help="Training images: the classes' prior, and what a generator could copy.")],
    validation: Annotated[Path, typer.Option(help="Validation images: what real data gets, the floor.")],
    test: Annotated[Path, typer.Option(help="Test images: what everything is measured against.")],
    metrics: Annotated[
        Path, typer.Option(help="JSON to write: every metric with its floor or real value."), Out(".json")
    ],
    scores: Annotated[
        Path, typer.Option(help="JSON to write: of all that the figures that decide, numbers alone."), Out(".json")
    ],
    classes: Annotated[Path, typer.Option(help="CSV to write: each class's share, and its prior."), Out(".csv")],
    rulers: Annotated[
        Path | None, typer.Option(help="Folder of the rulers and their cards; the data set's if left out.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of the model to measure (.npz).")] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="Images to measure in its place: .npy, .npz or a folder of PNG files, 28 x 28, grey."),
    ] = None,
    trained_on: Annotated[
        Literal["train", "all"] | None,
        typer.Option(help="Images that the model has seen, and could copy; as params.yaml's recipe says if left out."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Measure samples against the test images by the pinned rulers.

    Draws `evaluate.samples` images from `evaluate.latent_seed`, or takes as many of --samples, and writes FID at two
    layers of the classifier and in pixel components, KID, precision, recall, density, coverage, the classifier
    score, class balance, novelty, repetition and pixel statistics; each beside what real validation images get. FID,
    KID, repetition: lower is better. Recall and coverage: higher is better. Precision, density, classifier score:
    as near to the real value as can be. FIDs by other rulers, splits or sample counts do not compare. A family that
    takes classes is asked for each as often as the training images have it, and how many show what was asked for is
    written beside.

    Of data without classes all that needs none is measured: by the pixel components throughout, and FID over its floor.

    The verdict is healthy, or collapsed, memorised or unsure with its evidence, where a figure is past what it is when
    a fifth of the samples is at fault (docs/controls.md).
    """
    if (weights is None) == (samples is None):
        raise UsageError("give --weights WEIGHTS or --samples IMAGES, one of the two")
    with running("evaluate") as params, console.progress() as progress:
        from mnistgan import files
        from mnistgan.datasets.arrays import load
        from mnistgan.evaluation import verdict
        from mnistgan.evaluation.outside import read
        from mnistgan.rulers import cards
        from mnistgan.rulers.real import RealData

        # All that can be refused is, before anything is drawn or measured; most of it before TensorFlow is loaded.
        outside = read(samples, params.evaluate.samples, progress) if samples else None
        if outside and outside.oddity:
            console.warn(f"{samples}: {outside.oddity}")
        real = RealData(load(train), load(validation), load(test), params.dataset)
        folder = rulers or cards.folder_of(params.data.name)
        thresholds = verdict.load(folder, bool(params.dataset.classes))
        cards.demand_data(folder, real.named_digests)
        count = params.evaluate.samples
        for path, split in ((validation, real.validation), (test, real.test)):
            if len(split) < count:
                raise DataError(f"{path}: {len(split)} images; needs {count}, the `evaluate.samples` of params.yaml")
        load_tensorflow(verbose, params.train.threads)
        from mnistgan.evaluation import measuring
        from mnistgan.families import sampling
        from mnistgan.families.contract import Ask
        from mnistgan.rulers import classifier, pixels

        network, components = classifier.load(folder), pixels.load(folder)
        sampler = sampling.load(weights, params.dataset.counts) if weights else None
        seed = params.evaluate.latent_seed if sampler else None
        pinned = pins(network.digest, classifier.LAYERS, components.digest, real.digests, count, seed)
        thresholds.demand(pinned)
        with naming(train, validation, test):
            reference = measuring.Reference(real, network, components, count, progress)
        by_class = sampler is not None and sampler.takes_classes
        shares = real.train.class_counts[: network.classes]
        asked = sampling.by_share(shares, count, params.evaluate.latent_seed) if by_class else None
        ask = Ask(count, params.evaluate.latent_seed, asked)
        images = sampler.images(ask, progress) if sampler else outside.images if outside else None
        assert images is not None
        seen = trained_on or params.recipe.images
        found = reference.measure(images, seen, asked=asked, progress=progress)
        walked = {"interpolation": measuring.smoothness(sampler, params.evaluate.latent_seed)} if sampler else {}
        report = found.report | walked
        judged = verdict.verdict(report, thresholds.limits, params.dataset.classes)
        which = {"images": outside.drawn} if outside else {}
        figures = {"verdict": judged, **report, **which, "pins": str(pinned)}
        rows = (",".join(map(str, row)) for row in measuring.class_rows(found.balance))
        table = "\n".join(["class,share,prior", *rows, ""]).encode()
        deciding = verdict.scores(figures)
        files.write_all({metrics: files.as_json(figures), scores: files.as_json(deciding), classes: table})
        told = f"{samples}, {outside.drawn}: " if outside else ""
        console.summary(f"{told}{_summary(found)}; {judged}")


def _summary(found: "Evaluation") -> str:
    report, balance = found.report, found.balance
    distance, score, coverage = report["fid"], report.get("classifier_score"), report["coverage"]
    dropped = f"; dropped: {', '.join(balance.dropped)}" if balance.dropped else ""
    told = (
        f"FID {distance['value']:.4g} (floor {distance['floor']:.3g}, relative {distance['relative']:.3g})",
        f"classifier score {score['value']:.3f} (real {score['real']:.3f})" if score else "",
        f"coverage {coverage['value']:.3f} (real {coverage['real']:.3f})",
        f"smallest class {balance.smallest} at {balance.smallest_ratio:.2f} of its share{dropped}" if score else "",
    )
    return ", ".join(filter(None, told))
