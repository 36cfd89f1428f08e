"""Trains what the leaderboard lacks, keeps each seed as a folder in git, and makes its table and pictures.

    .venv/bin/python -m benchmarks.leaderboard train     # through DVC's queue; the same command goes on
    .venv/bin/python -m benchmarks.leaderboard keep      # what is trained already, wherever it is recorded
    .venv/bin/python -m benchmarks.leaderboard page      # docs/families.md and its pictures, of what is kept

Rows that other code trained are marked with * and stay until somebody removes their folder.
"""

import argparse
import csv
import io
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import ROOT, frontier
from benchmarks.ending import BenchmarkError, ending
from benchmarks.rows import LOOKS, Entry, entries, keep
from benchmarks.runs import Run
from mnistgan.comparison import wording
from mnistgan.comparison.compare import compare
from mnistgan.errors import DataError
from mnistgan.files import write_bytes
from pipeline import output
from pipeline.commands import gallery
from pipeline.engines import dvc_queue, planning
from pipeline.results import rows
from pipeline.results.rows import RUNS, SIDE, TRAINING, Recipe

PAGE, TABLE = Path("docs/families.md"), Path("metrics/leaderboard.csv")
WALL, FRONTIER = Path("docs/images/families.png"), Path("docs/images/families_minutes.png")
FIGURES = {rows.FID: "relative FID", **gallery.TITLES}
COLUMNS = ("family, recipe", "labels", "seeds", "minutes", *FIGURES.values())
WALL_COLUMNS, WALL_GREYS = SIDE * SIDE // 2, 16
Kept = Mapping[Entry, Recipe]


def train(wanted: Sequence[Entry], jobs: int) -> None:
    """Trains the missing seeds of each entry, and keeps what is there as soon as it ends, done or stopped."""
    for entry in wanted:
        kept = entry.kept(ROOT / RUNS)
        if kept and len(kept.rows) == entry.seeds:
            continue
        if not planning.is_prepared(entry.settings):
            dvc_queue.prepare(planning.of_data(entry.settings))
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
    return ["pipeline", "seeds", "train", "--count", str(entry.seeds), "--jobs", str(jobs), *asked, "--out", str(path)]


def keep_all(wanted: Sequence[Entry]) -> None:
    """Keeps what is trained of some entries, and says so; and why, where one can't be kept."""
    for entry in wanted:
        for seed, results in planning.plan(entry.seeds, entry.settings).found().items():
            try:
                if keep(entry, seed, results):
                    print(f"kept: {entry}, seed {seed}")
            except DataError as error:  # its journal or its grids may be on the machine that trained it
                print(f"not kept: {entry}, seed {seed}, of {results.side.name}: {error}", file=sys.stderr)


def page(wanted: Sequence[Entry], root: Path = ROOT) -> None:
    """Writes the table as CSV and into docs/families.md, with what `diff` says of each pair; and the pictures."""
    kept = {entry: found for entry in wanted if (found := entry.kept(root / RUNS))}
    if not kept:
        raise BenchmarkError(f"{RUNS}: no row is kept; `make leaderboard` trains them")
    stale = {entry for entry, found in kept.items() if entry.is_stale(found)}
    cells = [_cells(found, entry in stale) for entry, found in kept.items()]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *cells])
    write_bytes(root / TABLE, text.getvalue().encode())
    lines = output.markdown_table(COLUMNS, cells)
    missing = [str(entry) for entry in wanted if entry not in kept]
    lines += ["", f"Not trained yet: {', '.join(missing)}."] if missing else []
    lines += ["", r"\* Trained by code that has changed since."] if stale else []
    output.write_between(root / PAGE, *marks("table"), lines)
    output.write_between(root / PAGE, *marks("pairs"), output.markdown_table(*_pairs(kept)))
    looks = [row.folder / LOOKS for found in kept.values() for row in found.rows]
    write_bytes(root / FRONTIER, frontier.draw([Run.parse(path.read_text("utf-8"), str(path)) for path in looks]))
    write_bytes(root / WALL, wall(kept))
    print(f"{PAGE}: {len(kept)} of {len(wanted)} recipes")


def marks(part: str) -> tuple[str, str]:
    """The lines of docs/families.md that a part stands between."""
    return f"<!-- {part}: made by `python -m benchmarks.leaderboard page` -->\n", f"<!-- {part} ends -->\n"


def _cells(found: Recipe, is_stale: bool) -> list[str]:
    """Words a line of the table; means are over the seeds that did not collapse, that of FID on its logarithm."""
    name = f"{found.name} *" if is_stale else found.name
    return [name, found.labels, found.seeds, f"{found.minutes:.0f}", *map(found.worded, FIGURES)]


def _pairs(kept: Kept) -> tuple[list[str], list[list[str]]]:
    """Makes a table of what `diff` says: each column's FID against each row's, on one data set."""
    found = [*kept.values()]
    return ["A, against it", *(one.name for one in found)], [[a.name, *(_said(a, b) for b in found)] for a in found]


def _said(a: Recipe, b: Recipe) -> str:
    if a is b or a.data != b.data:
        return wording.NOTHING
    found = compare(a.side, b.side)
    return f"{wording.WORDS[found.verdict]} ({wording.change(found.primary)})"


def wall(kept: Kept) -> bytes:
    """Draws samples of each recipe's seed 0 as PNG, two labelled rows each; none was chosen."""
    from mnistgan.drawing.grids import untile
    from mnistgan.drawing.pictures.sheets import Panel, Row, Sheet, rows_of
    from mnistgan.drawing.report import samples

    drawn = []
    for found in kept.values():
        content = found.rows[0].picture(TRAINING)
        if content is not None:
            last = untile(samples.read(content, found.name))[-SIDE * SIDE :]
            first, second = rows_of(last, WALL_COLUMNS)
            drawn += [Row(first.images, found.name), second]
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
