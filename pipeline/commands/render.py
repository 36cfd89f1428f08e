"""Draws the grids, the progress, the animation and the curves."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistgan.errors import DataError, FormatError, PinsError
from mnistgan.rulers.pins import Pins, check_same
from mnistgan.rulers.pins import pins as make
from pipeline import console
from pipeline.places import Out, tried
from pipeline.runtime import load_tensorflow
from pipeline.stage import PARAMS, Verbose, running

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from mnistgan.datasets.arrays import Images
    from mnistgan.datasets.contract import DataSet
    from mnistgan.drawing.pictures.tables import Metrics
    from mnistgan.families.contract import Chart
    from mnistgan.families.sampling import Sampler
    from mnistgan.params import EvaluateParams, Params
    from mnistgan.progress import Progress
    from mnistgan.rulers.classifier import Classifier

SAMPLES = 1024  # drawn for the rows by class; the first 256 are the grid
SIDE_BY_SIDE = 10  # images a side, of the real and of the generated ones
ASKED = 16  # images of each class, where a class can be asked for
WALKS = 8
STRIP_LATENTS = 12
STRIP_EPOCHS = 12
MOST_FRAMES = 60
HOLD = 4  # the animation's last frame stays this many times as long
LARGE, SMALL = 3, 2  # pixels a side for each pixel of an image
# The two small pictures are kept in git: 150 KB together.
SAMPLES_BYTES = 100_000
PROGRESS_BYTES = 50_000
ROUNDED = 1e-5  # what the rounding of shares may make of a difference that is none


@tried()
def render(
    weights: Annotated[Path, typer.Option(help="The trained model's weights (.npz).")],
    parts: Annotated[Path, typer.Option(help="Folder of the trained model's other parts (.npz).")],
    grids: Annotated[Path, typer.Option(help="Folder of the training's grids, one an epoch (.png).")],
    curves: Annotated[Path, typer.Option(help="The training's losses and probabilities (.csv).")],
    evaluation: Annotated[Path, typer.Option(help="The metrics (.json).")],
    classes: Annotated[Path, typer.Option(help="The share of each class among the samples (.csv).")],
    test: Annotated[Path, typer.Option(help="The test images, to show real beside generated (.npz).")],
    pictures: Annotated[Path, typer.Option(help="Folder where all pictures go."), Out(".png", folder=True)],
    samples: Annotated[Path, typer.Option(help="Where the small sample grid goes, kept in git (.png)."), Out(".png")],
    progress: Annotated[
        Path, typer.Option(help="Where the small progress strip goes, kept in git (.png)."), Out(".png")
    ],
    rulers: Annotated[
        Path | None, typer.Option(help="Folder of the rulers, whose classifier sorts; the data set's if left out.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Draw samples, progress over the epochs, curves and metrics.

    The latents are those of the training's grids: train.grid_seed. Each PNG holds the sha256 of the generator's
    weights (text chunk generator-sha256), the GIF in its comment. Nothing is written unless all could be drawn.
    """
    with running("render") as params, console.progress() as report:
        from mnistgan import files
        from mnistgan.datasets import arrays
        from mnistgan.drawing.evenly import evenly
        from mnistgan.drawing.grids import TRAINING_SIDE, by_epoch, read, untile
        from mnistgan.drawing.pictures import digits, encoding, tables
        from mnistgan.families import sampling
        from mnistgan.rulers import cards

        # All that can be refused is, before anything is drawn; most of it before TensorFlow is loaded.
        try:
            digest = files.sha256(weights)
        except FileNotFoundError as error:
            raise DataError(f"{weights}: no such file; the train stage writes it") from error
        history = by_epoch(grids)
        strip = {epoch: untile(read(history[epoch]))[:STRIP_LATENTS] for epoch in evenly([*history], STRIP_EPOCHS)}
        frames = {epoch: read(history[epoch]) for epoch in evenly([*history], MOST_FRAMES)}
        durations = [params.render.frame_milliseconds] * len(frames)
        durations[-1] *= HOLD
        metrics = tables.metrics(evaluation)
        charts = _charts(curves, metrics, classes, params.dataset)
        real = arrays.load(test)
        load_tensorflow(verbose, params.train.threads)
        reader = _reader(rulers or cards.folder_of(params.data.name), params.evaluate, evaluation, metrics.pins)
        sampler = sampling.load(weights, params.dataset.counts)
        of_family = charts(sampler.family.charts())
        own = _own(sampler, parts, params, real)
        grid, sheets = _sheets(sampler, reader, params, real.images, report)
        images = {"progress.png": digits.progress(strip, LARGE), **sheets, **of_family, **own}
        small = digits.samples(grid, TRAINING_SIDE, SMALL), digits.progress(strip, SMALL)
        contents = {pictures / "training.gif": encoding.gif(digits.frames(frames), durations, digest)}
        for number, (name, image) in enumerate(images.items()):
            report("pictures", number, len(images))
            contents[pictures / name] = encoding.png(image, digest)
        contents[samples] = encoding.small_png(small[0], digest, SAMPLES_BYTES)
        contents[progress] = encoding.small_png(small[1], digest, PROGRESS_BYTES)
        files.write_all(contents)
        report("pictures", len(images), len(images))
    console.summary(
        f"drew {len(contents)} pictures, {sum(map(len, contents.values())) / 1e6:.1f} MB, of which {samples} and "
        f"{progress} are {(len(contents[samples]) + len(contents[progress])) / 1e3:.0f} KB; "
        f"epochs {min(history)} to {max(history)}; generator {digest[:12]}"
    )


