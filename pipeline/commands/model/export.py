"""Writes trained weights as a file that draws without this project, once it is seen to draw the same."""

from pathlib import Path
from typing import Annotated

import typer

from mnistgan.errors import DifferenceError, UsageError
from pipeline import console, origins, places
from pipeline.origins import Rev, Run, Weights
from pipeline.places import Out
from pipeline.runtime import load_tensorflow
from pipeline.stage import Verbose

ENDINGS = {"onnx": ".onnx", "savedmodel": "", "npz": ".npz"}


def export(
    out: Annotated[Path, typer.Option(help="A .onnx or .npz file, or a folder for a SavedModel.")],
    format_: Annotated[str, typer.Option("--format", help=f"One of: {', '.join(ENDINGS)}.")] = "onnx",
    weights: Weights = None,
    rev: Rev = None,
    run: Run = None,
    verbose: Verbose = False,
) -> None:
    """Write trained weights as ONNX, SavedModel or NPZ.

    ONNX and SavedModel take latents float32 [N, size] and, of a family that takes classes, classes int32 [N], and give
    images float32 [N, 28, 28, 1] in [-1, 1]; nothing in them is random. The file holds family, recipe, seed, data,
    digest of the weights and commit. Both draw the same 64 latents first: where a pixel is more than 0.0001 apart,
    nothing is written and it ends with 1. A card in Markdown is written beside it, its name ending in .md.
    """
    if format_ not in ENDINGS:
        raise UsageError(f"--format {format_}: takes one of: {', '.join(ENDINGS)}")
    if out.suffix != ENDINGS[format_]:
        raise UsageError(f"--out {out}: --format {format_} writes {ENDINGS[format_] or 'a folder, without ending'}")
    is_folder = not ENDINGS[format_]
    if is_folder and out.exists() and not (out / "saved_model.pb").is_file():
        raise UsageError(f"--out {out}: there is something else than an earlier export; name another folder")
    origins.check(weights, rev, run)
    outs = {"out": (out, Out(out.suffix, folder=is_folder)), "card": (out.with_suffix(".md"), Out(".md"))}
    places.demand(outs, kept=[out.resolve().parent])
    with origins.opened(weights, rev, run) as origin:
        load_tensorflow(verbose)
        from mnistgan import exporting, files
        from pipeline.results import model_cards

        chosen, counts = exporting.Format(format_), origin.dataset.counts
        told = origin.facts()
        with (files.replacing_folder if is_folder else files.replacing)(out) as beside:
            exporting.write(chosen, origin.path, counts, beside, told)
            try:
                apart = exporting.demand(chosen, beside, origin.path, counts)
            except DifferenceError as error:
                raise DifferenceError(f"nothing is written to {out}: {error}") from None
        files.write_bytes(out.with_suffix(".md"), model_cards.make(told, origin.dataset, origin.figures()).encode())
    console.summary(f"exported {origin} as {format_} to {out}: at most {apart:.1g} apart in pixels of [-1, 1]")
