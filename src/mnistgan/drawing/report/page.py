"""Builds the report's page: all that it shows, and one HTML file that asks for nothing else."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mnistgan.comparison.compare import Verdict
from mnistgan.drawing.html import rendered
from mnistgan.drawing.report import curves, dots
from mnistgan.drawing.report.curves import Drawn, Listing
from mnistgan.drawing.report.dots import MetricRow, ShareRow
from mnistgan.drawing.report.samples import Ranked

FOLDER = Path(__file__).parent
TEMPLATE = "page.html.jinja"
STYLE = "page.css"
SCRIPT = "slider.js"


@dataclass(frozen=True)
class Party:
    """One side's names and facts, for the head of the page."""

    letter: str
    name: str
    where: str  # the commit, or how many seeds
    verdict: str  # of its own metrics file


@dataclass(frozen=True)
class Frame:
    """A picture of the fixed latents, and the moment of training that it is of."""

    source: str
    caption: str
    description: str


@dataclass(frozen=True)
class Stop:
    """A place of the slider: its text, and the frame of each side that it shows."""

    label: str
    a: int
    b: int


@dataclass(frozen=True)
class Grids:
    """The same latents by both sides; a side without a picture has no frames."""

    a: tuple[Frame, ...]
    b: tuple[Frame, ...]
    stops: tuple[Stop, ...]  # the last is what a page without a script shows
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Curves:
    """Drawings of both sides, the rows that they are of, and what is missing."""

    title: str
    drawings: tuple[Drawn, ...]
    a: Listing | None
    b: Listing | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shares:
    """The share of each digit among so many samples."""

    rows: tuple[ShareRow, ...]
    samples: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ends:
    """The samples that the classifier is most and least sure of."""

    a: Ranked | None
    b: Ranked | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """A name with what each side has there."""

    name: str
    a: str
    b: str

    @property
    def differs(self) -> bool:
        """Whether the sides have different things there."""
        return self.a != self.b


@dataclass(frozen=True)
class Causes:
    """Params, data or code of both sides; what differs stands first."""

    title: str
    differing: tuple[Pair, ...]
    same: tuple[Pair, ...]
    unknown: str = ""  # why it can't be told


@dataclass(frozen=True)
class Page:
    """Everything that the page shows, in its order."""

    verdict: Verdict
    word: str
    reason: str
    a: Party
    b: Party
    lines: tuple[str, ...]
    notes: tuple[str, ...]
    metrics: tuple[MetricRow, ...]
    curves: tuple[Curves, ...]
    grids: Grids
    shares: Shares
    ends: Ends
    causes: tuple[Causes, ...]
    provenance: tuple[Pair, ...]


def html(page: Page) -> str:
    """Renders the page as one HTML file."""
    return rendered(
        TEMPLATE,
        [FOLDER],
        SCRIPT,
        page=page,
        stops=json.dumps([asdict(stop) for stop in page.grids.stops]),
        dots=dots,
        curves=curves,
        style=STYLE,
    )
