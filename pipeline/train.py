"""The train stage: params and images in, weights, grids and curves out. It never opens the test images."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from mnistgan.errors import Interrupted, UsageError
from mnistgan.progress import Progress
from pipeline import console, journal, state
from pipeline.stage import Verbose, load_tensorflow, running

if TYPE_CHECKING:
    import numpy as np

    from mnistgan.params import Params


KEPT_TRAININGS = 2  # folders of checkpoints: this state's and the one before it


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
        load_tensorflow(verbose)
        import tensorflow as tf
        from filelock import FileLock, Timeout

        from mnistgan.models import sampling
        from mnistgan.training.checkpoint import Checkpoints
        from mnistgan.training.loop import Loop

        tf.config.threading.set_intra_op_parallelism_threads(params.train.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
        images = _images(params, train, validation)
        folder = _checkpoint_folder()
        watcher = _Files(grids, curves, progress, params.recipe.batch_size)
        try:
            with FileLock(folder.with_suffix(".lock"), timeout=0):
                loop = Loop(params.train, params.recipe, images, watcher, Checkpoints(folder), should_stop)
                final = loop.run(fresh=fresh)
        except Timeout as error:
            raise Interrupted(f"another process is training this very state ({folder}.lock); wait for it") from error
        sampling.save(generator, params.recipe.kind, loop.snapshot(final))
        sampling.save(discriminator, params.recipe.kind, final.discriminator)
        _write_versions(versions)
        last = final.rows[-1]
        console.summary(
            f"trained {params.train.recipe} (seed {params.train.seed}) to step {final.step}: "
            f"generator loss {last['generator_loss']:.2f}, discriminator loss {last['discriminator_loss']:.2f}, "
            f"D(real) {last['probability_real']:.2f}, D(fake) {last['probability_fake']:.2f}; {watcher.speed_text()}"
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
        console.summary(f"goes on at step {step} from {checkpoint}")

    def stepped(self, step: int, total: int, scalars: dict[str, float]) -> None:
        images_per_second = self.speed.at(step) * self.batch_size
        self.progress(
            "train",
            step,
            total,
            f"{images_per_second:.0f} images/s, losses G {scalars['generator_loss']:.2f} "
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
        from PIL import Image

        from mnistgan.files import replacing

        side = int(len(images) ** 0.5)
        tiles = images.reshape(side, side, 28, 28).swapaxes(1, 2).reshape(side * 28, side * 28)
        with replacing(self.grids / f"epoch_{epoch:04d}.png") as beside:
            Image.fromarray(tiles).save(beside, optimize=True)

    def warn(self, message: str) -> None:
        console.warn(message)

    def speed_text(self) -> str:
        if not self.speed.per_second:
            return "nothing was left to train"
        images_per_second = self.speed.per_second * self.batch_size
        journal.note(images_per_second=round(images_per_second, 1))
        return f"{images_per_second:.0f} images/s"


class _Speed:
    """Steps per second since the first report, which the compilation before it would slow."""

    def __init__(self) -> None:
        self.first: tuple[float, int] | None = None
        self.per_second = 0.0

    def at(self, step: int) -> float:
        import time

        now = time.monotonic()
        if self.first is None:
            self.first = now, step
        elif now > self.first[0]:
            self.per_second = (step - self.first[1]) / (now - self.first[0])
        return self.per_second


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


def _checkpoint_folder() -> Path:
    """The folder of this state's checkpoints, under the main repository, with all but the newest other one removed."""
    import shutil

    parent = state.main_root() / "checkpoints"
    own = parent / state.train_key_of_workspace()[: state.SHORT]
    own.mkdir(parents=True, exist_ok=True)
    others = sorted((path for path in parent.iterdir() if path.is_dir() and path != own), key=_modified)
    for old in others[: -(KEPT_TRAININGS - 1)]:
        shutil.rmtree(old)
    return own


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def _write_versions(path: Path) -> None:
    from mnistgan.files import write_json

    write_json(path, state.installed_versions())


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request to save and stop; a second one stops at once."""
    requested = False

    def request(_signum: int, _frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            raise KeyboardInterrupt
        requested = True
        console.warn("stopping after the next steps; again to stop at once")

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
