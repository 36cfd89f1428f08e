"""The real stages on real MNIST, at params small enough for a test, read back as a person would: by DVC and MLflow."""

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnistgan.files import read_arrays, read_json, sha256
from pipeline.dvcfiles import dvc_lock
from pipeline.runs import keys
from tests.pipeline.cloning import clone
from tests.pipeline.published import MODEL

pytestmark = pytest.mark.slow

STAGES = ("prepare", "train", "evaluate", "render")


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
    recorded = dvc_lock.parts_of(dvc_lock.read(made.root))
    assert set(recorded) == set(STAGES)
    for part in recorded.values():
        assert part.changed_outs(made.root) == []


def test_a_second_repro_does_nothing_in_seconds(made):
    before = os.times()
    said = made.dvc("repro")
    assert "Data and pipelines are up to date" in said
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 20  # 3 s


def test_the_work_tree_shows_only_the_lock_and_the_committed_outs(made):
    changed = made.run("git", "status", "--porcelain").split("\n")
    names = {line[3:] for line in changed if line}
    assert names == {"dvc.lock", "metrics/", "plots/"}


def test_the_running_stages_and_the_lock_give_the_same_keys(made, run):
    recorded = keys.state_of_lock(dvc_lock.read(made.root), made.root)
    assert run.data.tags["mnistgan.run_key"] == recorded.run_key
    assert run.data.tags["mnistgan.train_key"] == recorded.train_key == keys.train_key_of_workspace(made.root)


def test_the_run_is_finished_and_named_so_that_a_person_can_tell_it(run):
    assert run.info.status == "FINISHED"
    assert "fast" in run.info.run_name


def test_the_run_shows_family_recipe_seed_and_knobs_and_its_files_hold_every_param_of_the_state(made, run):
    recorded = keys.state_of_lock(dvc_lock.read(made.root), made.root).params
    shown = {name: recorded[name] for name in recorded if name.startswith("recipe.")}
    shown |= {"data.name": "mnist", "train.family": "dcgan", "train.recipe": "fast", "train.seed": 0}
    assert run.data.params == {name: str(value) for name, value in shown.items()}
    assert (run.data.params["recipe.images"], run.data.params["recipe.learning_rate"]) == ("128", "0.0014")
    assert recorded["evaluate.samples"] == 1000
    for name in ("params.yaml", "recipes/dcgan.yaml"):
        held = made.store.download_artifacts(run.info.run_id, name)
        assert Path(held).read_bytes() == (made.root / name).read_bytes()


def test_the_curves_in_mlflow_are_those_in_the_file(made, run):
    curves = pd.read_csv(made.root / "metrics/training.csv")
    history = made.store.get_metric_history(run.info.run_id, "training/generator_loss")
    assert [(point.step, point.value) for point in history] == list(
        zip(curves.step, curves.generator_loss, strict=True)
    )


def test_the_looks_in_mlflow_are_those_in_the_file(made, run):
    looks = pd.read_csv(made.root / "metrics/looks.csv")
    history = made.store.get_metric_history(run.info.run_id, "validation/fid")
    assert looks.epoch.tolist() == [1, 2]
    assert [(point.step, point.value) for point in history] == list(zip(looks.step, looks.fid, strict=True))


def test_images_are_drawn_from_the_best_weights_by_their_file(made, tmp_path):
    made.pipeline("generate", "--weights", "models/best.npz", "--count", "4", "--out", str(tmp_path / "best.npy"))
    assert np.load(tmp_path / "best.npy").shape == (4, 28, 28)


def test_the_measurements_in_mlflow_are_those_in_the_file(made, run):
    evaluation = read_json(made.root / "metrics/evaluation.json")
    assert run.data.metrics["scores/fid"] == evaluation["fid"]["value"]


def test_each_epochs_grid_is_an_image_of_the_slider_once(made, run):
    assert made.images(run) == [0, 1, 2]


def test_the_run_says_which_data_and_code_made_it(made, run):
    (used,) = run.inputs.dataset_inputs
    recorded = keys.state_of_lock(dvc_lock.read(made.root), made.root)
    assert recorded.data_digest.startswith(used.dataset.digest)
    commit = made.run("git", "rev-parse", "HEAD").strip()
    assert run.data.tags["mlflow.source.git.commit"] == commit
    assert run.data.tags["mnistgan.dirty"] == "false"
    assert run.data.tags["mnistgan.version.tensorflow"].startswith("2.21")


def test_the_registered_generator_draws_in_a_clean_process_what_the_file_draws(made, run, tmp_path):
    (version,) = made.store.search_model_versions(f"name = '{MODEL}' and run_id = '{run.info.run_id}'")
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
    assert drawn.shape == (4, 28, 28)
    assert np.abs(drawn.astype(int) - np.load(tmp_path / "same.npy")).max() <= 1


def test_publishing_again_adds_nothing(made, run):
    made.pipeline("sync")
    before = made.published()
    assert list(before) == [run.info.run_id]
    made.pipeline("sync")
    assert made.published() == before


