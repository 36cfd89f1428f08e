"""Trains the networks. It never opens the test images."""

import hashlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from mnistgan import reading
from mnistgan.families import recipes_file
from mnistgan.progress import Progress
from mnistgan.training.speed import Speed
from pipeline import console, runtime
from pipeline.dvcfiles import dvc_yaml
from pipeline.places import Out, tried
from pipeline.runs import checkpoints, journal
from pipeline.stage import Verbose, naming, running

if TYPE_CHECKING:
    import numpy as np

    from mnistgan.datasets.arrays import Images
    from mnistgan.families.contract import Precision, Scalar
    from mnistgan.metrics.looks import Look
    from mnistgan.params import Params
    from mnistgan.training.state import TrainingState
    from mnistgan.training.validation import Validation


@tried(checkpoints.root)
def train(
    train: Annotated[Path, typer.Option(help="Training images, as `prepare` writes them.")],
    validation: Annotated[
        Path,
        typer.Option(help="Validation images, looked at while training; trained on too by a recipe of `images: all`."),
    ],
    final: Annotated[Path, typer.Option(help="Where the final weights of what draws go (.npz)."), Out(".npz")],
    best: Annotated[
        Path, typer.Option(help="Where its weights at the look with the lowest FID go (.npz)."), Out(".npz")
    ],
    parts: Annotated[
        Path,
        typer.Option(help="Folder, replaced as one, for every other network's final weights, one NPZ each."),
        Out(".npz", folder=True, whole=True),
    ],
    versions: Annotated[Path, typer.Option(help="Where the libraries' versions go (.json)."), Out(".json")],
    machine: Annotated[
        Path, typer.Option(help="Where the processor's name and the precision go (.json)."), Out(".json")
    ],
    grids: Annotated[
        Path,
        typer.Option(help="Folder for the fixed latents' grids, one PNG each few epochs."),
        Out(".png", folder=True),
    ],
    curves: Annotated[
        Path, typer.Option(help="Where the curves go (.csv), a row each `train.report_every` steps."), Out(".csv")
    ],
    looks: Annotated[
        Path, typer.Option(help="Where the looks at validation go (.csv), a row each `look_every` epochs."), Out(".csv")
    ],
    rulers: Annotated[
        Path | None, typer.Option(help="Folder of the rulers that looks are measured by; the data set's if left out.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore checkpoints and start at step 0.")] = False,
    verbose: Verbose = False,
) -> None:
    """Train a model by the recipe that params.yaml names.

    Killed or interrupted, the same command goes on from the last checkpoint, to the same bytes. The curves have a
    column for each scalar that a step of the recipe's family reports.

    A look measures 2,000 samples against 2,000 validation images by the pinned rulers: FID, class balance, coverage
    and repetition. Three collapsed looks in a row are said aloud. None of it steers the training: --final gets the
    last weights, --best those that looked best.
    """
    with running("train") as params, console.progress() as progress, _stop_requests() as should_stop:
        from mnistgan.datasets import arrays
        from mnistgan.drawing import grids as grid_files
        from mnistgan.rulers import cards
        from mnistgan.training.batches import selected

        labelled, held_out = arrays.load(train), arrays.load(validation)
        folder_of_rulers = rulers or cards.folder_of(params.data.name)
        cards.demand_data(folder_of_rulers, {"train": labelled.digest, "validation": held_out.digest})
        data = selected(params.recipe, labelled, held_out, _place(params), str(train))
        runtime.load_tensorflow(verbose, params.train.threads, params.train.device)
        from mnistgan import families, files
        from mnistgan.families import sampling
        from mnistgan.families.contract import Spec
        from mnistgan.training.checkpoint import Checkpoints
        from mnistgan.training.loop import Loop

        if params.leaves_labels_out:
            console.say(f"{params.data.name} has no classes: {_place(params)} is trained with no label in its losses")
        precision = _precision(params)
        recipe = params.recipe.model_copy(update={"precision": precision})
        with naming(train, validation):
            judge = _judge(labelled, held_out, folder_of_rulers, params.train.seed)
        family = families.find(params.train.family)
        watcher = _Files(grids, curves, looks, progress, family.scalars)
        declared = dvc_yaml.options("train")
        is_declared = (declared["train"], declared["validation"], None) == (train, validation, rulers)
        known = dict(reading.flatten({"train": params.train.model_dump(), "recipe": params.recipe.model_dump()}))
        with checkpoints.folder_of(None if is_declared else _digest(data, judge), known) as folder:
            grid_files.clear(grids)
            spec = Spec.of(params.dataset.counts)
            loop = Loop(family, params.train, recipe, spec, data, judge.look, watcher, Checkpoints(folder), should_stop)
            state = loop.run(fresh=fresh)
        overhead = watcher.speed.overhead_share()
        with files.replacing_all(final, best, versions, machine, folders=[parts]) as beside:
            networks = {beside[final]: loop.snapshot(state), beside[best]: loop.best(state)}
            others = (item for item in state.parts.networks.items() if item[0] != state.parts.sampled)
            networks |= {beside[parts] / f"{name}.npz": network for name, network in others}
            for path, network in networks.items():
                sampling.save(path, params.train.family, network)
            files.write_json(beside[versions], runtime.installed_versions())
            files.write_json(beside[machine], runtime.machine(precision, params.train.device))
        per_second = watcher.speed.per_second
        if per_second:
            journal.note(images_per_second=round(per_second, 1), overhead_share=round(overhead, 4))
        speed = f"{per_second:.0f} images/s, {overhead:.0%} of the time on looks, grids and checkpoints"
        console.summary(
            f"trained {params.train.recipe} (seed {params.train.seed}) {_told(state, family.scalars)}; {speed}"
        )


