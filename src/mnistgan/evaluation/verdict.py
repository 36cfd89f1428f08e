"""Gives the verdict on a generator, with its evidence (healthy, collapsed, memorised or unsure), and picks its scores.

Each piece of evidence is a figure of the report that a dose of a known fault moves. Its threshold lies half-way between
what the figure is at a dose of 5% and at one of 20%: a generator for which a fifth of the samples is at fault trips it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from mnistgan import files
from mnistgan.errors import DataError, PinsError, RulerError
from mnistgan.metrics.catalog import OF_CLASSES, deciding
from mnistgan.metrics.checks import DIGITS
from mnistgan.metrics.rounding import is_number, rounded
from mnistgan.rulers.pins import Pins

HEALTHY = "healthy"
FILE = "controls.json"
RESTORE = "restore pretrained/ from git, or make it anew by `python -m pipeline dataset controls`"
QUIET, TRIPS = "0.05", "0.2"  # doses, as the figures of the controls name them
CHANCE = 3.0  # standard deviations that chance may take a class from its prior

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """A figure, the fault whose doses set its threshold, and how both are worded; ``{worst}`` is the worst class."""

    verdict: str
    section: str
    figure: str
    dose: str
    sentence: str
    bound: str = "{:.0%} or less"

    @property
    def key(self) -> str:
        """``section.figure``, as thresholds name it."""
        return f"{self.section}.{self.figure}"


SMALLEST = Evidence(
    *("collapsed", "classes", "smallest_ratio", "class_removed"),
    "{worst} at {value:.2f} of its share",
    "{:.2f} or more",
)
EVIDENCE = (
    SMALLEST,
    Evidence("collapsed", "repetition", "worst", "repeated", "{value:.0%} of {worst} repeat others"),
    Evidence("memorised", "novelty_pixels", "copied", "copied", "{value:.0%} copied by their pixels"),
    Evidence("memorised", "novelty_features", "copied", "copied", "{value:.0%} copied by their features"),
    Evidence("unsure", "unsure", "value", "noised", "{value:.0%} are of no clear class"),
    Evidence("unsure", "pixels", "spectrum_gap", "noised", "spectrum {value:.1f} dB off", "{:.1f} or less"),
)


@dataclass(frozen=True)
class Thresholds:
    """``limits``: the threshold of each figure by its key; ``pins``: those that the doses were measured under."""

    limits: Mapping[str, float]
    pins: Pins

    def demand(self, pinned: Pins) -> None:
        """Raises RulerError where other rulers than ``pinned`` set them, so that they would mean nothing."""
        if (self.pins.classifier, self.pins.pixels) != (pinned.classifier, pinned.pixels):
            raise RulerError(
                f"{FILE}: thresholds set by the rulers {self.pins.classifier} and {self.pins.pixels}, here are "
                f"{pinned.classifier} and {pinned.pixels}; {RESTORE}"
            )


def thresholds(doses: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Threshold of each figure, by key, from figures by dosed fault and dose (``"0.05"``, ``"0.2"``).

    Without doses of a missing class, of those that need none.
    """
    return {
        evidence.key: rounded(sum(doses[evidence.dose][dose][evidence.key] for dose in (QUIET, TRIPS)) / 2)
        for evidence in _evidence(SMALLEST.dose in doses)
    }


def _evidence(of_classes: bool) -> list[Evidence]:
    return [evidence for evidence in EVIDENCE if of_classes or evidence.key not in OF_CLASSES]


def load(folder: Path, of_classes: bool = True) -> Thresholds:
    """Loads the thresholds pinned beside the rulers, fewer where the data has no classes.

    Raises RulerError where they are missing or not whole.
    """
    path = folder / FILE
    try:
        record = files.read_json(path)
    except DataError as error:
        raise RulerError(f"{error}; {RESTORE}") from error
    limits = record.get("thresholds") if isinstance(record, dict) else None
    if not isinstance(limits, dict) or limits.keys() != {evidence.key for evidence in _evidence(of_classes)}:
        held = ", ".join(limits) if isinstance(limits, dict) else ""
        raise RulerError(f"{path}: holds thresholds of {held or 'nothing'}; {RESTORE}")
    if wrong := [key for key, limit in limits.items() if not is_number(limit)]:
        raise RulerError(f"{path}: the threshold of {wrong[0]} is {limits[wrong[0]]!r}, no finite number; {RESTORE}")
    try:
        pins = Pins.parse(str(record.get("pins")))
    except PinsError as error:
        raise RulerError(f"{path}: says not by which rulers its thresholds were set: {error}; {RESTORE}") from error
    return Thresholds({key: float(limit) for key, limit in limits.items()}, pins)


def verdict(report: Report, limits: Mapping[str, float], names: Sequence[str] = DIGITS) -> str:
    """``healthy``, or each fault with its evidence: ``collapsed: class 8 at 0.10 of its share (0.88 or more)``.

    ``names``: of the classes, by their place.
    """
    return "; ".join(f"{fault}: {said}" for fault, said in faults(report, limits, names).items()) or HEALTHY


def faults(report: Report, limits: Mapping[str, float], names: Sequence[str] = DIGITS) -> dict[str, str]:
    """Finds faults, in one word each, with their evidence; none where the verdict is ``healthy``."""
    found: dict[str, list[str]] = {}
    for evidence in _evidence(bool(names)):
        if _trips(evidence, report, limits[evidence.key], len(names)):
            found.setdefault(evidence.verdict, []).append(_said(evidence, report, limits[evidence.key], names))
    return {fault: ", ".join(said) for fault, said in found.items()}


def _trips(evidence: Evidence, report: Report, limit: float, classes: int) -> bool:
    section = report[evidence.section]
    value: float = section[evidence.figure]
    if evidence is SMALLEST:
        # Of few samples chance alone leaves some class short: the deviation of an even share over its expectation.
        share = 1 / classes
        return value < min(limit, 1 - CHANCE * sqrt((1 - share) / (share * report["samples"])))
    if evidence.verdict == "memorised":
        return value > limit and section["copied_low"] > 0
    return value > limit


def _said(evidence: Evidence, report: Report, limit: float, names: Sequence[str]) -> str:
    section = report[evidence.section]
    place = section.get("smallest_class", section.get("worst_class"))
    worst = "all" if place is None else f"class {names[place]}"
    said = evidence.sentence.format(value=section[evidence.figure], worst=worst)
    return f"{said} ({evidence.bound.format(limit)})"


def scores(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Picks metrics/scores.json out of an evaluation: numbers alone, as DVC makes columns; ``healthy`` is 1 or 0."""
    found: dict[str, Any] = {"healthy": int(evaluation["verdict"] == HEALTHY)}
    for name, metric in deciding().items():
        section, figure = name.split(".")
        if figure in evaluation.get(section, {}) or not (metric.of_asked or metric.of_classes):
            found.setdefault(section, {})[figure] = evaluation[section][figure]
    return found