def test_pictures_carry_the_digest_of_the_weights_that_drew_them(made):
    digest = sha256(made.root / "models/final.npz")
    for name in ("plots/samples.png", "plots/progress.png", "pictures/interpolation.png"):
        with Image.open(made.root / name) as picture:
            assert picture.info["generator-sha256"] == digest, name


AUDITED = """
import atexit, os, sys
opened = set()

def audit(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        opened.add(os.path.realpath(os.fsdecode(arguments[0])))

sys.addaudithook(audit)
atexit.register(lambda: print(*sorted(opened), sep="\\n"))
sys.path.insert(0, os.getcwd())
from pipeline.__main__ import main
main()
"""


def test_the_training_stage_never_opens_the_test_images(made):
    recorded = dvc_lock.parts_of(dvc_lock.read(made.root))["train"]
    assert not any("test" in path for path in recorded.deps)
    command = shlex.split(recorded.command)
    assert command[:5] == ["exec", "python", "-m", "pipeline", "train"]
    audited = dataclasses.replace(made, tracking="off")
    said = audited.run(sys.executable, "-c", AUDITED, *command[4:], "--fresh")
    opened = {Path(line) for line in said.splitlines()}
    data = {path.name for path in opened if path.parent == (made.root / "data").resolve()}
    assert (made.root / "data/test.npz").exists()
    assert data == {"train.npz", "validation.npz"}
    assert {path.name for path in opened} >= {"classifier.npz", "pixels.npz"}  # so it has taken looks
    assert recorded.changed_outs(made.root) == []  # and made the very same outs


def test_dvc_shows_the_metrics_and_the_plots(made):
    shown = json.loads(made.dvc("metrics", "show", "--json"))[""]["data"]
    assert {path: of["data"] for path, of in shown.items()} == {
        "metrics/scores.json": read_json(made.root / "metrics/scores.json")
    }
    assert "errors" not in json.loads(made.dvc("plots", "show", "--json"))
    made.dvc("plots", "show", "-o", "shown")
    page = (made.root / "shown/index.html").read_text()
    for wanted in (
        "generator_loss",
        "probability_fake",
        "fid_pixels",
        "class_divergence",
        "samples.png",
        "progress.png",
    ):
        assert wanted in page
    shutil.rmtree(made.root / "shown")


def test_the_weights_are_plain_arrays_named_by_layer(made):
    named = read_arrays(made.root / "models/final.npz")
    assert str(named["kind"]) == "dcgan"
    assert named["conv7/kernel"].shape == (5, 5, 128, 256)


def test_the_record_agrees_with_the_files(made):
    assert "dvc.lock agrees with what is here: prepare, train, evaluate, render" in made.pipeline("verify", "--fast")


def test_a_copied_picture_leads_to_the_run(made, run, tmp_path):
    shutil.copyfile(made.root / "plots/samples.png", tmp_path / "report.png")
    told = made.pipeline("trace", str(tmp_path / "report.png"))
    assert run.info.run_id in told
    assert f"by commit {made.run('git', 'rev-parse', 'HEAD')[:12]}" in told
    assert "a source that no journal" not in told


def test_every_stage_comes_out_again_to_the_bit(made):
    before = sorted(path.name for path in (made.root / "checkpoints").iterdir())
    assert "the same bytes: prepare, train, evaluate, render made again" in made.pipeline("verify")
    assert sorted(path.name for path in (made.root / "checkpoints").iterdir()) == before


def test_an_experiment_is_a_second_run_of_the_same_store_and_its_difference_shows(made, run):
    made.run("git", "add", "-A")
    made.run("git", "commit", "-q", "-m", "measured")
    made.dvc("exp", "run", "--name", "shorter", "-S", "recipes/dcgan.yaml:fast.epochs=1")
    names = {found.info.run_name for found in made.runs}
    assert len(names) == 2
    changed = json.loads(made.dvc("params", "diff", "--json"))
    assert changed == {"recipes/dcgan.yaml": {"fast.epochs": {"old": 2, "new": 1, "diff": -1}}}
    differing = json.loads(made.dvc("metrics", "diff", "--json"))["metrics/scores.json"]
    assert "fid.value" in differing
    cells = [str(value) for change in differing.values() for value in change.values()]
    assert max(map(len, cells)) <= len("collapsed, memorised, unsure")  # so the table keeps narrow
    assert "shorter" in made.dvc("exp", "show", "--csv")
    made.run("git", "checkout", "-q", ".")
    made.dvc("checkout")
    made.pipeline("sync")
    assert len(made.runs) == 2


def test_a_state_that_was_measured_before_comes_out_of_dvcs_run_cache_with_its_metrics(made):
    files = [made.root / "metrics" / name for name in ("evaluation.json", "scores.json", "classes.csv")]
    before = [file.read_bytes() for file in files]
    made.edit("params.yaml", "latent_seed: 1 ", "latent_seed: 2 ")
    made.dvc("repro")
    assert files[0].read_bytes() != before[0]
    made.edit("params.yaml", "latent_seed: 2 ", "latent_seed: 1 ")
    said = made.dvc("repro")
    assert "Stage 'evaluate' is cached - skipping run, checking out outputs" in said
    assert [file.read_bytes() for file in files] == before
