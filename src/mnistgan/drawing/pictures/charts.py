"""Draws curves and charts as PNG: titles, axes with units, colours that colour-blind people tell apart."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from mnistgan.drawing.pictures import style
from mnistgan.errors import FormatError
from mnistgan.metrics.catalog import Better
from mnistgan.metrics.intervals import Z

if TYPE_CHECKING:
    from mnistgan.families.contract import Chart

_INCHES = (9.6, 5.4)
_EDGE = 0.25  # inches
_HEAD = 0.95  # inches of title, caption and legend
_METRIC_COLUMNS = 2
_METRIC_INCHES = (12.8, 0.92)  # of the picture's width, of a metric's height
_SHORT = 4  # characters of a class name, for which there is room in the larger size
_READABLE = 0.015  # a bar lower than this share has no room for its number


@dataclass(frozen=True)
class Measure:
    """A metric's value, its interval if it has one, and what real images get."""

    name: str
    better: Better
    value: float
    real: float
    interval: tuple[float, float] | None = None


def curves(chart: "Chart", columns: Mapping[str, np.ndarray]) -> Image.Image:
    """Draws a chart's columns [N] over ``epoch``, its levels dashed. Raises FormatError where a column is missing."""
    if missing := [name for name in chart.lines if name not in columns]:
        raise FormatError(f"lacks the columns {missing}; has {list(columns)}")
    epoch, one = columns["epoch"], len(chart.levels) == 1
    drawing = _Drawing()
    with drawing.axes(chart.title, chart.caption) as axes:
        for (name, label), colour in zip(chart.lines.items(), style.LINES, strict=False):
            axes.plot(epoch, columns[name], color=colour, label=label, marker="o" if len(epoch) == 1 else None)
        for level, colour in zip(chart.levels, [style.MUTED_HEX] if one else style.LINES, strict=False):
            axes.axhline(level, color=colour, linestyle=(0, (4, 3)), linewidth=1.2)
        axes.set_ylabel(chart.axis)
        axes.set_ylim(*chart.limits)
        axes.set_xlabel("epochs done")
        axes.set_xlim(0, np.ceil(epoch.max(initial=0.5)))
        if not len(epoch):
            axes.text(0.5, 0.5, "too few steps for a row", transform=axes.transAxes, ha="center", color=style.MUTED_HEX)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    return drawing.image


def class_histogram(
    share: np.ndarray, prior: np.ndarray, samples: int, names: Sequence[str], noun: str, title: str
) -> Image.Image:
    """Draws each class's share [C] over its prior [C]; a band holds 95% of the shares of ``samples`` draws.

    ``names``: of the classes; ``noun``: what an image shows, as ``digit``; ``title``: the data set's.
    """
    half = Z * np.sqrt(prior * (1 - prior) / samples)
    places = np.arange(len(share))
    drawing = _Drawing()
    caption = f"{samples:,} samples, as the classifier reads them, against the share of each {noun} in {title}"
    with drawing.axes(f"Which {noun}s the generator draws", caption) as axes:
        axes.bar(places, share, width=0.72, color=style.BLUE, label="generated")
        axes.bar(
            places,
            2 * half,
            bottom=prior - half,
            width=0.86,
            color=style.BAND_HEX,
            alpha=0.75,
            label=f"95% of such draws from {title}",
        )
        axes.hlines(prior, places - 0.43, places + 0.43, color=style.VERMILLION, linewidth=2, label=title)
        for place, value in enumerate(share):
            height, colour = (value / 2, "white") if value > _READABLE else (value + 0.002, style.BLUE)
            axes.text(place, height, f"{value:.1%}", ha="center", va="center", color=colour, fontsize=11)
        axes.set_xticks(places, names)
        axes.tick_params(axis="x", length=0, labelsize=13 if max(map(len, names)) < _SHORT else 8)
        axes.set_xlabel(noun)
        axes.set_ylabel("share of the samples")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return drawing.image


