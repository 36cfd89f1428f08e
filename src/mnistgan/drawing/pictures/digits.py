"""Draws the sheets of images: samples, progress, interpolation, real beside generated, animation; mode L."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from mnistgan.drawing.pictures import style
from mnistgan.drawing.pictures.sheets import Panel, Row, Sheet, rows_by_class, rows_of

_BY_CLASS_COLUMNS = 16
_STRIPS_COLUMNS = 12


def samples(images: np.ndarray, columns: int, scale: int) -> Image.Image:
    """Draws the fixed latents' images [N, 28, 28] by the final weights as one grid."""
    caption = "The fixed latents that every grid of the training shows, drawn by the final weights; none was chosen."
    return Sheet(scale).draw(f"{len(images)} samples", caption, [Panel(rows_of(images, columns), columns)])


def progress(by_epoch: Mapping[int, np.ndarray], scale: int) -> Image.Image:
    """Draws the same latents over epochs: images [N, 28, 28] for each epoch, one row each, top to bottom."""
    rows = [Row(images, f"epoch {epoch}") for epoch, images in sorted(by_epoch.items())]
    columns = max(len(row.images) for row in rows)
    caption = "Each column is one latent; epoch 0 is before training."
    return Sheet(scale).draw(f"{columns} latents over the epochs", caption, [Panel(rows, columns)])


def interpolation(walks: np.ndarray, scale: int) -> Image.Image:
    """Draws walks between two latents, images [R, S, 28, 28], one walk a row."""
    caption = "Each row goes from one latent (left) to another (right) in even steps along a great circle."
    panel = Panel([Row(walk) for walk in walks], walks.shape[1])
    return Sheet(scale).draw("Walks through the latent space", caption, [panel])


def real_and_generated(real: np.ndarray, generated: np.ndarray, columns: int, scale: int) -> Image.Image:
    """Draws real images [N, 28, 28] beside as many generated ones."""
    caption = "Test images that no training saw, spread over the whole set, and samples; neither was chosen."
    panels = [Panel(rows_of(real, columns), columns, "Real"), Panel(rows_of(generated, columns), columns, "Generated")]
    return Sheet(scale).draw("Real beside generated", caption, panels)


def asked(images: np.ndarray, names: Sequence[str], noun: str, scale: int) -> Image.Image:
    """Draws samples [C, K, 28, 28] of which each class was asked, one class a row and one latent a column.

    ``names``: of the classes; ``noun``: what an image shows, as ``digit``.
    """
    caption = f"Each row is the {noun} that was asked for, each column one latent; none was chosen."
    panel = Panel([Row(row, name) for name, row in zip(names, images, strict=True)], images.shape[1])
    return Sheet(scale).draw("Samples as they were asked for", caption, [panel])


def by_class(images: np.ndarray, read: np.ndarray, names: Sequence[str], noun: str, scale: int) -> Image.Image:
    """Draws samples [N, 28, 28] in a row a class by what [N] the classifier reads in each; names as :func:`asked`."""
    caption = (
        f"The first {_BY_CLASS_COLUMNS} of each {noun} among {len(images):,} samples, and the {noun}'s share of them; "
        f"a sample in the wrong row is one that the classifier misreads, or no {noun}."
    )
    panel = Panel(rows_by_class(images, read, names, _BY_CLASS_COLUMNS), _BY_CLASS_COLUMNS)
    return Sheet(scale).draw("Samples as the classifier reads them", caption, [panel])


def strips(
    images: np.ndarray, classes: np.ndarray | None, names: Sequence[str], title: str, caption: str, scale: int
) -> Image.Image:
    """Draws strips of images that belong together, [N, K, 28, 28]: those of a class [N] in a row with its name; where
    they are of none, or names are missing, as many in a row as there is room for."""
    if classes is None or not names:
        classes = np.arange(len(images)) // max(1, _STRIPS_COLUMNS // images.shape[1])
        names = [""] * (1 + classes[-1])
    rows = [images[classes == place] for place in range(len(names))]

    def tiles(row: np.ndarray, place: int) -> np.ndarray:
        return row[place : place + 1].reshape(-1, *row.shape[2:])  # none, where the class has fewer

    panels = [
        Panel(
            [Row(tiles(row, place), "" if place else name) for row, name in zip(rows, names, strict=True)],
            len(images[0]),
        )
        for place in range(max(map(len, rows)))
    ]
    return Sheet(scale).draw(title, caption, panels)


_SCALE = 2
_MARGIN = 16
_HEAD = 64
_BAR = 6


def frames(grids: Mapping[int, np.ndarray]) -> Iterator[Image.Image]:
    """Draws a frame (mode L) for each epoch's grid [H, W] uint8, in order, with its epoch and a progress bar."""
    last = max(grids)
    for epoch in sorted(grids):
        yield _frame(grids[epoch], epoch, last)


def _frame(grid: np.ndarray, epoch: int, last: int) -> Image.Image:
    height, width = (side * _SCALE for side in grid.shape)
    frame = Image.new("L", (width + 2 * _MARGIN, height + _HEAD + _MARGIN), style.PAGE)
    frame.paste(Image.fromarray(grid.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)), (_MARGIN, _HEAD))
    pen = ImageDraw.Draw(frame)
    pen.text((_MARGIN, 40), f"epoch {epoch}", style.INK, style.font(26, bold=True), anchor="ls")
    pen.text((_MARGIN + width, 40), f"of {last}", style.MUTED, style.font(18), anchor="rs")
    top = _HEAD - _BAR - 4
    pen.rectangle((_MARGIN, top, _MARGIN + width - 1, top + _BAR - 1), fill=220)
    if epoch:
        pen.rectangle((_MARGIN, top, _MARGIN + round(width * epoch / last) - 1, top + _BAR - 1), fill=style.MUTED)
    return frame
