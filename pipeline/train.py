"""The train stage: params and images in, weights, grids and curves out. It never opens the test images."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from mnistgan.errors import UsageError
from mnistgan.progress import Progress
from pipeline import checkpoints, console, journal, state
from pipeline.stage import Verbose, load_tensorflow, running

if TYPE_CHECKING:
    import numpy as np

    from mnistgan.params import Params


def train(
    train: Annotated[Path, typer.Option(help="Training images, as `prepare` writes them.")],
    validation: Annotated[
        Path,
        typer.Option(help="Validation images: trained on too where the recipe says `images: all`, else not opened."),
    ],
    generator: Annotated[Path, typer.Option(help="Where the generator's final weights go (.npz).")],
    discriminator: Annotated[Path, typer.Option(help="Where the discriminator's final weights go (.npz).")],
    versions: Annotated[Path, typer.Option(help="Where the libraries' versions go (.json).")],
    grids: Annotated[Path, typer.Option(help="Folder for the fixed latents' grids, one PNG each few epochs.")],
    curves: Annotated[Path, typer.Option(help="Where the curves go (.csv), a row each `train.report_every` steps.")],
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore checkpoints and start at step 0.")] = False,
    verbose: Verbose = False,
) -> None:
    """Train the networks by the recipe that params.yaml names.

    Killed or interrupted, the same command goes on from the last checkpoint, to the same bytes.

    The curves: generator_loss is the cross-entropy, in nats, of passing generated images off as real; it rises when
    the discriminator wins. discriminator_loss is that of calling real images real plus that of calling generated ones
    generated: 1.39 (2 log 2) when it can't tell, 0 when it always can. probability_real and probability_fake are what
    the discriminator gives real and generated images on average, 0 to 1, where 1 means real: both near 0.5 when the two
    are matched, far apart when the discriminator wins.
    """
    with running("train") as params, console.progress() as progress, _stop_requests() as should_stop:
        load_tensorflow(verbose, params.train.threads)
        from mnistgan.data import grids as grid_files
        from mnistgan.files import write_json
        from mnistgan.models import sampling
        from mnistgan.training.checkpoint import Checkpoints
        from mnistgan.training.loop import Loop

        images = _images(params, train, validation)
        watcher = _Files(grids, curves, progress, params.recipe.batch_size)
        options = state.part_of_workspace("train").options
        declared = (options["train"], options["validation"]) == (train, validation)
        with checkpoints.folder_of(images, declared) as folder:
            grid_files.clear(grids)
            loop = Loop(params.train, params.recipe, images, watcher, Checkpoints(folder), should_stop)
            final = loop.run(fresh=fresh)
        sampling.save(generator, params.recipe.kind, loop.snapshot(final))
        sampling.save(discriminator, params.recipe.kind, final.discriminator)
        write_json(versions, state.installed_versions())
        if watcher.images_per_second:
            journal.note(images_per_second=round(watcher.images_per_second, 1))
        last = final.rows[-1]
        console.summary(
            f"trained {params.train.recipe} (seed {params.train.seed}) to step {final.step}: "
            f"generator loss {last['generator_loss']:.2f}, discriminator loss {last['discriminator_loss']:.2f}, "
            f"D(real) {last['probability_real']:.2f}, D(fake) {last['probability_fake']:.2f}; "
            f"{watcher.images_per_second:.0f} images/s"
        )


class _Files:
    """Writes what the loop reports: the curves and grids as files, progress to the terminal, speed to the journal."""

    def __init__(self, grids: Path, curves: Path, progress: Progress, batch_size: int):
        self.grids = grids
        self.curves = curves
        self.progress = progress
        self.batch_size = batch_size
        self.speed = _Speed()

    def resumed(self, step: int, checkpoint: Path) -> None:
        console.say(f"goes on at step {step} from {checkpoint}")

    def stepped(self, step: int, total: int, scalars: dict[str, float]) -> None:
        self.speed.see(step)
        self.progress(
            "train",
            step,
            total,
            f"{self.images_per_second:.0f} images/s, losses G {scalars['generator_loss']:.2f} "
            f"D {scalars['discriminator_loss']:.2f}, "
            f"D(real) {scalars['probability_real']:.2f} D(fake) {scalars['probability_fake']:.2f}",
        )

    def rows(self, rows: list[dict[str, float]]) -> None:
        import pandas as pd

        from mnistgan.files import replacing
        from mnistgan.training.step import SCALARS

        table = pd.DataFrame(rows, columns=["epoch", "step", *SCALARS])
        with replacing(self.curves) as beside:
            table.to_csv(beside, index=False, float_format="%.6g", lineterminator="\n")

    def grid(self, epoch: int, images: "np.ndarray") -> None:
        from mnistgan.data import grids

        grids.write(self.grids, epoch, images)

    def warn(self, message: str) -> None:
        console.warn(message)

    @property
    def images_per_second(self) -> float:
        """How fast it trains; 0 where nothing was left to train."""
        return self.speed.per_second * self.batch_size


class _Speed:
    """Steps per second since the first report, which the compilation before it would slow."""

    def __init__(self) -> None:
        self.first: tuple[float, int] | None = None
        self.per_second = 0.0

    def see(self, step: int) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first = now, step
        elif now > self.first[0]:
            self.per_second = (step - self.first[1]) / (now - self.first[0])


def _images(params: "Params", train: Path, validation: Path) -> "np.ndarray":
    """The images that the recipe trains on, uint8 [N, 28, 28]."""
    import numpy as np

    from mnistgan.data import arrays

    wanted = params.recipe.images
    images = arrays.load(train).images
    if wanted == "all":
        return np.concatenate([images, arrays.load(validation).images])
    if wanted == "train":
        return images
    if wanted > len(images):
        raise UsageError(f"recipes.{params.train.recipe}.images: got {wanted}; {train} holds {len(images)}")
    return images[:wanted]


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request to save and stop; a second one stops at once."""
    requested = said = False

    def request(_signum: int, _frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            raise KeyboardInterrupt
        requested = True  # and no more: what a signal cuts into may be a print

    def should_stop() -> bool:
        nonlocal said
        if requested and not said:
            said = True
            console.warn("stops once this is saved; again to stop at once")
        return requested

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield should_stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
