"""Trains what the leaderboard lacks, keeps each seed as a folder in git, and makes its table and pictures.

    .venv/bin/python -m benchmarks.leaderboard train     # through DVC's queue; the same command goes on
    .venv/bin/python -m benchmarks.leaderboard keep      # what is trained already, wherever it is recorded
    .venv/bin/python -m benchmarks.leaderboard page      # docs/families.md and its pictures, of what is kept

Rows that other code trained are marked with * and stay until somebody removes their folder.
"""

import argparse
import csv
import io
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import ROOT, frontier
from benchmarks.ending import BenchmarkError, ending
from benchmarks.record import real_images
from benchmarks.rows import RUNS, SAMPLES, Entry, Row, entries, keep
from mnistgan.comparison import wording
from mnistgan.comparison.compare import compare
from mnistgan.comparison.seeds import Summary, summarise
from mnistgan.comparison.sides import Side
from mnistgan.errors import DataError
from mnistgan.files import write_bytes
from pipeline import output
from pipeline.engines import planning

PAGE, TABLE = Path("docs/families.md"), Path("metrics/leaderboard.csv")
WALL, FRONTIER = Path("docs/images/families.png"), Path("docs/images/families_minutes.png")
RELATIVE = {"fid.value": "relative FID", "fid_pixels.value": "of pixels"}
SHARES = {
    "precision.value": "precision",
    "recall.value": "recall",
    "coverage.value": "coverage",
    "classes.smallest_ratio": "smallest class",
    "unsure.value": "unsure",
    "as_asked.value": "as asked",
}
COLUMNS = ("family, recipe", "labels", "seeds", "minutes", *RELATIVE.values(), *SHARES.values())
WALL_ROWS, WALL_COLUMNS, WALL_GREYS = 2, 20, 16
Kept = Mapping[Entry, Sequence[Row]]


def train(wanted: Sequence[Entry], jobs: int) -> None:
    """Trains the missing seeds of each entry, and keeps what is there as soon as it ends, done or stopped."""
    for entry in wanted:
        if len(entry.rows(ROOT / RUNS)) == entry.seeds:
            continue
        code = subprocess.call([sys.executable, "-m", *_training(entry, jobs)], cwd=ROOT)
        keep_all([entry])
        if code:
            raise BenchmarkError(f"{entry}: its training ended with {code}; the same command goes on")


def _training(entry: Entry, jobs: int) -> list[str]:
    """Words the command that trains an entry: a group of seeds through the queue, or one as an experiment."""
    if entry.seeds == 1:
        name, settings = planning.plan(1, entry.settings).name(0), (*entry.settings, f"{planning.SEED}=0")
        return ["dvc", "exp", "run", "--temp", "--name", name, *(word for each in settings for word in ("-S", each))]
    path = entry.folder(ROOT / RUNS) / "seeds.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = [word for setting in entry.settings for word in ("--set", setting)]
    return ["pipeline", "seeds", "--count", str(entry.seeds), "--jobs", str(jobs), *asked, "--out", str(path)]


def keep_all(wanted: Sequence[Entry]) -> None:
    """Keeps what is trained of some entries, and says so; and why, where one can't be kept."""
    real = real_images(ROOT)
    for entry in wanted:
        for seed, results in planning.plan(entry.seeds, entry.settings).found().items():
            try:
                if keep(entry, seed, results, real):
                    print(f"kept: {entry}, seed {seed}")
            except DataError as error:  # its journal or its grids may be on the machine that trained it
                print(f"not kept: {entry}, seed {seed}, of {results.side.name}: {error}", file=sys.stderr)


def page(wanted: Sequence[Entry], root: Path = ROOT) -> None:
    """Writes the table as CSV and into docs/families.md, with what `diff` says of each pair; and the pictures."""
    kept = {entry: list(rows.values()) for entry in wanted if (rows := entry.rows(root / RUNS))}
    if not kept:
        raise BenchmarkError(f"{RUNS}: no row is kept; `make leaderboard` trains them")
    stale = {entry for entry, rows in kept.items() if _is_stale(entry, rows)}
    cells = [_cells(entry, rows, entry in stale) for entry, rows in kept.items()]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *cells])
    write_bytes(root / TABLE, text.getvalue().encode())
    lines = output.markdown_table(COLUMNS, cells)
    missing = [str(entry) for entry in wanted if entry not in kept]
    lines += ["", f"Not trained yet: {', '.join(missing)}."] if missing else []
    lines += ["", r"\* Trained by code that has changed since."] if stale else []
    output.write_between(root / PAGE, *marks("table"), lines)
    output.write_between(root / PAGE, *marks("pairs"), output.markdown_table(*_pairs(kept)))
    write_bytes(root / FRONTIER, frontier.draw([row.run for rows in kept.values() for row in rows]))
    write_bytes(root / WALL, wall(kept))
    print(f"{PAGE}: {len(kept)} of {len(wanted)} recipes")


