"""A family added as a newcomer adds one, by a folder and a file of recipes, goes all the way in a clone."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mnistgan.files import read_json
from pipeline import ROOT
from pipeline.dvcfiles import dvc_lock
from tests.pipeline.checkout import Checkout
from tests.pipeline.cloning import Clone, clone

pytestmark = pytest.mark.slow

FOLDER = Path("src/mnistgan/families/toy")
RECIPES = Path("recipes/toy.yaml")
QUICK = """\
quick:
  images: 512
  epochs: 12
  batch_size: 32
  learning_rate: 0.05
  beta_1: 0.9
  beta_2: 0.999
  warmup_steps: 0
  decay_from: 1.0
  precision: float32
  average_decay: 0.5
  recompute_batchnorm: false
  grid_every: 4
  look_every: 4
  jitter: 0.1
"""
STEPS = 16 + 11 * 8
TOY = ("-S", "train.family=toy", "-S", "train.recipe=quick", "-S", "train.report_every=8")


def add(root: Path) -> None:
    """Put the family where a newcomer does."""
    shutil.copytree(ROOT / "tests/families/toy", root / FOLDER, ignore=shutil.ignore_patterns("__pycache__"))
    (root / RECIPES).write_text(QUICK)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, mnist_cache: Path) -> Clone:
    """A clone that saves checkpoints often, after an experiment with the family; no line of another file is for it."""
    cloned = clone(tmp_path_factory.mktemp("toy"), mnist_cache)
    loop = "src/mnistgan/training/loop.py"
    cloned.edit(loop, "SECONDS_BETWEEN_CHECKPOINTS = 30.0", "SECONDS_BETWEEN_CHECKPOINTS = 0.1")
    add(cloned.root)
    cloned.run("git", "add", "-A")
    cloned.run("git", "commit", "-q", "-m", "a family")
    cloned.dvc("exp", "run", *TOY)
    return cloned


def outs(cloned: Clone, stage: str) -> dict[str, str]:
    return dict(dvc_lock.parts_of(dvc_lock.read(cloned.root))[stage].outs)


def changed_deps(made: Checkout) -> list[str]:
    """The deps of train that are not as dvc.lock records them."""
    run = [sys.executable, "-m", "dvc", "status", "--json", "train"]
    status = json.loads(subprocess.run(run, cwd=made.root, check=True, capture_output=True, text=True).stdout)
    return [dep for of in status["train"] if isinstance(of, dict) for dep in of.get("changed deps", {})]


def test_a_family_beside_it_and_an_edit_of_that_leave_a_dcgan_as_it_was_recorded(tmp_path: Path) -> None:
    made = Checkout.create(tmp_path)
    made.lock("made up")
    before = changed_deps(made)
    add(tmp_path)
    assert changed_deps(made) == before
    with (tmp_path / FOLDER / "__init__.py").open("a") as file:
        file.write("\n# touched\n")
    assert changed_deps(made) == before
    with (tmp_path / FOLDER.parent / "dcgan/__init__.py").open("a") as file:
        file.write("\n# touched\n")
    assert set(changed_deps(made)) - set(before) == {"src/mnistgan/families/dcgan"}


def test_it_is_trained_measured_and_drawn(whole: Clone) -> None:
    curves = pd.read_csv(whole.root / "metrics/training.csv")
    assert list(curves) == ["epoch", "step", "surprise", "spread"]
    assert curves.step.iloc[-1] == STEPS
    assert read_json(whole.root / "metrics/evaluation.json")["fid"]["value"] > 0
    assert list((whole.root / "models/parts").iterdir()) == []
    assert {"surprise.png", "spread.png", "samples.png"} <= {path.name for path in (whole.root / "pictures").iterdir()}
    whole.pipeline("generate", "--count", "4", "--out", "drawn.npy")
    assert np.load(whole.root / "drawn.npy").shape == (4, 28, 28)
    assert "up to date" in whole.dvc("status")


def test_mlflow_shows_it_by_its_own_scalars_and_sync_adds_nothing(whole: Clone) -> None:
    whole.pipeline("sync")
    (run,) = [run for run in whole.runs if run.data.params["train.family"] == "toy"]
    curves = pd.read_csv(whole.root / "metrics/training.csv")
    points = whole.points(run)
    assert [value for _, value in points["training/surprise"]] == curves.surprise.tolist()
    assert "training/generator_loss" not in points
    before = whole.published()
    whole.pipeline("sync")
    assert whole.published() == before


def test_killed_while_it_trains_it_goes_on_to_the_same_bytes(whole: Clone) -> None:
    expected = outs(whole, "train")
    shutil.rmtree(whole.root / "checkpoints")
    again = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", "--no-run-cache", "train"]
    process = subprocess.Popen(again, cwd=whole.root, env=whole.environment, start_new_session=True)
    while not (saved := sorted(whole.root.glob("checkpoints/*/step_*.npz"))):
        assert process.poll() is None
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert int(saved[-1].stem.removeprefix("step_")) < STEPS
    whole.run(sys.executable, "-m", "pipeline", "check", "--repair", ok=False)  # which says what the kill left
    (step,) = re.findall(r"goes on at step (\d+)", whole.run(*again, ok=False))
    assert 0 < int(step) < STEPS
    assert outs(whole, "train") == expected
