"""Shows every recorded recipe in pictures and figures: one HTML file that needs nothing else."""

import base64
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from mnistgan.errors import UsageError
from pipeline import console, output
from pipeline.results import rows

OUT = Path("gallery.html")
TITLES = {
    "fid_pixels.value": "of pixels",
    "precision.value": "precision",
    "recall.value": "recall",
    "coverage.value": "coverage",
    "classes.smallest_ratio": "smallest class",
    "unsure.value": "unsure",
    "as_asked.value": "as asked",
}


def gallery(
    out: Annotated[Path, typer.Option(help="The HTML file; (-) for stdout alone.")] = OUT,
) -> None:
    """Show every recorded recipe in one HTML file.

    It can be opened from disk, mailed and kept: what each family's recipes draw, beside each other, with a slider over
    their trainings and walks through their latents; quality for minutes of training; all figures with their intervals.
    Made of benchmarks/runs alone, which git holds (`make leaderboard` adds to it): no network, no TensorFlow. See
    docs/families.md.
    """
    output.check_outputs({"--out": out})
    kept = rows.read()
    if not kept:
        raise UsageError(f"{rows.RUNS}: no recipe is recorded; `make leaderboard` trains some")
    from mnistgan.drawing.gallery.page import html

    cards = sorted(map(_card, kept), key=lambda card: (card["data"], math.isnan(card["relative"]), card["relative"]))
    text = html(cards)
    output.write("--out", out, lambda: text)
    if out != output.STDOUT:
        console.summary(f"wrote {out} ({len(text) / 1e6:.1f} MB), {len(kept)} recipes, to be opened in a browser")


def _card(recipe: rows.Recipe) -> dict[str, Any]:
    """Collects what the page shows of a recipe: figures over its seeds, pictures and verdict of the first."""
    first = recipe.rows[0]
    training, walks = (_address(first.picture(name)) for name in (rows.TRAINING, rows.WALKS))
    return {
        "anchor": f"{recipe.data}-{recipe.family}-{recipe.recipe}",
        "name": recipe.name,
        "data": recipe.data,
        "labels": recipe.labels,
        "seeds": recipe.seeds,
        "verdict": first.results.side.members[0].figures.verdict or "none",
        "minutes": recipe.minutes,
        "relative": recipe.relative(rows.FID),  # NaN where every seed collapsed
        "figures": [("relative FID", recipe.worded(rows.FID)), *((TITLES[n], recipe.worded(n)) for n in TITLES)],
        "training": {"source": training, "epochs": first.epochs} if training and first.epochs else None,
        "walks": {"source": walks, "steps": first.walks[0], "count": first.walks[1]} if walks and first.walks else None,
        "commit": first.commit,
        "folder": first.folder.parent,
    }


def _address(content: bytes | None) -> str:
    return "" if content is None else f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