def marks(part: str) -> tuple[str, str]:
    """The lines of docs/families.md that a part stands between."""
    return f"<!-- {part}: made by `python -m benchmarks.leaderboard page` -->\n", f"<!-- {part} ends -->\n"


def _is_stale(entry: Entry, rows: Sequence[Row]) -> bool:
    plan = planning.plan(entry.seeds, entry.settings)
    return not all(row.is_of(plan) for row in rows)


def _cells(entry: Entry, rows: Sequence[Row], is_stale: bool) -> list[str]:
    """Words a line of the table; means are over the seeds that did not collapse, that of FID on its logarithm."""
    figures = [row.results.side.members[0].figures for row in rows]
    means = {summary.metric.name: summary for summary in summarise(figures)}
    minutes = statistics.median(row.minutes for row in rows)
    collapsed = sum(one.collapsed for one in figures)
    count = f"{len(rows)}, {collapsed} collapsed" if collapsed else str(len(rows))
    unit = {name: figures[0].leaves[f"{name.partition('.')[0]}.missing_class"] for name in RELATIVE}
    relative = [_mean(means.get(name), unit[name]) for name in RELATIVE]
    name = f"{entry}{' *' if is_stale else ''}"
    return [name, rows[0].labels, count, f"{minutes:.0f}", *relative, *(_mean(means.get(name), 1) for name in SHARES)]


def _mean(summary: Summary | None, unit: float) -> str:
    """Words a mean with its 95% interval over seeds, both over ``unit``."""
    if summary is None:
        return wording.NOTHING
    back = summary.metric.scale.back
    value = f"{back(summary.mean) / unit:.3g}"
    if summary.low is None or summary.high is None:
        return value
    return f"{value} ({back(summary.low) / unit:.3g} to {back(summary.high) / unit:.3g})"


def _pairs(kept: Kept) -> tuple[list[str], list[list[str]]]:
    """Makes a table of what `diff` says: each column's FID against each row's."""
    sides = {
        str(entry): Side(str(entry), tuple(r.results.side.members[0] for r in rows)) for entry, rows in kept.items()
    }
    rows = [[a, *(_said(one, other) for other in sides.values())] for a, one in sides.items()]
    return ["A, against it", *sides], rows


def _said(a: Side, b: Side) -> str:
    if a is b:
        return wording.NOTHING
    found = compare(a, b)
    return f"{wording.WORDS[found.verdict]} ({wording.change(found.primary)})"


def wall(kept: Kept) -> bytes:
    """Draws samples of each recipe's seed 0 as PNG, two labelled rows each; none was chosen."""
    from PIL import Image

    from mnistgan.drawing.grids import untile
    from mnistgan.drawing.pictures.sheets import Panel, Row, Sheet, rows_of

    drawn = []
    for entry, rows in kept.items():
        with Image.open(rows[0].folder / SAMPLES) as picture:
            images = untile(np.asarray(picture))[: WALL_ROWS * WALL_COLUMNS]
        first, *others = rows_of(images, WALL_COLUMNS)
        drawn += [Row(first.images, str(entry)), *others]
    caption = "The first samples of seed 0 by the final weights; none was chosen."
    image = Sheet(2).draw("Samples of each family", caption, [Panel(drawn, WALL_COLUMNS)])
    found = io.BytesIO()
    image.quantize(WALL_GREYS).save(found, "PNG", optimize=True)
    return found.getvalue()


def main() -> None:
    """Does what the command says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "keep", "page"))
    parser.add_argument("--only", nargs="+", default=[], metavar="FAMILY-RECIPE", help="these alone, to train or keep")
    parser.add_argument("--jobs", type=int, default=1, help="how many train at once; one training takes two cores")
    options = parser.parse_args()
    listed = entries()
    names = [entry.folder().name for entry in listed]
    if unknown := [name for name in options.only if name not in names]:
        raise BenchmarkError(f"--only {' '.join(unknown)}: takes {', '.join(names)}")
    wanted = [entry for entry, name in zip(listed, names, strict=True) if not options.only or name in options.only]
    if options.what == "page":
        page(listed)
    elif options.what == "keep":
        keep_all(wanted)
    else:
        train(wanted, options.jobs)


if __name__ == "__main__":
    ending(main)