def _charts(
    curves: Path, metrics: "Metrics", classes: Path, facts: "DataSet"
) -> "Callable[[Iterable[Chart]], dict[str, Image]]":
    """Reads the charts' data; what comes back draws them beside a family's. Raises DataError for shares of other
    metrics.
    """
    from mnistgan.drawing.pictures import charts, tables

    training = tables.training(curves)
    share, prior = tables.class_shares(classes, len(facts.classes))
    ratio = metrics.smallest_ratio
    if ratio is not None and abs((share - ratio * prior).min()) > ROUNDED:
        raise DataError(f"{classes}: of another evaluation: the metrics' smallest share is {ratio} of its prior")

    def draw(of_family: "Iterable[Chart]") -> "dict[str, Image]":
        try:
            found = {f"{chart.name}.png": charts.curves(chart, training) for chart in of_family}
        except FormatError as error:
            raise FormatError(f"{curves}: {error}") from None
        if facts.classes:
            found["class_histogram.png"] = charts.class_histogram(
                share, prior, metrics.samples, facts.classes, facts.noun, facts.title
            )
        return {
            **found,
            "metrics.png": charts.metrics(metrics.measures, metrics.samples),
        }

    return draw


def _reader(rulers: Path, params: "EvaluateParams", evaluation: Path, pins: "Pins") -> "Classifier":
    """Loads the classifier ruler. Raises DataError where other rulers or params made the evaluation."""
    from mnistgan.rulers import classifier, pixels

    reader, components = classifier.load(rulers), pixels.load(rulers)
    here = replace(
        make(reader.digest, classifier.LAYERS, components.digest, (), params.samples, params.latent_seed),
        splits=pins.splits,  # of images that are not all read here
    )
    try:
        check_same(str(pins), str(here))
    except PinsError as error:
        raise DataError(f"{evaluation}: not measured by {rulers} and {PARAMS} as they are: {error}") from error
    return reader


def _sheets(
    sampler: "Sampler", reader: "Classifier", params: "Params", real: "np.ndarray", report: "Progress"
) -> "tuple[np.ndarray, dict[str, Image]]":
    """Draws the fixed latents' images [256, 28, 28], and by name the sheets of them, more samples and walks."""
    from mnistgan.drawing.grids import TRAINING_SIDE
    from mnistgan.drawing.pictures import digits
    from mnistgan.families import sampling
    from mnistgan.families.contract import Ask

    seed, beside = params.train.grid_seed, SIDE_BY_SIDE**2
    named = params.dataset.classes, params.dataset.noun
    samples = sampler.images(Ask(SAMPLES, seed), report)
    grid = samples[: TRAINING_SIDE**2]
    ends = sampling.latents(seed, 2 * WALKS, sampler.latent_size).reshape(2, WALKS, -1).swapaxes(0, 1)
    walks = sampler.walks(ends, params.render.interpolation_steps, seed)
    spread = real[:: max(1, len(real) // beside)][:beside]
    asked = {"asked.png": digits.asked(_asked(sampler, seed), *named, LARGE)} if sampler.takes_classes else {}
    by_class = {}
    if params.dataset.classes:
        read = reader.features(samples).logits.argmax(axis=1)
        by_class["digits.png"] = digits.by_class(samples, read, *named, LARGE)
    return grid, {
        **asked,
        "samples.png": digits.samples(grid, TRAINING_SIDE, LARGE),
        "interpolation.png": digits.interpolation(walks, LARGE),
        "real_and_generated.png": digits.real_and_generated(spread, grid[:beside], SIDE_BY_SIDE, LARGE),
        **by_class,
    }


def _own(sampler: "Sampler", parts: Path, params: "Params", real: "Images") -> "dict[str, Image]":
    """Draws, by name, the pictures that the family brings of its own; none where it brings none."""
    import numpy as np

    from mnistgan.drawing.grids import TRAINING_SIDE
    from mnistgan.drawing.pictures import digits
    from mnistgan.families import sampling
    from mnistgan.families.contract import Batch
    from mnistgan.families.pictures import Given, Pictured

    if not isinstance(sampler.family, Pictured):
        return {}
    held_out = Batch((real.images[..., None] / 127.5 - 1).astype(np.float32), real.labels)
    latents = sampling.latents(params.train.grid_seed, TRAINING_SIDE**2, sampler.latent_size)
    names, found = params.dataset.classes, sampler.family.pictures(Given(sampler, parts, held_out, latents))
    return {
        f"{name}.png": digits.strips(
            sampling.to_uint8(of["images"]), of["classes"], names, of["title"], of["caption"], LARGE
        )
        for name, of in found.items()
    }


def _asked(sampler: "Sampler", seed: int) -> "np.ndarray":
    """Draws the same latents once for each class, images [classes, ASKED, 28, 28]."""
    import numpy as np

    from mnistgan.families import sampling
    from mnistgan.families.contract import Ask

    count = sampler.spec.classes
    latents = np.tile(sampling.latents(seed, ASKED, sampler.latent_size), (count, 1))
    classes = np.repeat(np.arange(count, dtype=np.int32), ASKED)
    images = sampler.images(Ask(len(classes), latents=latents, classes=classes))
    return images.reshape(count, ASKED, *images.shape[1:])
