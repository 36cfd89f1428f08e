"""Which figures are metrics, which way is better, and which other figures go with them."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from mnistgan.metrics.intervals import Interval, Z

PRIMARY = "fid.value"


class Better(StrEnum):
    """Which way a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"
    NEAR = "near real"
    UNKNOWN = "unknown"


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


@dataclass(frozen=True)
class Metric:
    """One metric of an evaluation; ``name`` is its dotted name there, ``real`` that of what real images get for it."""

    name: str
    better: Better
    real: str | None
    scale: Scale = Scale.LINEAR

    @property
    def short(self) -> str:
        """The name as people see it: ``fid`` for ``fid.value``."""
        return self.name.removesuffix(".value")


KNOWN = {
    metric.name: metric
    for metric in (
        Metric(PRIMARY, Better.LOWER, "fid.floor", Scale.LOG),
        Metric("fid_logits.value", Better.LOWER, "fid_logits.floor", Scale.LOG),
        Metric("fid_pixels.value", Better.LOWER, "fid_pixels.floor", Scale.LOG),
        Metric("kid.value", Better.LOWER, "kid.floor"),
        Metric("precision.value", Better.NEAR, "precision.real"),
        Metric("recall.value", Better.HIGHER, "recall.real"),
        Metric("density.value", Better.NEAR, "density.real"),
        Metric("coverage.value", Better.HIGHER, "coverage.real"),
        Metric("coverage.worst", Better.HIGHER, "coverage.worst_real"),
        Metric("classifier_score.value", Better.NEAR, "classifier_score.real"),
        Metric("unsure.value", Better.NEAR, "unsure.real"),
        Metric("unsure.worst", Better.NEAR, "unsure.worst_real"),
        Metric("classes.divergence", Better.LOWER, "classes.expected"),
        Metric("classes.smallest_ratio", Better.HIGHER, None),
        Metric("classes.dropped", Better.LOWER, None),
        Metric("novelty_pixels.copied", Better.LOWER, None),
        Metric("novelty_features.copied", Better.LOWER, None),
        Metric("repetition.value", Better.LOWER, "repetition.expected"),
        Metric("repetition.worst", Better.LOWER, None),
        Metric("interpolation.largest_step", Better.LOWER, "interpolation.even"),
        Metric("pixels.ink", Better.NEAR, "pixels.ink_real"),
        Metric("pixels.background", Better.NEAR, "pixels.background_real"),
        Metric("pixels.spectrum_gap", Better.LOWER, "pixels.spectrum_gap_floor"),
    )
}

SECTIONS = frozenset(name.partition(".")[0] for name in KNOWN)

# What goes with a metric: its interval, what real images get, the same thing in another unit, which digit it is.
_COMPANION = re.compile(
    r"(?:^|[._])(?:low|high|standard_error|floor|real|expected|no_8|units|infinity|digit|null|null_deviation"
    r"|train_share|excess|even|samples)$"
)


def is_companion(name: str) -> bool:
    """Whether a figure only goes with a metric."""
    return name not in KNOWN and bool(_COMPANION.search(name))


def metrics_in(names: Iterable[str]) -> list[Metric]:
    """Lists the metrics among figures, in their order, the primary one first.

    One that the table above lacks is of no known direction; what real images get for it is found by its name.
    """
    names = list(dict.fromkeys(names))
    found = [KNOWN.get(name) or _unknown(name, names) for name in names if not is_companion(name)]
    return sorted(found, key=lambda metric: metric.name != PRIMARY)


def _unknown(name: str, names: Iterable[str]) -> Metric:
    stem = name.removesuffix(".value")
    candidates = [f"{stem}{mark}{kind}" for kind in ("floor", "real", "expected") for mark in "._"]
    return Metric(name, Better.UNKNOWN, next((known for known in candidates if known in names), None))


def find(name: str, names: Iterable[str]) -> Metric | None:
    """Finds the metric, or any other figure, that ``name`` means, full or short; None where there is none."""
    names = list(names)
    full = next((known for known in (f"{name}.value", name) if known in names), None)
    return None if full is None else KNOWN.get(full) or _unknown(full, names)


def sampling_interval(metric: Metric, leaves: Mapping[str, float]) -> Interval | None:
    """Reads the 95% interval that a file holds for a metric: of the sampling of latents, not of seeds."""
    value = leaves.get(metric.name, math.nan)
    error = leaves.get(f"{metric.short}.standard_error", math.nan)
    for mark in "._":
        low, high = (leaves.get(f"{metric.short}{mark}{end}", math.nan) for end in ("low", "high"))
        if math.isfinite(value + low + high):
            return Interval(value, low, high)
    return Interval(value, value - Z * error, value + Z * error) if math.isfinite(value + error) else None


def broken_interval(metric: Metric, leaves: Mapping[str, float]) -> str | None:
    """Says what is wrong with the interval that a file holds for a metric; None where nothing is, or it holds none."""
    value, short = leaves.get(metric.name, math.nan), metric.short

    def holds(name: str, end: float) -> bool:
        if name.endswith("low"):
            return -math.inf < end <= value
        return (value if name.endswith("high") else 0.0) <= end < math.inf

    names = [*(f"{short}{mark}{end}" for mark in "._" for end in ("low", "high")), f"{short}.standard_error"]
    wrong = next((name for name in names if name in leaves and not holds(name, leaves[name])), None)
    return f"{wrong} is {leaves[wrong]:g} beside a {short} of {value:g}" if wrong else None
