"""Lays two results out as the report's page: figures, curves, pictures, causes, and where both come from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from mnistgan import families
from mnistgan.comparison import wording
from mnistgan.comparison.compare import Comparison
from mnistgan.comparison.sides import changes
from mnistgan.drawing.grids import TRAINING_SIDE, tile
from mnistgan.drawing.report import curves, dots, samples
from mnistgan.drawing.report.curves import Chart
from mnistgan.errors import MnistganError
from pipeline.dvcfiles import layout
from pipeline.results import answers, exhibits
from pipeline.results.checkout import Results
from pipeline.results.exhibits import Exhibits

GRID_SEED = "train.grid_seed"
FINAL = "final weights"
NOT_HERE = "not on this machine"
NO_CLASSES = "the data has no classes"

Part = dict[str, Any]
"""A part of the page, by the names that its template has."""


def page(found: Comparison, a: Results, b: Results) -> Part:
    """Lays out a comparison of two results."""
    of_a, of_b = Exhibits("A", a), Exhibits("B", b)
    word, _, reason = wording.headline(found).partition(": ")
    return {
        "verdict": found.verdict,
        "word": word,
        "reason": reason,
        "a": _party(of_a),
        "b": _party(of_b),
        "lines": list(answers.lines(a, b, answers.changed(a, b))),
        "notes": list(_notes(found, answers.notes(found, a, b))),
        "metrics": list(dots.metric_rows(found)),
        "curves": [
            _curves("While training", exhibits.CURVES, _of_scalars(), of_a, of_b),
            _curves("Looks at validation", exhibits.LOOKS, curves.LOOKS, of_a, of_b),
        ],
        "grids": _grids(of_a, of_b),
        "shares": _shares(found, of_a, of_b),
        "ends": _ends(of_a, of_b),
        "causes": list(_causes(a, b)),
        "provenance": list(_provenance(of_a, of_b)),
    }


def _party(side: Exhibits) -> Part:
    """Names a side and says what it is, for the head of the page."""
    return {
        "letter": side.letter,
        "name": side.results.side.name,
        "where": side.where(),
        "verdict": side.verdict(),
    }


def html(found: Comparison, a: Results, b: Results) -> str:
    """Lays out a comparison as one HTML file; where a file of one side is none of its kind, says that in its place."""
    from mnistgan.drawing.report.page import html

    try:
        return html(page(found, a, b))
    except MnistganError as error:
        return f"<!doctype html><p>No report: {escape(str(error))}"


def _notes(found: Comparison, notes: Iterable[str]) -> Iterator[str]:
    """Lists the notes, but for a single training's verdict, which stands in the head of the page."""
    alone = [side.members[0] for side in (found.a, found.b) if len(side.members) == 1]
    shown = {f"{member.name} is {member.figures.verdict}" for member in alone}
    yield from (note for note in notes if note not in shown)


def _of_scalars() -> list[Chart]:
    """Lays out a chart for each scalar of any family; those that neither side reports are not drawn."""
    scalars = {scalar.name: scalar for name in families.names() for scalar in families.find(name).scalars}
    return [Chart({name: ""}, of.title[0].upper() + of.title[1:], of.unit) for name, of in scalars.items()]


def _curves(title: str, path: Path, charts: Sequence[Chart], a: Exhibits, b: Exhibits) -> Part:
    (of_a, notes_a), (of_b, notes_b) = a.curves(path), b.curves(path)
    drawings = (curves.draw(chart, of_a, of_b) for chart in charts)
    rows_a, rows_b = (None if table is None else curves.listing(charts, table) for table in (of_a, of_b))
    drawn, notes = list(filter(None, drawings)), [*notes_a, *notes_b]
    return {"title": title, "drawings": drawn, "a": rows_a, "b": rows_b, "notes": notes}


def _shares(found: Comparison, a: Exhibits, b: Exhibits) -> Part:
    (of_a, notes_a), (of_b, notes_b) = a.shares(), b.shares()
    count = int(found.a.members[0].figures.leaves.get("samples", 0))
    rows = list(dots.share_rows(of_a, of_b, count))
    none = [NO_CLASSES] if (of_a or of_b) and not rows else []
    return {"rows": rows, "samples": count, "notes": [*none, *notes_a, *notes_b]}


def _grids(a: Exhibits, b: Exhibits) -> Part:
    """Collects the final pictures of both sides, and before them those of the epochs that both sides have."""
    notes = [*a.sheet[1], *b.sheet[1], *_latents(a, b)]
    of_a, of_b = ({}, {}) if None in (a.place, b.place) else (a.grids(), b.grids())
    lacking = [side.name for side, of in ((a, of_a), (b, of_b)) if side.place and not of]
    if lacking:
        notes.append(
            f"the grids over the epochs are {NOT_HERE} for {' and '.join(lacking)} (DVC's cache lacks them; "
            "`dvc pull` fetches what was pushed)"
        )
        of_a, of_b = {}, {}
    frames = {"a": list(_frames(a, of_a)), "b": list(_frames(b, of_b))}
    return {**frames, "stops": list(_stops(a, b, of_a, of_b)), "notes": notes}


