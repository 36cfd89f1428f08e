"""The train command on a small workspace: what it writes, and what stops it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnistgan.data.arrays import Images, save
from mnistgan.errors import DataError, Interrupted, UsageError
from mnistgan.files import read_json, sha256
from mnistgan.models import sampling
from pipeline import journal, state
from pipeline.train import train

ROOT = Path(__file__).resolve().parents[2]
PARAMS = (ROOT / "params.yaml").read_text()


def write_params(folder, **changes):
    """params.yaml with a fast recipe that takes seconds, and ``changes`` to it."""
    recipe = {"images": 96, "epochs": 2, "batch_size": 16, "grid_every": 2, **changes}
    head, fast = PARAMS.replace("report_every: 100", "report_every: 4").split("  fast:")
    lines = [
        f"    {key}: {recipe[key]}" if (key := line.strip().split(":")[0]) in recipe else line
        for line in fast.splitlines()
    ]
    (folder / "params.yaml").write_text(f"{head}  fast:" + "\n".join(lines) + "\n")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A workspace with 128 training images of noise; the current folder."""
    (tmp_path / ".dvc").mkdir()
    for name in ("src", "pipeline", "pretrained", "dvc.yaml", ".dvcignore"):
        (tmp_path / name).symlink_to(ROOT / name)
    draw = np.random.default_rng(0)
    for part, count in (("train", 128), ("validation", 64), ("test", 64)):
        images = draw.integers(0, 256, (count, 28, 28), np.uint8)
        save(tmp_path / f"data/{part}.npz", Images(images, np.resize(np.arange(10, dtype=np.uint8), count)))
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MNISTGAN_TRACKING", "off")
    return tmp_path


def options():
    """The paths that dvc.yaml gives the stage."""
    return {name.replace("-", "_"): path for name, path in state.part_of_workspace("train").options.items()}


def argv():
    return ["train", *(word for name, path in options().items() for word in (f"--{name}", str(path)))]


def run():
    train(**options())


def test_it_writes_weights_curves_grids_and_versions(here, capsys):
    run()
    curves = pd.read_csv("metrics/training.csv")
    assert curves.step.tolist() == [4, 8, 12]
    assert list(curves) == [
        "epoch", "step", "generator_loss", "discriminator_loss", "probability_real", "probability_fake",
    ]  # fmt: skip
    assert curves.notna().all(axis=None)
    assert sorted(path.name for path in Path("models/grids").iterdir()) == ["epoch_0000.png", "epoch_0002.png"]
    assert read_json(Path("models/versions.json"))["tensorflow"].startswith("2.")
    assert "to step 12" in capsys.readouterr().out


def test_the_last_grid_is_what_the_saved_weights_draw(here):
    run()
    images = sampling.load(Path("models/generator.npz")).images(sampling.latents(0, 256, 100))
    with Image.open("models/grids/epoch_0002.png") as grid:
        tiles = np.asarray(grid)
    assert np.array_equal(tiles[:28, 28:56], images[1])
    assert np.array_equal(tiles[28:56, :28], images[16])


def test_training_afresh_writes_the_same_bytes(here):
    run()
    first = {path: sha256(path) for path in map(Path, options().values()) if path.is_file()}
    train(**options(), fresh=True)
    assert {path: sha256(path) for path in first} == first


def test_the_article_recipe_takes_the_validation_images_in_and_another_one_does_not(here, monkeypatch):
    from mnistgan.training import loop

    seen = []

    def remember(self, *, fresh=False):
        seen.append(len(self.images))
        raise Interrupted("that is all")

    monkeypatch.setattr(loop.Loop, "run", remember)
    for images in ("all", "train", 96):
        write_params(here, images=images)
        with pytest.raises(Interrupted):
            run()
    assert seen == [192, 128, 96]


def test_more_images_than_there_are_is_refused(here):
    write_params(here, images=129 * 10)
    with pytest.raises(UsageError, match=r"recipes\.fast\.images: got 1290; data/train\.npz holds 128"):
        run()


def test_a_missing_dep_is_named(here):
    Path("data/validation.npz").unlink()
    with pytest.raises(DataError, match=r"data/validation\.npz: no such file"):
        run()


def test_the_journal_holds_the_speed_that_no_out_may_hold(here, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pipeline", *argv()])
    run()
    events = journal.read(journal.path_of(here, state.train_key_of_workspace()))
    assert any("images_per_second" in event.facts for event in events)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_saves_exits_130_and_the_same_command_goes_on(here, number):
    write_params(here, epochs=400)
    command = [sys.executable, "-m", "pipeline", *argv()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stderr:
            if line.startswith("train: "):
                break
        child.send_signal(number)
        said = child.communicate(timeout=60)[1]
    assert child.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    write_params(here, epochs=400)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as again:
        first = again.stderr.readline()
        again.kill()
    assert first.startswith("goes on at step")


def test_bad_params_are_refused_before_tensorflow_is_loaded(here):
    write_params(here, epochs=0, beta_1=2)
    command = [sys.executable, "-X", "importtime", "-m", "pipeline", *argv()]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 2
    assert "recipes.fast.epochs: got 0" in done.stderr
    assert "recipes.fast.beta_1: got 2" in done.stderr
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "pydantic" in loaded
    assert loaded & {"tensorflow", "keras"} == set()
