"""The one table of metrics: which figures of an evaluation they are, which way is better, what goes with each.

Whatever names, orders, compares or draws metrics reads it here. Knows names alone: what computes them is beside.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from mnistgan.metrics.intervals import Interval, Z

PRIMARY = "fid.value"


class Better(StrEnum):
    """Which way a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"
    NEAR = "near real"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """Words for a drawing; empty where it is not known."""
        if self is Better.UNKNOWN:
            return ""
        return f"{self} is {'best' if self is Better.NEAR else 'better'}"

    @property
    def mark(self) -> str:
        """Mark for a table; empty where it is not known."""
        return {"lower": "↓", "higher": "↑", "near real": "≈"}.get(self, "")


class Scale(Enum):
    """What is averaged and tested: the figure, or its logarithm, where seeds differ by a factor."""

    LINEAR = "linear"
    LOG = "log"

    def of(self, value: float) -> float:
        """Converts ``value`` to this scale; NaN where it has no logarithm."""
        if self is Scale.LINEAR:
            return value
        return math.log(value) if value > 0 else math.nan

    def back(self, scaled: float) -> float:
        """Converts ``scaled`` back to the figure."""
        return scaled if self is Scale.LINEAR else math.exp(scaled)


class Shown(Enum):
    """Where a metric is shown beside `diff` and `report`, which show all of them."""

    SCORES = "metrics/scores.json"
    PICTURE = "pictures/metrics.png"
    SEEDS = "the table of a group of seeds"
    CONTROLS = "the table of controls"


@dataclass(frozen=True)
class Metric:
    """One metric of an evaluation; it and what goes with it are named by their dotted names there."""

    name: str
    title: str
    better: Better
    real: str | None = None  # what real images get
    interval: tuple[str, ...] = ()  # the ends of its 95% interval, or its standard error
    also: tuple[str, ...] = ()  # what else is told of it
    scale: Scale = Scale.LINEAR
    relative: tuple[str, str] | None = None  # it over what real images without one class get, and that
    unit: str = ""
    of: str = ""  # what a share is of
    look: str | None = None  # its column in metrics/looks.csv
    shown: frozenset[Shown] = frozenset()
    has_dose: bool = True  # whether real images have it too, and a fault moves it by degrees
    of_asked: bool = False  # whether only families that take classes have it
    of_classes: bool = False  # whether only data that has classes gives it

    @property
    def short(self) -> str:
        """The name as people see it: ``fid`` for ``fid.value``."""
        return self.name.removesuffix(".value")

    @property
    def dosed(self) -> str:
        """The figure that a fault's doses are measured by: relative where there is such."""
        return self.relative[0] if self.relative else self.name

    @property
    def companions(self) -> tuple[str, ...]:
        """Lists the figures that only go with it."""
        return (*filter(None, [self.real]), *self.interval, *(self.relative or ()), *self.also)


def _in(section: str, title: str, better: Better, name: str = "value", **of: Any) -> Metric:
    """A metric of which each figure is named within its section."""
    for field in of.keys() & {"real", "interval", "also", "relative"}:
        of[field] = f"{section}.{of[field]}" if field == "real" else tuple(f"{section}.{each}" for each in of[field])
    return Metric(f"{section}.{name}", title, better, **of)


def _fid(section: str, title: str, shown: frozenset[Shown] = frozenset(), **of: Any) -> Metric:
    beside: Mapping[str, Any] = {"interval": ("low", "high"), "also": ("infinity",), "scale": Scale.LOG}
    relative = ("relative", "missing_class")
    return _in(section, title, LOWER, real="floor", relative=relative, shown=_PICTURE | shown, **beside, **of)


def _novelty(section: str, title: str, shown: frozenset[Shown] = frozenset()) -> Metric:
    also = ("train_share", "null", "null_deviation", "excess")
    interval = ("copied_low", "copied_high")
    return _in(section, title, LOWER, "copied", interval=interval, also=also, of=_SAMPLES, shown=shown)


