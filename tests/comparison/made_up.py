"""Evaluations that nobody measured, for tests of what is said about measured ones."""

import copy
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnistgan.comparison.figures import Figures
from mnistgan.comparison.seeds import SeedRow
from mnistgan.comparison.sides import Side, Trained

PINS = "0578b5-43e8f7-244d82-10000-1"
COLLAPSED = "collapsed: class 8 at 0.10 of its share (0.87 or more)"
REPORT: dict[str, Any] = {
    "verdict": "healthy",
    "fid": {
        "value": 27.5,
        "low": 26.9,
        "high": 28.1,
        "floor": 0.515,
        "missing_class": 18.6,
        "relative": 1.48,
        "infinity": 27.4,
    },
    "fid_logits": {"value": 36.8, "low": 35.3, "high": 38.4, "floor": 0.269},
    "kid": {"value": 14.9, "standard_error": 2.4, "floor": 0.0228},
    "precision": {"value": 0.76, "real": 0.94},
    "coverage": {"value": 0.56, "real": 0.95, "expected": 0.969, "worst_class": 6, "worst": 0.32, "worst_real": 0.94},
    "classes": {"divergence": 0.016, "expected": 0.00045, "smallest_class": 6, "smallest_ratio": 0.74, "dropped": 0},
    "samples": 10000,
    "pins": PINS,
}
# Log FIDs of seeds: no two alike, a deviation of 0.05.
STEPS = (0.0, 0.06, -0.05, 0.03, -0.06, 0.05, -0.02, 0.04)


def report(fid: float = 27.5, **sections: Any) -> dict[str, Any]:
    """A metrics file's content; ``sections`` replace whole sections or add to them, None takes one away."""
    made = copy.deepcopy(REPORT)
    made["fid"] |= {
        "value": fid,
        "low": 0.975 * fid,
        "high": 1.025 * fid,
        "relative": fid / made["fid"]["missing_class"],
    }
    made["fid_logits"] |= {"value": 1.3 * fid, "low": 1.26 * fid, "high": 1.34 * fid}
    made["classes"]["dropped"] = int(sections.get("verdict") == COLLAPSED)
    for name, section in sections.items():
        if section is None:
            del made[name]
        else:
            made[name] = made[name] | section if isinstance(section, dict) and name in made else section
    return made


def figures(fid: float = 27.5, **sections: Any) -> Figures:
    return Figures.of(report(fid, **sections), "made up")


def seeds_around(fid: float, count: int) -> list[float]:
    """FIDs of ``count`` seeds of one recipe."""
    return [fid * math.exp(step) for step in STEPS[:count]]


def side(name: str, fids: Sequence[float], recipe: str | None = None, **sections: Any) -> Side:
    return Side(name, tuple(Trained(f"{name} {i}", figures(fid, **sections)) for i, fid in enumerate(fids)), recipe)


def rows(fid: float = 27.5, count: int = 5, digest: str = "recipe-a") -> list[SeedRow]:
    """Recorded seeds of a recipe; coverage varies with them too."""
    made = enumerate(seeds_around(fid, count))
    return [SeedRow("fast", digest, seed, figures(value, coverage={"value": value / 50})) for seed, value in made]


def write(path: Path, **sections: Any) -> Path:
    """A metrics file of :func:`report`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report(**sections)))
    return path