def metrics(measures: Sequence[Measure], samples: int) -> Image.Image:
    """Draws each metric on a scale of its own: the generator's value with its interval, and that of real images."""
    rows = -(-len(measures) // _METRIC_COLUMNS)
    drawing = _Drawing((_METRIC_INCHES[0], _HEAD + 2 * _EDGE + _METRIC_INCHES[1] * rows), rows, _METRIC_COLUMNS)
    caption = f"{samples:,} samples against as many test images, each metric on its own scale; bars: 95% intervals"
    with drawing.panels("Metrics, and where real images stand", caption) as panels:
        places = panels.T.flat  # down the first column, then down the next
        for axes, measure in zip(places, measures, strict=False):
            _measure(axes, measure)
        for axes in panels.T.flat[len(measures) :]:
            axes.set_axis_off()
    return drawing.image


def _measure(axes: Axes, measure: Measure) -> None:
    axes.plot([measure.real, measure.value], [0, 0], color=style.BAND_HEX, linewidth=3, zorder=1)
    if measure.interval:
        axes.plot(measure.interval, [0, 0], color=style.VERMILLION, linewidth=7, alpha=0.4, solid_capstyle="butt")
    points = (
        (measure.value, "generated images", style.VERMILLION, "o", -9),
        (measure.real, "what real images get", style.BLUE, "D", 9),
    )
    for value, name, colour, marker, lift in points:
        axes.plot(value, 0, marker, color=colour, markersize=9, label=name, linestyle="none")
        axes.annotate(
            _number(value),
            (value, 0),
            (0, lift),
            textcoords="offset points",
            ha="center",
            va="bottom" if lift > 0 else "top",
            color=colour,
            fontsize=10,
            fontweight="bold",
        )
    seen = (measure.value, measure.real, *(measure.interval or ()))
    low, high = min(0.0, *seen), max(0.0, *seen)
    around = (high - low) or 1.0
    axes.set_xlim(low - 0.1 * around, high + 0.09 * around)
    axes.set_ylim(-1, 1)
    axes.set_yticks([0], [f"{measure.name}\n{measure.better.words}"])
    axes.tick_params(axis="y", length=0, labelcolor=style.INK_HEX, labelsize=11)
    axes.tick_params(axis="x", labelsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


class _Drawing:
    """A Matplotlib figure in the project's look that becomes a PNG when its block ends."""

    image: Image.Image

    def __init__(self, inches: tuple[float, float] = _INCHES, rows: int = 1, columns: int = 1) -> None:
        self._width, self._height = inches
        self._rows, self._columns = rows, columns

    @contextmanager
    def axes(self, title: str, caption: str) -> Iterator[Axes]:
        with self.panels(title, caption) as panels:
            yield panels[0, 0]

    @contextmanager
    def panels(self, title: str, caption: str) -> Iterator[np.ndarray]:
        with style.curves():
            figure = Figure(figsize=(self._width, self._height), layout="constrained")
            canvas = FigureCanvasAgg(figure)
            panels = figure.subplots(self._rows, self._columns, squeeze=False)
            yield panels
            self._head(figure, title, caption, panels[0, 0])
            pixels = io.BytesIO()
            figure.savefig(pixels, format="rgba")
            self.image = Image.frombytes("RGBA", canvas.get_width_height(), pixels.getvalue()).convert("RGB")

    def _head(self, figure: Figure, title: str, caption: str, axes: Axes) -> None:
        """Places title, caption and legend under each other at the upper left; the rest is the axes'."""
        left = _EDGE / self._width
        top = 1 - _EDGE / self._height
        inch = 1 / self._height
        figure.text(left, top, title, fontsize=18, fontweight="bold", va="top")
        figure.text(left, top - 0.36 * inch, caption, fontsize=11, color=style.MUTED_HEX, va="top")
        handles, names = axes.get_legend_handles_labels()
        place = (left, top - 0.6 * inch)
        figure.legend(handles, names, loc="upper left", bbox_to_anchor=place, ncols=3, borderpad=0, borderaxespad=0)
        bottom = 0.5 * _EDGE * inch
        engine = figure.get_layout_engine()
        assert isinstance(engine, ConstrainedLayoutEngine)
        engine.set(w_pad=0, rect=(left, bottom, 1 - 2 * left, top - _HEAD * inch - bottom))


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".") if abs(value) >= 0.01 else f"{value:.2g}"
