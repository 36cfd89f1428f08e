"""The real stages on real MNIST, at params small enough for a test, read back as a person would: by DVC and MLflow."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnistgan.files import read_arrays, read_json, sha256
from pipeline import journal, state

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("prepare", "train", "evaluate", "render")
SMALL = ("images: train", "images: 512"), ("epochs: 5", "epochs: 2"), ("samples: 10000", "samples: 1000")


@dataclass(frozen=True)
class Clone:
    """A clone of this repository with a store and a cache of its own."""

    root: Path
    home: Path

    def run(self, *command: str, ok: bool = True) -> str:
        """Run a command as if in the activated environment; its standard output, and its error output if it fails."""
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True)
        assert not ok or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + ("" if ok else done.stderr)

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def pipeline(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "pipeline", *arguments)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_", "COV_"))}
        for name in ("PYTHONPATH", "MNISTGAN_TRACKING"):
            kept.pop(name, None)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, "MNISTGAN_CACHE_DIR": str(self.home)}

    @property
    def store(self):
        import mlflow

        return mlflow.MlflowClient(f"sqlite:///{self.root}/mlruns/mlflow.db")

    @property
    def runs(self):
        experiment = self.store.get_experiment_by_name("mnistgan")
        return self.store.search_runs([experiment.experiment_id])


def clone(folder: Path, cache: Path) -> Clone:
    """A git repository of this checkout's files as they are, with small params, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("metrics/", "plots/", "tests/", "dvc.lock")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    params = folder / "params.yaml"
    before, fast = params.read_text().split("  fast:")
    for old, new in SMALL:
        assert old in fast
        fast = fast.replace(old, new)
    params.write_text(f"{before}  fast:{fast}")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "small"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    for name, value in (("user.name", "A"), ("user.email", "a@example.org")):
        subprocess.run(["git", "config", name, value], cwd=folder, check=True)
    return Clone(folder, cache)


@pytest.fixture(scope="module")
def made(tmp_path_factory, mnist_cache):
    """A clone in which `dvc repro` has run."""
    cloned = clone(tmp_path_factory.mktemp("clone"), mnist_cache)
    cloned.dvc("repro")
    return cloned


@pytest.fixture(scope="module")
def run(made):
    """The one MLflow run of that state."""
    (only,) = made.runs
    return only


def test_every_stage_leaves_its_outs_and_its_record(made):
    recorded = state.parts_of_lock(state.read_lock(made.root))
    assert set(recorded) == set(STAGES)
    for part in recorded.values():
        assert part.changed_outs(made.root) == []


def test_a_second_repro_does_nothing_in_seconds(made):
    began = time.monotonic()
    said = made.dvc("repro")
    assert "Data and pipelines are up to date" in said
    assert time.monotonic() - began < 20  # 3 s on an idle machine


def test_the_work_tree_shows_only_the_lock_and_the_committed_outs(made):
    changed = made.run("git", "status", "--porcelain").split("\n")
    names = {line[3:] for line in changed if line}
    assert names == {"dvc.lock", "metrics/", "plots/"}


def test_the_running_stages_and_the_lock_give_the_same_keys(made, run):
    recorded = state.state_of_lock(state.read_lock(made.root), made.root)
    assert run.data.tags["mnistgan.run_key"] == recorded.run_key
    assert run.data.tags["mnistgan.train_key"] == recorded.train_key == state.train_key_of_workspace(made.root)


def test_the_run_is_finished_and_named_so_that_a_person_can_tell_it(run):
    assert run.info.status == "FINISHED"
    assert "fast" in run.info.run_name


def test_the_run_holds_every_param_of_the_state(run):
    assert run.data.params["recipe.images"] == "512"
    assert run.data.params["recipe.learning_rate"] == "0.001"
    assert run.data.params["train.seed"] == "0"
    assert run.data.params["evaluate.samples"] == "1000"


def test_the_curves_in_mlflow_are_those_in_the_file(made, run):
    curves = pd.read_csv(made.root / "metrics/training.csv")
    history = made.store.get_metric_history(run.info.run_id, "training/generator_loss")
    assert [(point.step, point.value) for point in history] == list(
        zip(curves.step, curves.generator_loss, strict=True)
    )


def test_the_measurements_in_mlflow_are_those_in_the_file(made, run):
    evaluation = read_json(made.root / "metrics/evaluation.json")
    assert run.data.metrics["evaluation/fid.value"] == evaluation["fid"]["value"]


def test_each_epochs_grid_is_an_image_of_the_slider_once(made, run):
    images = [file.path for file in made.store.list_artifacts(run.info.run_id, "images")]
    steps = sorted(int(name.split("+step+")[1].split("+")[0]) for name in images if name.endswith(".png"))
    assert steps == [0, 1, 2]


def test_the_run_says_which_data_and_code_made_it(made, run):
    (used,) = run.inputs.dataset_inputs
    recorded = state.state_of_lock(state.read_lock(made.root), made.root)
    assert recorded.data_digest.startswith(used.dataset.digest)
    commit = made.run("git", "rev-parse", "HEAD").strip()
    assert run.data.tags["mlflow.source.git.commit"] == commit
    assert run.data.tags["mnistgan.dirty"] == "false"
    assert run.data.tags["mnistgan.version.tensorflow"].startswith("2.21")


