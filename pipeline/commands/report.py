"""Compares two results in pictures: one HTML file that needs nothing else, and its text as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mnistgan.comparison.wording import NOTHING
from pipeline import console, output
from pipeline.commands import diff

OUT = Path("report.html")


def report(
    a: Annotated[str, typer.Argument(metavar="A", help=diff.SOURCE)],
    b: Annotated[str, typer.Argument(metavar="B", help="The same; it is judged beside A.")],
    out: Annotated[Path, typer.Option(help="The HTML file; (-) for stdout alone.")] = OUT,
    markdown: output.Markdown = None,
    margin: diff.Margin = diff.MARGIN,
) -> None:
    """Show in one HTML file whether B is better than A, and why.

    It can be opened from disk, mailed and kept. The verdict first, as `diff` gives it; then every metric with its
    interval beside what real images get, the curves and looks of both trainings over each other, the same latents drawn
    by both (over the epochs where DVC's cache has both sides' grids), the shares of the classes, the samples that the
    classifier is most and least sure of, the params, data and code that differ, and where both come from. Curves and
    pictures are of one training: of a group of seeds the page has the figures alone.

    Made from git's objects, DVC's cache and the journals here: no network, no TensorFlow, and no MLflow unless A or B
    is a run. Results measured by other rulers do not compare (exit code 2). See docs/comparing.md.
    """
    output.check_outputs({"--out": out, "--markdown": markdown})
    found, of_a, of_b = diff.compared(a, b, margin)
    result = diff.result(found, of_a, of_b)
    from mnistgan.drawing.report.page import html
    from pipeline.results import pages

    page = pages.page(found, of_a, of_b)
    output.write("--out", out, lambda: html(page))
    output.write("--markdown", markdown, lambda: _markdown(result, page))
    if output.STDOUT not in (out, markdown):
        console.summary(result.headline)
        console.summary(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB), to be opened in a browser")


def _markdown(result: output.Result, page: Mapping[str, Any]) -> str:
    """Formats what `diff` says, then the rest of the page that is text."""
    shares = (
        (str(row.name), *(of.text if of else NOTHING for of in (row.prior, row.a, row.b)))
        for row in page["shares"]["rows"]
    )
    sections = [
        result.markdown(),
        *(_section(f"{group['title']}, at the end", ("", "A", "B"), _last_rows(group)) for group in page["curves"]),
        _section("Share of each class", ("class", "data", "A", "B"), shares),
        _section("Provenance", ("", "A", "B"), [tuple(pair.values()) for pair in page["provenance"]]),
    ]
    parts = [*page["curves"], page["shares"], page["grids"], page["ends"]]
    notes = dict.fromkeys(note for part in parts for note in part["notes"])
    sections.append("\n".join(f"- note: {output.escaped(note)}" for note in notes))
    return "\n\n".join(section.strip() for section in sections if section) + "\n"


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    held = list(rows)
    return "\n".join([f"### {title}", "", *output.markdown_table(columns, held)]) if held else ""


def _last_rows(group: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Lists every column of both tables with its last value."""
    last = [
        dict(zip(of.columns, of.rows[-1], strict=True)) if of and of.rows else {} for of in (group["a"], group["b"])
    ]
    for column in dict.fromkeys((*last[0], *last[1])):
        yield column, *(side[column].text if column in side else NOTHING for side in last)
