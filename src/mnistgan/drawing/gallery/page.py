"""Builds the gallery: all that it shows, and one HTML file that asks for nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mnistgan.drawing.html import rendered
from mnistgan.drawing.report import page as report
from mnistgan.drawing.report.axes import Axis

FOLDER = Path(__file__).parent
SCRIPT = "gallery.js"
WIDTH, HEIGHT = 640, 320  # of the chart
LEFT, RIGHT, TOP, BOTTOM = 52, 150, 12, 40  # room around its axes; names stand at the right


@dataclass(frozen=True)
class Training:
    """Samples of the same latents over a training: a picture for each epoch, one below the other, in one PNG."""

    source: str  # a ``data:`` address
    epochs: tuple[int, ...]


@dataclass(frozen=True)
class Walks:
    """Walks through the latents: a row of ``steps`` images each, ``count`` rows in one PNG."""

    source: str
    steps: int
    count: int


@dataclass(frozen=True)
class Card:
    """A recipe: its name, figures and pictures."""

    anchor: str
    name: str
    data: str
    labels: str
    seeds: str
    verdict: str
    minutes: float
    relative: float  # FID over that of real images without one class; NaN where every seed collapsed
    figures: tuple[tuple[str, str], ...]  # titles and values, as text
    training: Training | None
    walks: Walks | None
    commit: str
    folder: str

    @property
    def told(self) -> str:
        """Its place in the chart, in words."""
        return f"{self.name}: relative FID {self.relative:.3g} after {self.minutes:.0f} minutes, labels {self.labels}"


@dataclass(frozen=True)
class Chart:
    """Relative FID over minutes, both on logarithmic axes, of the recipes of one data set."""

    cards: Sequence[Card]

    @cached_property
    def x(self) -> Axis:
        """Minutes of training."""
        return Axis.over([card.minutes for card in self.cards], LEFT, WIDTH - RIGHT, log=True)

    @cached_property
    def y(self) -> Axis:
        """Relative FID; the lowest is best and stands lowest."""
        return Axis.over([card.relative for card in self.cards], HEIGHT - BOTTOM, TOP, log=True)


@dataclass(frozen=True)
class Page:
    """Everything that the page shows."""

    cards: tuple[Card, ...]

    @property
    def charts(self) -> dict[str, Chart]:
        """A chart for each data set, by its name, of what did not collapse: no relative FID compares across two."""
        drawn = [card for card in self.cards if math.isfinite(card.relative)]
        names = dict.fromkeys(card.data for card in drawn)
        return {name: Chart([card for card in drawn if card.data == name]) for name in names}

    @property
    def moments(self) -> int:
        """Places of the slider: as many as the training with most pictures has."""
        return max((len(card.training.epochs) for card in self.cards if card.training), default=0)


def html(page: Page) -> str:
    """Renders the page as one HTML file."""
    return rendered(
        "gallery.html.jinja",
        [FOLDER, report.FOLDER],  # whose style it shares
        SCRIPT,
        page=page,
        size=(WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM),
        styles=(report.STYLE, "gallery.css"),
    )