def test_the_registered_generator_draws_in_a_clean_process_what_the_file_draws(made, run, tmp_path):
    (version,) = made.store.search_model_versions(f"run_id = '{run.info.run_id}'")
    script = f"""
import os
os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///{made.root}/mlruns/mlflow.db"
import mlflow.pyfunc, numpy as np
model = mlflow.pyfunc.load_model("models:/{version.name}/{version.version}")
latents = np.random.Generator(np.random.PCG64(3)).standard_normal((4, 100), np.float32)
np.save("{tmp_path}/images.npy", np.asarray(model.predict(latents)))
"""
    environment = {name: value for name, value in made.environment.items() if name != "MNISTGAN_CACHE_DIR"}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True)
    drawn = np.load(tmp_path / "images.npy")
    made.pipeline("generate", "--count", "4", "--seed", "3", "--out", str(tmp_path / "same.npy"))
    assert drawn.shape == (4, 28, 28, 1)
    levels = np.rint((drawn[..., 0] + 1) * 127.5)
    assert np.abs(levels - np.load(tmp_path / "same.npy")).max() <= 1


def test_publishing_again_adds_nothing(made, run):
    made.pipeline("sync")
    before = _published(made)
    assert list(before) == [run.info.run_id]
    made.pipeline("sync")
    assert _published(made) == before


def test_pictures_carry_the_digest_of_the_weights_that_drew_them(made):
    digest = sha256(made.root / "models/generator.npz")
    for name in ("plots/samples.png", "plots/progress.png", "pictures/interpolation.png"):
        with Image.open(made.root / name) as picture:
            assert picture.info["generator-sha256"] == digest, name


def test_the_training_stage_never_opens_the_test_images(made):
    recorded = state.parts_of_lock(state.read_lock(made.root))
    assert not any("test" in path for path in recorded["train"].deps)


def test_dvc_shows_the_metrics_and_the_plots(made):
    shown = json.loads(made.dvc("metrics", "show", "--json"))[""]["data"]["metrics/evaluation.json"]["data"]
    assert shown == read_json(made.root / "metrics/evaluation.json")
    made.dvc("plots", "show", "-o", "shown")
    page = (made.root / "shown/index.html").read_text()
    for wanted in ("generator_loss", "probability_fake", "samples.png", "progress.png"):
        assert wanted in page
    shutil.rmtree(made.root / "shown")


def test_the_weights_are_plain_arrays_named_by_layer(made):
    named = read_arrays(made.root / "models/generator.npz")
    assert str(named["kind"]) == "dcgan"
    assert named["conv7/kernel"].shape == (5, 5, 128, 256)


@pytest.mark.slow
def test_an_experiment_is_a_second_run_of_the_same_store_and_its_difference_shows(made, run):
    made.run("git", "add", "-A")
    made.run("git", "commit", "-q", "-m", "measured")
    made.dvc("exp", "run", "--name", "shorter", "-S", "recipes.fast.epochs=1")
    names = {found.info.run_name for found in made.runs}
    assert len(names) == 2
    changed = json.loads(made.dvc("params", "diff", "--json"))
    assert changed == {"params.yaml": {"recipes.fast.epochs": {"old": 2, "new": 1, "diff": -1}}}
    differing = json.loads(made.dvc("metrics", "diff", "--json"))["metrics/evaluation.json"]
    assert "fid.value" in differing
    assert "shorter" in made.dvc("exp", "show", "--csv")
    made.run("git", "checkout", "-q", ".")
    made.dvc("checkout")
    made.pipeline("sync")
    assert len(made.runs) == 2


@pytest.mark.slow
def test_a_queued_experiment_runs_its_own_code_and_lands_in_the_main_store(tmp_path, mnist_cache):
    cloned = clone(tmp_path / "repo", mnist_cache)
    cloned.dvc("exp", "run", "--queue", "--name", "queued", "-S", "recipes.fast.epochs=1")
    marked = cloned.root / "src/mnistgan/training/__init__.py"
    marked.write_text(marked.read_text() + "\nraise ImportError('the main checkout was imported')\n")
    cloned.dvc("queue", "start")
    assert _eventually(lambda: "Success" in cloned.dvc("queue", "status"), seconds=300), cloned.dvc("queue", "status")
    (only,) = cloned.runs
    assert only.info.status == "FINISHED"
    events = journal.read(journal.path_of(cloned.root, only.data.tags["mnistgan.train_key"]))
    code = Path(events[0].facts["code"])
    assert code.is_relative_to(cloned.root / ".dvc/tmp/exps")
    assert events[0].facts["experiment"] == "queued"


def _eventually(condition, seconds):
    """Whether a condition comes true within a time; for what another process does at its own pace."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(1)
    return False


def _published(made):
    """All that the store shows of each run, by run id."""
    return {
        found.info.run_id: (found.data.tags, found.data.params, _points(made, found), _files(made, found))
        for found in made.runs
    }


def _points(made, found):
    return {
        name: [(point.step, point.value) for point in made.store.get_metric_history(found.info.run_id, name)]
        for name in found.data.metrics
    }


def _files(made, found, folder=None):
    listed = made.store.list_artifacts(found.info.run_id, folder)
    inner = (_files(made, found, file.path) if file.is_dir else [file.path] for file in listed)
    return sorted(name for names in inner for name in names)
