"""A checkout of this project whose made-up record is in sync, as a pull request's is, for tests of what CI runs."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from mnistgan.comparison import seeds
from mnistgan.comparison.seeds import SeedRow
from mnistgan.evaluation.verdict import scores
from mnistgan.metrics.looks import COLUMNS
from mnistgan.rulers import cards
from pipeline import runtime
from pipeline.dvcfiles import digests, dvc_yaml, layout
from pipeline.results import consistency, lookup
from pipeline.runs import machine
from tests.committed import CODE, SETTINGS, lay_out
from tests.comparison.made_up import figures, report, seeds_around
from tests.drawing.report.furnished import TRAINING, digits, png, row, shares, sheet, table
from tests.pipeline.repository import Repository

HEALTHY = {
    "repetition": {"value": 0.01, "worst": 0.02},
    "novelty_pixels": {"copied": 0.0, "copied_low": -0.05, "copied_high": 0.05},
    "novelty_features": {"copied": 0.0, "copied_low": -0.05, "copied_high": 0.05},
    "unsure": {"value": 0.05, "real": 0.01},
    "pixels": {"spectrum_gap": 0.5},
    "fid_pixels": {"value": 0.4, "missing_class": 0.5, "relative": 0.8},
    "recall": {"value": 0.9, "real": 0.94},
}
"""What the verdict and the scores rest on, beside the class balance."""
RULES = """
verdict: healthy
fid: no worse than base by more than 25%
coverage: at least 0.5 of real
"""


@dataclass(frozen=True)
class Checkout(Repository):
    """This project's code and rulers in a git repository, beside results that nobody measured."""

    @classmethod
    def create(cls, root: Path) -> "Checkout":
        """Copy the code as it is here."""
        lay_out(root, *CODE, *SETTINGS)
        (root / "gate.yaml").write_text(RULES)
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch=main")
        return made

    @property
    def pins(self) -> str:
        """Of an evaluation by the rulers that are here."""
        rulers = {name: cards.read(self.root / "pretrained" / "mnist", name)[1] for name in consistency.RULERS}
        return consistency.pins_of(rulers, self.params["evaluate"])

    @property
    def params(self) -> dict[str, Any]:
        return YAML(typ="safe", pure=True).load((self.root / "params.yaml").read_text("utf-8"))

    def turn(self, **knobs: Any) -> None:
        """Change params of the recipe, and run nothing."""
        train, path = self.params["train"], self.root / "recipes" / f"{self.params['train']['family']}.yaml"
        recipes = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
        recipes[train["recipe"]] |= knobs
        path.write_text(json.dumps(recipes))

    def measure(self, samples: int) -> None:
        """Measure by so many samples from now on."""
        params = self.params
        params["evaluate"]["samples"] = samples
        (self.root / "params.yaml").write_text(json.dumps(params))

    def run_made_up(self, fid: float, **knobs: Any) -> None:
        """Leave what a run with these knobs would: figures, curves, pictures and a dvc.lock that agrees with them."""
        self.turn(**knobs)
        rng = np.random.default_rng(int(fid))
        of_digits = shares(rng)
        evaluation = report(
            fid,
            pins=self.pins,
            samples=self.params["evaluate"]["samples"],
            classes={"smallest_ratio": min(share / prior for _, share, prior in of_digits), "dropped": 0},
            **HEALTHY,
        )
        made = {
            "metrics/evaluation.json": json.dumps(evaluation).encode(),
            "metrics/scores.json": json.dumps(scores(evaluation)).encode(),
            "metrics/machine.json": json.dumps({"processor": "made up"}).encode(),
            "metrics/training.csv": table(TRAINING, [row(rng, step, len(TRAINING)) for step in range(1, 9)]),
            "metrics/looks.csv": table(COLUMNS, [row(rng, 4 * epoch, len(COLUMNS)) for epoch in (1, 2)]),
            "metrics/classes.csv": table(("class", "share", "prior"), of_digits),
            "plots/samples.png": png(sheet(digits(rng, 256))),
            "plots/progress.png": png(sheet(digits(rng, 256))),
        }
        for path, content in made.items():
            (self.root / path).parent.mkdir(exist_ok=True)
            (self.root / path).write_bytes(content)
        self.lock(weights=f"weights of FID {fid}")

    def lock(self, weights: str) -> None:
        """Write dvc.lock for the files that are here, with made-up digests of those that git doesn't keep."""
        made_up = {path: _md5(f"{path} {weights}".encode()) for path in dvc_yaml.outs(self.root)}
        made_up |= {path: _md5(path.encode()) for path in made_up if path.startswith("data/")}
        made_up["models/versions.json"] = _md5(self._versions())

        def digested(path: str) -> dict[str, str]:
            place = self.root / path
            return {"path": path, "md5": digests.md5_of(place, self.root) if place.exists() else made_up[path]}

        stages = {
            name: {
                "cmd": declared.command,
                "deps": [digested(path) for path in declared.deps],
                "params": declared.params,
                "outs": [digested(path) for path in declared.outs],
            }
            for name, declared in dvc_yaml.declared(self.root).items()
        }
        with (self.root / "dvc.lock").open("w") as file:
            YAML(typ="safe", pure=True).dump({"schema": "2.0", "stages": stages}, file)

    def _versions(self) -> bytes:
        """What a training on the locked libraries writes."""
        pinned = machine.pinned_by((self.root / "requirements.lock").read_text("utf-8"))
        return (json.dumps({name: pinned[name][0] for name in runtime.LIBRARIES}, indent=2) + "\n").encode()

    def record_seeds(self, count: int = 5) -> None:
        """Write the spread of the recipe that is recorded."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.root)
            digest = lookup.read("workspace").side.recipe
        assert digest is not None
        made = enumerate(seeds_around(27.0, count))
        rows = [SeedRow("fast", digest, seed, figures(fid, pins=self.pins)) for seed, fid in made]
        (self.root / layout.SEEDS).write_text(seeds.dumps(rows))


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