LOWER, HIGHER, NEAR = Better.LOWER, Better.HIGHER, Better.NEAR
_SCORES, _PICTURE, _SEEDS, _CONTROLS = (frozenset({where}) for where in Shown)
_ALL, _BOTH, _REAL, _SAMPLES = frozenset(Shown), _SCORES | _PICTURE, "share of real images", "share of samples"
_WORST: Mapping[str, Any] = {"name": "worst", "also": ("worst_class",)}
_CLASSES: Mapping[str, Any] = {"of_classes": True}
_ASKED: Mapping[str, Any] = {"of": _SAMPLES, "has_dose": False, "of_asked": True}
METRICS = (
    _fid("fid", "FID", _ALL, look="fid"),
    _fid("fid_logits", "FID, logits", **_CLASSES),
    _fid("fid_pixels", "FID, pixels", _ALL, look="fid_pixels"),
    _in("kid", "KID", LOWER, real="floor", interval=("standard_error",), shown=_PICTURE),
    _in("precision", "precision", NEAR, real="real", of=_SAMPLES, shown=_BOTH),
    _in("recall", "recall", HIGHER, real="real", of=_REAL, shown=_BOTH | _CONTROLS),
    _in("density", "density", NEAR, real="real", shown=_PICTURE),
    _in("coverage", "coverage", HIGHER, real="real", also=("expected",), of=_REAL, look="coverage", shown=_ALL),
    _in("coverage", "coverage of the worst class", HIGHER, real="worst_real", of=_REAL, **_WORST, **_CLASSES),
    _in("classifier_score", "classifier score", NEAR, real="real", shown=_PICTURE | _CONTROLS, **_CLASSES),
    _in("unsure", "unsure share", NEAR, real="real", of=_SAMPLES, shown=_BOTH | _CONTROLS, **_CLASSES),
    _in("unsure", "unsure share of the worst class", NEAR, real="worst_real", of=_SAMPLES, **_WORST, **_CLASSES),
    _in(
        *("classes", "class divergence", LOWER, "divergence"),
        real="expected",
        unit="nats",
        look="class_divergence",
        shown=_PICTURE,
        of_classes=True,
    ),
    _in(
        *("classes", "smallest class", HIGHER, "smallest_ratio"),
        also=("smallest_class",),
        of="of its share in the data",
        look="smallest_ratio",
        shown=_ALL - _PICTURE,
        of_classes=True,
    ),
    _in("classes", "dropped classes", LOWER, "dropped", look="dropped", has_dose=False, **_CLASSES),
    _in("as_asked", "as asked", HIGHER, real="real", interval=("low", "high"), shown=_SCORES, **_ASKED),
    _in("as_asked", "as asked, the worst class", HIGHER, real="worst_real", **_ASKED, **_WORST),
    _novelty("novelty_pixels", "copied, by pixels", _CONTROLS),
    _novelty("novelty_features", "copied, by features"),
    _in("repetition", "repetition", LOWER, real="expected", of=_SAMPLES, look="repetition", shown=_PICTURE | _CONTROLS),
    _in("repetition", "repetition in the worst class", LOWER, of=_SAMPLES, shown=_SCORES, **_WORST),
    _in("interpolation", "largest step between latents", LOWER, "largest_step", real="even", has_dose=False),
    Metric("pixels.ink", "ink", NEAR, "pixels.ink_real"),
    Metric("pixels.background", "background", NEAR, "pixels.background_real", shown=_CONTROLS),
    Metric("pixels.spectrum_gap", "spectrum gap", LOWER, "pixels.spectrum_gap_floor", unit="dB", shown=_CONTROLS),
)
KNOWN = {metric.name: metric for metric in METRICS}
SECTIONS = frozenset(name.partition(".")[0] for name in KNOWN)
COMPANIONS = frozenset(name for metric in METRICS for name in metric.companions) | {"samples"}
"""Figures that are no metrics of their own: what goes with one, and how many samples there were."""
OF_CLASSES = frozenset(
    name
    for metric in METRICS
    for name in (metric.name, *metric.companions)
    if metric.of_classes or name.endswith("_class")
)
"""Figures that data without classes does not have."""


def shown(where: Shown) -> tuple[Metric, ...]:
    """Lists the metrics that stand somewhere, in the table's order."""
    return tuple(metric for metric in METRICS if where in metric.shown)


def deciding() -> dict[str, Metric]:
    """The figures that decide, by name: a metric's relative figure where it has one, and FID itself beside it."""
    figures = {metric.dosed: metric for metric in shown(Shown.SCORES)}
    return {PRIMARY: KNOWN[PRIMARY], **figures}


def metrics_in(names: Iterable[str]) -> list[Metric]:
    """Lists the metrics among figures in their order, the primary first; one not in the table has no direction."""
    found = [_metric(name) for name in dict.fromkeys(names) if name not in COMPANIONS]
    return sorted(found, key=lambda metric: metric.name != PRIMARY)


def _metric(name: str) -> Metric:
    return KNOWN.get(name) or Metric(name, name, Better.UNKNOWN)


def find(name: str, names: Iterable[str]) -> Metric | None:
    """Finds the metric, or any other figure, that ``name`` means, full or short; None where there is none."""
    names = list(names)
    full = next((known for known in (f"{name}.value", name) if known in names), None)
    return None if full is None else _metric(full)


def sampling_interval(metric: Metric, leaves: Mapping[str, float]) -> Interval | None:
    """Reads the 95% interval that a file holds for a metric: of the sampling of latents, not of seeds."""
    value, *ends = (leaves.get(name, math.nan) for name in (metric.name, *metric.interval))
    if not ends or not math.isfinite(value + sum(ends)):
        return None
    low, high = ends if len(ends) == 2 else (value - Z * ends[0], value + Z * ends[0])
    return Interval(value, low, high)


def broken_interval(metric: Metric, leaves: Mapping[str, float]) -> str | None:
    """Says what is wrong with the interval that a file holds for a metric; None where nothing is, or it holds none."""
    value = leaves.get(metric.name, math.nan)
    bounds = [(-math.inf, value), (value, math.inf)] if len(metric.interval) == 2 else [(0.0, math.inf)]
    for name, (low, high) in zip(metric.interval, bounds, strict=False):
        if name in leaves and not (low <= leaves[name] <= high and math.isfinite(leaves[name])):
            return f"{name} is {leaves[name]:g} beside a {metric.short} of {value:g}"
    return None
