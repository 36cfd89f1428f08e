"""Compares two results in pictures: one HTML file that needs nothing else, and its text as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import console, output
from pipeline.commands import diff
from pipeline.dvcfiles import layout

if TYPE_CHECKING:
    import numpy as np

    from mnistgan.drawing.report.curves import Chart, Listing, Table
    from mnistgan.drawing.report.page import Causes, Curves, Ends, Frame, Grids, Page, Pair, Shares, Stop
    from mnistgan.drawing.report.samples import Ranked
    from pipeline.results.exhibits import Exhibits

OUT = Path("report.html")
GRID_SEED = "train.grid_seed"
FINAL = "final weights"
NOT_HERE = "not on this machine"
NOTHING = "–"


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
    result = diff.DiffResult.of(a, b, margin)
    page = _page(result)
    from mnistgan.drawing.report.page import html

    output.write("--out", out, lambda: html(page))
    output.write("--markdown", markdown, lambda: _markdown(result, page))
    if output.STDOUT not in (out, markdown):
        console.summary(result.headline)
        console.summary(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB), to be opened in a browser")


def _page(result: diff.DiffResult) -> "Page":
    from mnistgan.drawing.report import curves, dots
    from mnistgan.drawing.report.page import Page, Party
    from pipeline.results import exhibits
    from pipeline.results.exhibits import Exhibits

    a, b = Exhibits("A", result.a), Exhibits("B", result.b)
    word, _, reason = result.headline.partition(": ")
    return Page(
        verdict=result.found.verdict,
        word=word,
        reason=reason,
        a=Party(a.letter, a.results.side.name, a.where(), a.verdict()),
        b=Party(b.letter, b.results.side.name, b.where(), b.verdict()),
        lines=tuple(result.lines()),
        notes=tuple(_notes(result)),
        metrics=tuple(dots.metric_rows(result.found)),
        curves=(
            _curves("While training", exhibits.CURVES, _of_scalars(), a, b),
            _curves("Looks at validation", exhibits.LOOKS, curves.LOOKS, a, b),
        ),
        grids=_grids(a, b),
        shares=_shares(result, a, b),
        ends=_ends(a, b),
        causes=tuple(_causes(result)),
        provenance=tuple(_provenance(a, b)),
    )


def _notes(result: diff.DiffResult) -> Iterator[str]:
    """Lists the notes of `diff`, but for a single training's verdict, which stands in the head of the page."""
    alone = [side.members[0] for side in (result.found.a, result.found.b) if len(side.members) == 1]
    shown = {f"{member.name} is {member.figures.verdict}" for member in alone}
    yield from (note for note in result.notes() if note not in shown)


def _of_scalars() -> "list[Chart]":
    """Lays out a chart for each scalar of any family; those that neither side reports are not drawn."""
    from mnistgan import families
    from mnistgan.drawing.report.curves import Chart

    scalars = {scalar.name: scalar for name in families.names() for scalar in families.find(name).scalars}
    return [Chart({name: ""}, of.title[0].upper() + of.title[1:], of.unit) for name, of in scalars.items()]


def _curves(title: str, path: Path, charts: "Sequence[Chart]", a: "Exhibits", b: "Exhibits") -> "Curves":
    from mnistgan.drawing.report import curves
    from mnistgan.drawing.report.page import Curves

    (of_a, notes_a), (of_b, notes_b) = a.curves(path), b.curves(path)
    drawings = (curves.draw(chart, of_a, of_b) for chart in charts)

    def listed(table: "Table | None") -> "Listing | None":
        return None if table is None else curves.listing(charts, table)

    return Curves(title, tuple(filter(None, drawings)), listed(of_a), listed(of_b), (*notes_a, *notes_b))


def _shares(result: diff.DiffResult, a: "Exhibits", b: "Exhibits") -> "Shares":
    from mnistgan.drawing.report import dots
    from mnistgan.drawing.report.page import Shares

    (of_a, notes_a), (of_b, notes_b) = a.shares(), b.shares()
    samples = int(result.found.a.members[0].figures.leaves.get("samples", 0))
    return Shares(tuple(dots.share_rows(of_a, of_b, samples)), samples, (*notes_a, *notes_b))


def _grids(a: "Exhibits", b: "Exhibits") -> "Grids":
    """Collects the final pictures of both sides, and before them those of the epochs that both sides have."""
    from mnistgan.drawing.report.page import Grids

    notes = [*a.sheet[1], *b.sheet[1], *_latents(a, b)]
    of_a, of_b = ({}, {}) if None in (a.place, b.place) else (a.grids(), b.grids())
    lacking = [side.name for side, of in ((a, of_a), (b, of_b)) if side.place and not of]
    if lacking:
        notes.append(
            f"the grids over the epochs are {NOT_HERE} for {' and '.join(lacking)} (DVC's cache lacks them; "
            "`dvc pull` fetches what was pushed)"
        )
        of_a, of_b = {}, {}
    return Grids(
        a=tuple(_frames(a, of_a)), b=tuple(_frames(b, of_b)), stops=tuple(_stops(a, b, of_a, of_b)), notes=tuple(notes)
    )


def _latents(a: "Exhibits", b: "Exhibits") -> Iterator[str]:
    seeds = [side.results.params.get(GRID_SEED) for side in (a, b)]
    if None in (a.place, b.place):
        return
    if None in seeds:
        yield f"whether both sides drew the same latents is unknown: {GRID_SEED} is not recorded on both"
    elif seeds[0] != seeds[1]:
        yield f"the latents are NOT the same: {GRID_SEED} is {seeds[0]} for A and {seeds[1]} for B"


