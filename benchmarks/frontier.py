"""Draws quality against minutes of training for every recorded run: docs/images/frontier.png.

.venv/bin/python -m benchmarks.frontier
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import ROOT, runs
from benchmarks.ending import ending
from benchmarks.runs import Run
from mnistgan.errors import DataError
from mnistgan.files import write_bytes

PICTURE = ROOT / "docs" / "images" / "frontier.png"
# Okabe and Ito's colours that are dark enough for a line on white; the known recipes keep theirs.
COLOURS = {"article": "#D55E00", "fast": "#0072B2", "best": "#009E73"}
OTHER_COLOURS = ("#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#5F5F5F", "#6A3D9A", "#B8860B", "#1B9E77", "#000000")
_MINUTES = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
_UNITS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
_INCHES = (9.6, 6.0)


def draw(recorded: Sequence[Run]) -> bytes:
    """The picture of some runs as PNG: relative FID on validation over minutes, both on logarithmic axes."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from mnistgan.drawing.pictures import style

    with style.curves():
        figure = Figure(figsize=_INCHES)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.08, 0.1, 0.78, 0.7))  # the lines across have their names at the right
        for recipe, colour in colours(recorded).items():
            _recipe(axes, [run for run in recorded if run.recipe == recipe], colour)
        _across(axes, recorded[0].looks[0].floor)
        _scales(axes, recorded)
        figure.text(0.02, 0.965, "Quality against minutes of training", fontsize=18, fontweight="bold", va="top")
        caption = "FID of 2,000 samples on validation by the classifier; 1: real images without an 8; a line a seed"
        figure.text(0.02, 0.9, caption, fontsize=11, color=style.MUTED_HEX, va="top")
        figure.legend(loc="upper left", bbox_to_anchor=(0.02, 0.865), ncols=5, borderpad=0, borderaxespad=0)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def colours(recorded: Sequence[Run]) -> dict[str, str]:
    """A colour for each recipe, those of the same name always the same. Raises DataError where there are too many."""
    there = {run.recipe for run in recorded}
    others = sorted(there - COLOURS.keys())
    recipes = [*(recipe for recipe in COLOURS if recipe in there), *others]
    if len(others) > len(OTHER_COLOURS):
        raise DataError(f"{len(recipes)} recipes in one picture; takes {len(COLOURS) + len(OTHER_COLOURS)} at most")
    given = dict(zip(others, OTHER_COLOURS, strict=False))
    return {recipe: COLOURS.get(recipe) or given[recipe] for recipe in recipes}


def _recipe(axes: Any, seeds: Sequence[Run], colour: str) -> None:
    count = f"{len(seeds)} seeds" if len(seeds) > 1 else "one seed"
    for place, run in enumerate(seeds):
        minutes = [look.seconds / 60 for look in run.looks]
        relative = [look.relative for look in run.looks]
        name = f"{run.recipe} ({count})" if place == 0 else None
        axes.plot(minutes, relative, color=colour, linewidth=1.1, marker="o", markersize=2.6, label=name)
        axes.plot(minutes[-1], relative[-1], color=colour, marker="o", markersize=6)


def _across(axes: Any, floor: float) -> None:
    from mnistgan.drawing.pictures import style

    for value, name in ((1.0, "real images\nwithout an 8"), (floor, "real images\n(the floor)")):
        axes.axhline(value, color=style.MUTED_HEX, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            name,
            (1, value),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="left",
            va="center",
            color=style.MUTED_HEX,
            fontsize=10,
        )


def _scales(axes: Any, recorded: Sequence[Run]) -> None:
    looks = [look for run in recorded for look in run.looks]
    minutes = [look.seconds / 60 for look in looks]
    relative = [1.0, looks[0].floor, *(look.relative for look in looks)]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(minutes) / 1.15, max(minutes) * 1.15)
    axes.set_ylim(min(relative) / 1.3, max(relative) * 1.2)
    for axis, limits, marks in ((axes.xaxis, axes.get_xlim(), _MINUTES), (axes.yaxis, axes.get_ylim(), _UNITS)):
        shown = [mark for mark in marks if limits[0] <= mark <= limits[1]]
        axis.set_ticks(shown, [f"{mark:g}" for mark in shown])
        axis.set_ticks([], minor=True)
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("relative FID")


def main() -> None:
    """Draws all recorded runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=runs.FOLDER, help="folder of the recorded runs")
    parser.add_argument("--out", type=Path, default=PICTURE)
    options = parser.parse_args()
    recorded = runs.read(options.runs)
    if not recorded:
        raise DataError(f"{options.runs}: no recorded run; `python -m benchmarks.record` makes one")
    write_bytes(options.out, draw(recorded))
    print(f"{options.out}: {len(recorded)} runs")


if __name__ == "__main__":
    ending(main)