def _latents(a: Exhibits, b: Exhibits) -> Iterator[str]:
    seeds = [side.results.params.get(GRID_SEED) for side in (a, b)]
    if None in (a.place, b.place):
        return
    if None in seeds:
        yield f"whether both sides drew the same latents is unknown: {GRID_SEED} is not recorded on both"
    elif seeds[0] != seeds[1]:
        yield f"the latents are NOT the same: {GRID_SEED} is {seeds[0]} for A and {seeds[1]} for B"


def _frames(side: Exhibits, grids: Mapping[int, np.ndarray]) -> Iterator[Part]:
    """Lists a side's pictures of the fixed latents, each with the moment of training that it is of."""
    for epoch, pixels in grids.items():
        last = " (its last)" if epoch == max(grids) else ""
        yield _frame(pixels, f"epoch {epoch}{last}", f"256 samples of {side.name} after epoch {epoch}")
    sheet, _ = side.sheet
    if sheet is not None:
        whole = sheet if side.samples is None else tile(side.samples, TRAINING_SIDE)
        yield _frame(whole, FINAL, f"256 samples by the {FINAL} of {side.name}")


def _frame(pixels: np.ndarray, caption: str, description: str) -> Part:
    return {"source": samples.embedded(pixels), "caption": caption, "description": description}


def _stops(a: Exhibits, b: Exhibits, of_a: Mapping[int, np.ndarray], of_b: Mapping[int, np.ndarray]) -> Iterator[Part]:
    """Lists the places of the slider, each with the frame of either side: every epoch, then the final weights.

    The last is what a page without a script shows.
    """

    def frame(epochs: Iterable[int], epoch: int) -> int:
        return max(0, sum(each <= epoch for each in epochs) - 1)

    for epoch in sorted({*of_a, *of_b}):
        yield {"label": f"epoch {epoch}", "a": frame(of_a, epoch), "b": frame(of_b, epoch)}
    if a.sheet[0] is not None or b.sheet[0] is not None:
        last = [len(of) if side.sheet[0] is not None else max(0, len(of) - 1) for side, of in ((a, of_a), (b, of_b))]
        yield {"label": FINAL, "a": last[0], "b": last[1]}


def _ends(a: Exhibits, b: Exhibits) -> Part:
    """Collects the samples that the classifier is most and least sure of."""
    lacking = f"{NOT_HERE}, since there is no sheet of 16 by 16 samples to cut them from"
    without = [side for side in (a, b) if side.samples is None]
    notes = [f"{side.name}: {lacking}" if side.place else side.why_nothing for side in without]
    weights = next((found for side in (a, b) if side.place and (found := side.classifier()) is not None), None)
    if weights == {}:
        weights, notes = None, [NO_CLASSES]
    elif weights is None and len(notes) < 2:
        notes.append(f"the classifier's weights that {layout.LOCK} records are {NOT_HERE}")
    drawn = (side.samples for side in (a, b))
    of_a, of_b = (None if weights is None or images is None else samples.rank(images, weights) for images in drawn)
    return {"a": of_a, "b": of_b, "notes": notes}


def _causes(a: Results, b: Results) -> Iterator[Part]:
    """Lists params, data and code of both sides; what differs stands first."""
    unknown = [side.side.name for side in (a, b) if not side.recorded]
    for kind in ("params", "data", "code"):
        if unknown:
            said = f"not recorded for {' and '.join(unknown)}"
            yield {"title": kind.capitalize(), "differing": [], "same": [], "unknown": said}
            continue
        held: tuple[Mapping[str, Any], Mapping[str, Any]] = getattr(a, kind), getattr(b, kind)
        changed = [change.name for change in changes(*held)]
        names = dict.fromkeys((*changed, *held[0], *held[1]))
        pairs = {name: _pair(name, *(wording.or_none(side.get(name)) for side in held)) for name in names}
        differing = [pairs.pop(name) for name in changed]
        yield {"title": kind.capitalize(), "differing": differing, "same": list(pairs.values()), "unknown": ""}


def _pair(name: str, a: str, b: str) -> Part:
    """Names what each side has somewhere, in words."""
    return {"name": name, "a": a, "b": b}


def _provenance(a: Exhibits, b: Exhibits) -> Iterator[Part]:
    of_a, of_b = dict(a.provenance()), dict(b.provenance())
    for name in sorted({*of_a, *of_b}, key=[*of_a, *of_b].index):
        yield _pair(name, of_a.get(name, wording.NOTHING), of_b.get(name, wording.NOTHING))