def _precision(params: "Params") -> "Precision":
    """Finds the precision that the recipe asks for, or, with a warning, what can be had here."""
    wanted = params.recipe.precision
    got, why = runtime.precision(wanted, params.train.device)
    if why:
        console.warn(f"{_place(params)}.precision: {wanted}, but {why}; trains in {got}, slower and to other bytes")
    return got


def _place(params: "Params") -> str:
    """Where the recipe stands."""
    return f"{recipes_file(params.train.family)}: {params.train.recipe}"


def _told(final: "TrainingState", scalars: "Sequence[Scalar]") -> str:
    """Words in a line how a training ended."""
    from mnistgan.metrics.looks import Collapse, best

    look, lowest, collapse = final.looks[-1], best(final.looks), Collapse.of(final.looks)
    assert lowest
    return (
        f"to step {final.step}: {_values(final.rows[-1], scalars)}; "
        f"FID on validation {look.fid:.2f}, best {lowest.fid:.2f} after epoch {lowest.epoch}"
        + (f"; collapsed {collapse}" if collapse and collapse.lasts else "")
    )


def _values(means: Mapping[str, float], scalars: "Sequence[Scalar]") -> str:
    """Formats each scalar's mean by its title."""
    return ", ".join(f"{scalar.title} {means[scalar.name]:.2f}" for scalar in scalars)


class _Files:
    """Writes what the loop reports: curves, looks and grids as files, progress to the terminal; measures speed."""

    def __init__(self, grids: Path, curves: Path, looks: Path, progress: Progress, scalars: "Sequence[Scalar]"):
        self.grids = grids
        self.curves = curves
        self.looks_table = looks
        self.progress = progress
        self.scalars = scalars
        self.note = ""
        self.speed = Speed()

    def resumed(self, step: int, checkpoint: Path) -> None:
        console.say(f"goes on at step {step} from {checkpoint}")

    def stepped(self, step: int, total: int, images: int, scalars: dict[str, float], seconds: float) -> None:
        self.speed.see(images, seconds)
        told = f"{self.speed.per_second:.0f} images/s, {self.note}{_values(scalars, self.scalars)}"
        self.progress("train", step, total, told)

    def rows(self, rows: list[dict[str, float]]) -> None:
        import pandas as pd

        from mnistgan.files import replacing

        table = pd.DataFrame(rows, columns=["epoch", "step", *(scalar.name for scalar in self.scalars)])
        with replacing(self.curves) as beside:
            table.to_csv(beside, index=False, float_format="%.6g", lineterminator="\n")

    def looks(self, looks: "list[Look]") -> None:
        from mnistgan.files import write_bytes
        from mnistgan.metrics.looks import table

        write_bytes(self.looks_table, table(looks).encode())
        self.note = f"FID {looks[-1].fid:.1f}, " if looks else ""

    def grid(self, epoch: int, images: "np.ndarray") -> None:
        from mnistgan.drawing import grids

        grids.write(self.grids, epoch, images)

    def warn(self, message: str) -> None:
        console.warn(message)


def _judge(train: "Images", validation: "Images", rulers: Path, seed: int) -> "Validation":
    from mnistgan.rulers import classifier, pixels
    from mnistgan.training.validation import Validation

    return Validation(train, validation, classifier.load(rulers), pixels.load(rulers), seed)


def _digest(data: "Images", judge: "Validation") -> str:
    """Digest of all that decides a training beside params and code: images, those it is held against, and by what."""
    parts = (data.digest, judge.real.digest, judge.classifier.digest, judge.pixels.digest)
    return hashlib.sha256("".join(parts).encode()).hexdigest()


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C or SIGTERM into a request to save and stop; a second one stops at once.

    One that is ignored, as Ctrl-C is in a shell's background, stays ignored.
    """
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

    heeded = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, request) for number in heeded}
    try:
        yield should_stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
