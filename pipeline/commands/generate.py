"""Draws images from a run's, a commit's or a file's weights."""

import math
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistgan.errors import UsageError
from mnistgan.progress import Progress
from pipeline import console, origins, places
from pipeline.origins import Rev, Run, Weights
from pipeline.places import Out
from pipeline.runtime import load_tensorflow
from pipeline.stage import Verbose

if TYPE_CHECKING:
    import numpy as np

    from mnistgan.families.sampling import Sampler

MOST = 100_000
IMAGE_NAME = "{:05d}.png"
_IMAGE_NAME = re.compile(r"(?:[0-9]{5}|[1-9][0-9]{5,})\.png")


class Format(StrEnum):
    GRID = "grid"
    NPY = "npy"
    IMAGES = "images"


SUFFIXES = {".png": Format.GRID, ".npy": Format.NPY, "": Format.IMAGES}


def generate(
    out: Annotated[Path, typer.Option(help="A .png for one grid, a .npy for uint8 [N, 28, 28], or a folder of PNGs.")],
    count: Annotated[int, typer.Option(min=1, max=MOST, help="How many images.")] = 64,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Draws the latents; a larger count goes on where a smaller ends.")
    ] = 0,
    class_: Annotated[
        int | None, typer.Option("--class", min=0, help="The class that each shows, of a family that takes classes.")
    ] = None,
    weights: Weights = None,
    rev: Rev = None,
    run: Run = None,
    format_: Annotated[
        Format | None, typer.Option("--as", help="What to write; without it, what --out's ending says.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that holds images of an earlier call.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Draw images from trained weights.

    The weights are those in the workspace, of a commit or of a run; where they can't be had, the published ones of that
    state, in 16 bit, and the last line says so. The same seed gives the same images. A file is replaced in one step; so
    is a folder, with --force. Each PNG holds the sha256 of the weights that drew it. The latents of --seed are those of
    train.grid_seed where the two are equal: 256 images then are the last grid.
    """
    chosen = _format(out, format_)
    _check_place(out, chosen, force)
    origins.check(weights, rev, run)
    is_folder = chosen is Format.IMAGES
    beside = [out.resolve().parent] if is_folder else []  # a folder is swapped for another, made beside it
    places.demand({"out": (out, Out(out.suffix.lower(), folder=is_folder))}, kept=beside)
    with origins.opened(weights, rev, run) as origin, console.progress() as progress:
        load_tensorflow(verbose)
        from mnistgan.families import sampling
        from mnistgan.families.contract import Ask

        sampler = sampling.load(origin.path, origin.dataset.counts)
        classes = None if class_ is None else _of_one_class(class_, count, sampler)
        images = sampler.images(Ask(count, seed, classes), progress)
        _write(images, out, chosen, origin.digest, progress)
    console.summary(f"drew {count:,} images from seed {seed} into {out}; {origin}")


def _of_one_class(class_: int, count: int, sampler: "Sampler") -> "np.ndarray":
    """Raises UsageError where the weights draw no class that is asked for, or not this one."""
    import numpy as np

    if not sampler.takes_classes:
        raise UsageError(f"--class {class_}: {sampler.source} is of a family that can't be asked for a class")
    if class_ >= sampler.spec.classes:
        raise UsageError(f"--class {class_}: the data has classes 0 to {sampler.spec.classes - 1}")
    return np.full(count, class_, np.int32)


def _format(out: Path, asked: Format | None) -> Format:
    """Decides the format; raises UsageError where ``out``'s ending does not go with it."""
    if asked is Format.IMAGES:
        return asked
    told = Format.IMAGES if out.is_dir() else SUFFIXES.get(out.suffix.lower())
    if told is None:
        raise UsageError(f"--out {out}: should end in .png (a grid) or .npy, or be a folder (no ending)")
    if asked and asked is not told:
        ending = next(suffix for suffix, written in SUFFIXES.items() if written is asked)
        raise UsageError(f"--out {out}: --as {asked} writes a file; should end in {ending}")
    return told


def _check_place(out: Path, chosen: Format, force: bool) -> None:
    """Refuses a folder whose content would be lost. Raises UsageError."""
    if chosen is not Format.IMAGES or not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"--out {out}: is a file; --as {chosen} writes a folder: name another")
    if out.is_mount():
        raise UsageError(f"--out {out}: a disk is mounted there, which can't be swapped; name a folder in it")
    held = sorted(path.name for path in out.iterdir())
    if held and not force:
        raise UsageError(f"--out {out}: the folder is not empty; name another, or give --force to replace its images")
    others = [name for name in held if not _IMAGE_NAME.fullmatch(name)]
    if others:
        raise UsageError(f"--out {out}: holds {others[0]}, which no earlier call wrote; name another folder")


def _write(images: "np.ndarray", out: Path, chosen: Format, digest: str, progress: Progress) -> None:
    from PIL import Image

    from mnistgan import files
    from mnistgan.drawing import grids
    from mnistgan.drawing.pictures import encoding

    if chosen is Format.IMAGES:
        with files.replacing_folder(out.resolve()) as fresh:  # the one that was there is gone only after that
            for number, image in enumerate(images):
                progress("writing", number, len(images))
                (fresh / IMAGE_NAME.format(number)).write_bytes(encoding.png(Image.fromarray(image), digest))
            progress("writing", len(images), len(images))
    elif chosen is Format.GRID:
        grid = grids.tile(images, columns=math.isqrt(len(images) - 1) + 1)
        files.write_bytes(out, encoding.png(Image.fromarray(grid), digest))
    else:
        import numpy as np

        with files.replacing(out) as beside:
            np.save(beside, images, allow_pickle=False)
