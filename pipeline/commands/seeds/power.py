"""Counts by simulation how small a change so many seeds a side see."""

import math
from pathlib import Path
from typing import Annotated

import typer

from mnistgan.comparison.power import Seen, simulate
from mnistgan.comparison.seeds import spread_of
from mnistgan.errors import UsageError
from mnistgan.metrics.catalog import KNOWN, PRIMARY
from pipeline import output
from pipeline.dvcfiles.layout import SEEDS
from pipeline.results import checkout, lookup

EQUALS, HARMED = ("equal: gate fails", "equal: diff tells"), "+50%: gate passes"
COLUMNS = ("recipe", "seeds a side", "gate sees", "diff sees", *EQUALS, HARMED)
SIDES = (1, 2, 3, 4, 5, 8)
MARGIN, HARM = math.log1p(0.25), math.log1p(0.5)
BEGIN, END = "<!-- power: made by `python -m pipeline seeds power --into` -->\n", "<!-- power ends -->\n"


def power(
    seeds: Annotated[Path, typer.Option(help="The recorded seeds to draw from.")] = SEEDS,
    into: Annotated[
        Path | None,
        typer.Option(help="A Markdown file that holds such a table between two comments, to write it into."),
    ] = None,
) -> None:
    """Tell how small a change so many seeds a side see.

    Four times in five, that is. Made-up groups are drawn from the recorded seeds of each recipe (seeded, 2,000 pairs),
    a record as large beside them, and judged as `gate` (worse alone, at 5%) and `diff` (better or worse, at 5%) do.
    Beside it, how often equal groups fail a rule of 25% or are called different, and how often a FID that is worse by
    50% passes. See docs/comparing.md.
    """
    content = lookup.bytes_of(seeds)
    if content is None:
        raise UsageError(f"{seeds}: no such file; `make seeds` records some")
    rows = checkout.seeds_of(str(seeds), content)
    records = [spread_of(rows, digest) for digest in dict.fromkeys(row.digest for row in rows)]
    table = [
        _row(record.recipe, simulate(values, number, MARGIN, HARM))
        for record in records
        if record and len(values := record.values(KNOWN[PRIMARY])) >= 3
        for number in SIDES
    ]
    if not table:
        raise UsageError(
            f"{seeds}: holds no recipe of three or more seeds that did not collapse; `make seeds` records some"
        )
    if into is None:
        output.show_table(f"drawn from {seeds}", COLUMNS, table)
        return
    output.write_between(into, BEGIN, END, output.markdown_table(COLUMNS, table))


def _row(recipe: str, seen: Seen) -> tuple[str, ...]:
    changes = (f"{math.expm1(change):+.0%}" for change in (seen.worse, seen.either))
    shares = (f"{share:.1%}" for share in (seen.false_worse, seen.false_either, seen.passing))
    return recipe, str(seen.seeds), *changes, *shares