def _frames(side: "Exhibits", grids: "Mapping[int, np.ndarray]") -> "Iterator[Frame]":
    from mnistgan.drawing import grids as tiling
    from mnistgan.drawing.report.page import Frame
    from mnistgan.drawing.report.samples import embedded

    for epoch, pixels in grids.items():
        last = " (its last)" if epoch == max(grids) else ""
        yield Frame(embedded(pixels), f"epoch {epoch}{last}", f"256 digits drawn by {side.name} after epoch {epoch}")
    sheet, _ = side.sheet
    if sheet is not None:
        whole = sheet if side.samples is None else tiling.tile(side.samples, tiling.TRAINING_SIDE)
        yield Frame(embedded(whole), FINAL, f"256 digits drawn by the {FINAL} of {side.name}")


def _stops(
    a: "Exhibits", b: "Exhibits", of_a: "Mapping[int, np.ndarray]", of_b: "Mapping[int, np.ndarray]"
) -> "Iterator[Stop]":
    """Lists the places of the slider: every epoch of either side, then the final weights."""
    from mnistgan.drawing.report.page import Stop

    def frame(epochs: Iterable[int], epoch: int) -> int:
        return max(0, sum(each <= epoch for each in epochs) - 1)

    for epoch in sorted({*of_a, *of_b}):
        yield Stop(f"epoch {epoch}", frame(of_a, epoch), frame(of_b, epoch))
    if a.sheet[0] is not None or b.sheet[0] is not None:
        last = [len(of) if side.sheet[0] is not None else max(0, len(of) - 1) for side, of in ((a, of_a), (b, of_b))]
        yield Stop(FINAL, *last)


def _ends(a: "Exhibits", b: "Exhibits") -> "Ends":
    from mnistgan.drawing.report import samples
    from mnistgan.drawing.report.page import Ends

    notes = [_why_no_samples(side) for side in (a, b) if side.samples is None]
    weights = next((found for side in (a, b) if side.place and (found := side.classifier()) is not None), None)
    if weights is None and len(notes) < 2:
        notes.append(f"the classifier's weights that {layout.LOCK} records are {NOT_HERE}")

    def ranked(side: "Exhibits") -> "Ranked | None":
        return None if weights is None or side.samples is None else samples.rank(side.samples, weights)

    return Ends(ranked(a), ranked(b), tuple(notes))


def _why_no_samples(side: "Exhibits") -> str:
    if side.place is None:
        return side.why_nothing
    return f"{side.name}: {NOT_HERE}, since there is no sheet of 16 by 16 samples to cut them from"


def _causes(result: diff.DiffResult) -> "Iterator[Causes]":
    from mnistgan.drawing.report.page import Causes, Pair

    for kind in ("params", "data", "code"):
        held: tuple[Mapping[str, Any], Mapping[str, Any]] = getattr(result.a, kind), getattr(result.b, kind)
        if unknown := [side.side.name for side in (result.a, result.b) if not side.recorded]:
            yield Causes(kind.capitalize(), (), (), f"not recorded for {' and '.join(unknown)}")
            continue
        changed = [change.name for change in result.changed(kind)]
        same = [name for name in dict.fromkeys((*held[0], *held[1])) if name not in changed]

        def pairs(names: Iterable[str], held: tuple[Mapping[str, Any], Mapping[str, Any]] = held) -> "tuple[Pair, ...]":
            return tuple(Pair(name, *(diff.or_none(side.get(name)) for side in held)) for name in names)

        yield Causes(kind.capitalize(), pairs(changed), pairs(same))


def _provenance(a: "Exhibits", b: "Exhibits") -> "Iterator[Pair]":
    from mnistgan.drawing.report.page import Pair

    of_a, of_b = dict(a.provenance()), dict(b.provenance())
    for name in sorted({*of_a, *of_b}, key=[*of_a, *of_b].index):
        yield Pair(name, of_a.get(name, NOTHING), of_b.get(name, NOTHING))


def _markdown(result: diff.DiffResult, page: "Page") -> str:
    """Formats what `diff` says, then the rest of the page that is text."""
    shares = (
        (str(row.name), *(of.text if of else NOTHING for of in (row.prior, row.a, row.b))) for row in page.shares.rows
    )
    sections = [
        result.markdown(),
        *(_section(f"{group.title}, at the end", ("", "A", "B"), _last_rows(group)) for group in page.curves),
        _section("Share of each class", ("class", "data", "A", "B"), shares),
        _section("Provenance", ("", "A", "B"), [(pair.name, pair.a, pair.b) for pair in page.provenance]),
    ]
    curves = [note for group in page.curves for note in group.notes]
    notes = dict.fromkeys([*curves, *page.shares.notes, *page.grids.notes, *page.ends.notes])
    sections.append("\n".join(f"- note: {output.escaped(note)}" for note in notes))
    return "\n\n".join(section.strip() for section in sections if section) + "\n"


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    held = list(rows)
    return "\n".join([f"### {title}", "", *output.markdown_table(columns, held)]) if held else ""


def _last_rows(group: "Curves") -> Iterator[Sequence[str]]:
    """Lists every column of both tables with its last value."""
    last = [dict(zip(of.columns, of.rows[-1], strict=True)) if of and of.rows else {} for of in (group.a, group.b)]
    for column in dict.fromkeys((*last[0], *last[1])):
        yield column, *(side[column].text if column in side else NOTHING for side in last)
