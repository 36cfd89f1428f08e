"""Compares two results: the verdict first, then the causes and figures that differ."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from mnistgan.comparison.compare import Comparison, compare
from pipeline import output
from pipeline.results import lookup
from pipeline.results.answers import answer
from pipeline.results.checkout import Results

SOURCE = (
    "A git commit, branch or tag, a DVC experiment, REV:PATH, a metrics file, a seeds file, a folder of results, a "
    "folder or glob of metrics files, run:ID of an MLflow run, `workspace`, or several of them joined by commas."
)

Margin = Annotated[
    float, typer.Option(min=1, max=1000, help="The difference in FID, in percent, that seeds are planned for.")
]
MARGIN = 25.0


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=SOURCE)],
    b: Annotated[str, typer.Argument(metavar="B", help="The same; it is judged beside A.")],
    markdown: output.Markdown = None,
    json: output.Json = None,
    margin: Margin = MARGIN,
) -> None:
    """Tell whether B is better or worse than A.

    Or that they are identical, or that it can't be told yet. Log FID decides, at 5%: by Student's t, seeds unpaired,
    with the spread between seeds pooled from the groups and from what metrics/seeds.csv records for A's or B's recipe;
    where these spreads differ grossly, by Welch's test of the groups alone. Where a side has one seed and nothing is
    recorded, the other's group tells the spread; without one it can't be told. Equal pins and figures are identical;
    the same weights with other figures, or by other measuring code, are measured otherwise. Seeds that collapsed are
    counted, by Fisher's exact test, and not averaged in; where there are any, both tests share the 5%. All other
    metrics are shown with p adjusted by Holm and decide nothing. What would decide it (so many seeds a side) follows
    from the spread and --margin, never from the difference that was seen.

    Results measured by other rulers do not compare (exit code 2). See docs/comparing.md.
    """
    output.check_outputs({"--markdown": markdown, "--json": json})
    answer(*compared(a, b, margin)).give(markdown, json)


def files_of_run(run: str, names: Sequence[str]) -> Mapping[str, bytes]:
    """Fetches those of these files that an MLflow run holds; nothing of MLflow is loaded before."""
    from pipeline.tracking.reading import read_files

    return read_files(run, names)


def compared(a: str, b: str, margin: float) -> tuple[Comparison, Results, Results]:
    """Compares what two names mean, for a margin in percent."""
    of_a, of_b = lookup.read(a, files_of_run), lookup.read(b, files_of_run)
    return compare(of_a.side, of_b.side, lookup.recorded_seeds(of_a, of_b), margin / 100), of_a, of_b
