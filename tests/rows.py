"""Makes rows of the leaderboard out of the committed record, in place of trainings."""

import json
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.results import rows
from tests.imports import ROOT

EPOCHS, STEPS, WALKS = (0, 4, 9), 12, 4


def make(runs: Path, name: str, seed: int, fid: float, **more: Any) -> Path:
    """Writes the committed record as the row of another recipe (``DATA/FAMILY-RECIPE``) and seed, with another FID."""
    folder = runs / name / str(seed)
    for file in ("params.yaml", "recipes/dcgan.yaml", "metrics/machine.json"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, folder / file)
    lock = (ROOT / "dvc.lock").read_text()  # other weights, as of another seed: those of both recipes differ
    weights = lock.partition("path: models/final.npz\n")[2].partition("md5: ")[2][:32]
    other = {weights: f"f{round(100 * fid):031d}", "        seed: 0\n": f"        seed: {round(100 * fid)}\n"}
    for before, after in other.items():
        assert before in lock
        lock = lock.replace(before, after)
    (folder / "dvc.lock").write_text(lock)
    report = json.loads((ROOT / "metrics" / "evaluation.json").read_text())
    report["fid"]["value"] = fid
    (folder / "metrics" / "evaluation.json").write_text(json.dumps({**report, **more}))
    drawn = {"epochs": EPOCHS, "walks": (STEPS, WALKS)} if seed == 0 else {"epochs": (), "walks": ()}
    (folder / rows.FACTS).write_text(json.dumps({"commit": "0" * 40, "minutes": 9.5 + seed, **drawn}))
    if seed == 0:
        Image.new("L", (28 * rows.SIDE, 28 * rows.SIDE * len(EPOCHS)), 90).save(folder / rows.TRAINING)
        Image.new("L", (28 * STEPS, 28 * WALKS), 180).save(folder / rows.WALKS)
    return folder


def asked(share: float) -> dict[str, float]:
    """What an evaluation holds of a family that is asked for classes."""
    return {"value": share, "low": share - 0.01, "high": share + 0.01}
