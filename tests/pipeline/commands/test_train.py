"""The train command on a small workspace: what it writes, and what stops it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnistgan.datasets.arrays import Images, load, save
from mnistgan.errors import DataError, Interrupted, RulerError, UsageError
from mnistgan.families import sampling
from mnistgan.families.contract import Ask
from mnistgan.files import read_json, sha256
from mnistgan.metrics.looks import best, parse
from mnistgan.rulers import classifier, pixels
from mnistgan.training import loop, step
from mnistgan.training.step import products_in
from mnistgan.training.validation import Validation
from pipeline import runtime
from pipeline.commands.train import _stop_requests, train
from pipeline.dvcfiles import dvc_yaml
from pipeline.runs import journal, keys
from tests import committed
from tests.fitted import lay_out_rulers
from tests.specs import COUNTS

ROOT = Path(__file__).resolve().parents[3]
PARAMS, RECIPES = committed.params(), committed.recipes()["dcgan"]
WEIGHTS = ("final", "best")


ARTICLES = {"gradient_penalty": 0, "feature_weight": 0, "label_weight": 0, "subclasses": 1, "multiplier_rate": 0}
"""What leaves the article's own losses: a step that compiles in a third of the time."""


def write_params(folder, **changes):
    """params.yaml and a fast recipe that takes seconds, with ``changes`` to it."""
    recipe = {"images": 96, "epochs": 2, "batch_size": 16, "grid_every": 2, **changes}
    head, fast = RECIPES.split("fast:")
    lines = [
        f"  {key}: {recipe[key]}" if (key := line.strip().split(":")[0]) in recipe else line
        for line in fast.splitlines()
    ]
    text = f"{head}fast:" + "\n".join(lines) + "\n"
    committed.lay_out_params(folder, PARAMS.replace("report_every: 100", "report_every: 4"), dcgan=text)


def create(folder):
    """A workspace with 128 training images of noise, 1,000 of validation, and the rulers."""
    (folder / ".dvc").mkdir()
    for name in ("src", "pipeline", "dvc.yaml", ".dvcignore"):
        (folder / name).symlink_to(ROOT / name)
    draw, splits = np.random.default_rng(0), {}
    for part, count in (("train", 128), ("validation", 1000), ("test", 64)):
        images = draw.integers(0, 256, (count, 28, 28), np.uint8)
        splits[part] = Images(images, np.resize(np.arange(10, dtype=np.uint8), count))
        save(folder / f"data/{part}.npz", splits[part])
    lay_out_rulers(folder / "pretrained" / "mnist", **splits)
    write_params(folder)


def enter(folder, monkeypatch):
    """Make a workspace the current folder, its stages publishing nothing."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MNISTGAN_TRACKING", "off")


@pytest.fixture(autouse=True, scope="module")
def few_statistics():
    """Fewer latents for BatchNorm's statistics: here their number is a matter of time alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "STATISTICS_LATENTS", 64)
        yield


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A workspace before its training; the current folder."""
    create(tmp_path)
    enter(tmp_path, monkeypatch)
    return tmp_path


@dataclass(frozen=True)
class Trained:
    """What a whole training left in its workspace, the digests of its outs, and what it said."""

    root: Path
    outs: dict[Path, str]
    said: str


@pytest.fixture(scope="module")
def whole(few_statistics, tmp_path_factory):
    """A training that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    create(folder)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as said:
        enter(folder, patch)
        patch.setattr(sys, "argv", ["pipeline", *argv()])
        run()
        return Trained(folder, outs(), said.getvalue())


@pytest.fixture
def trained(whole, monkeypatch):
    """That training; its workspace is the current folder."""
    enter(whole.root, monkeypatch)
    return whole


def options():
    """The paths that dvc.yaml gives the stage."""
    return {name.replace("-", "_"): path for name, path in dvc_yaml.part_of("train").options.items()}


def argv():
    return ["train", *(word for name, path in options().items() for word in (f"--{name}", str(path)))]


def run():
    train(**options())


def outs():
    """The digests of all that it writes but the grids."""
    places = map(Path, dvc_yaml.part_of("train").outs)
    written = [file for path in places for file in (path.glob("*.npz") if path.is_dir() else [path])]
    assert {path.name for path in written} >= {
        "final.npz",
        "best.npz",
        "discriminator.npz",
        "training.csv",
        "looks.csv",
    }
    return {path: sha256(path) for path in written}


def test_it_writes_weights_curves_looks_grids_and_versions(trained):
    curves = pd.read_csv("metrics/training.csv")
    assert curves.step.tolist() == [4, 8, 12]
    assert list(curves) == [
        "epoch", "step", "generator_loss", "discriminator_loss", "probability_real", "probability_fake",
    ]  # fmt: skip
    assert curves.notna().all(axis=None)
    assert sorted(path.name for path in Path("models/grids").iterdir()) == ["epoch_0000.png", "epoch_0002.png"]
    assert read_json(Path("models/versions.json"))["tensorflow"].startswith("2.")
    assert read_json(Path("metrics/machine.json"))["precision"] == runtime.precision("bfloat16")[0]
    looks = parse(Path("metrics/looks.csv").read_text())
    assert [(look.epoch, look.step) for look in looks] == [(1, 6), (2, 12)]
    lowest = best(looks)
    known = read_json(Path("checkpoints", folder_name(), "params.json"))
    assert (known["train.recipe"], known["recipe.epochs"]) == ("fast", 2)
    assert "to step 12" in trained.said
    assert f"FID on validation {looks[-1].fid:.2f}, best {lowest.fid:.2f} after epoch {lowest.epoch}" in trained.said


def test_the_last_grid_is_what_the_saved_weights_draw(trained):
    images = sampling.load(Path("models/final.npz"), COUNTS).images(Ask(256, seed=0))
    with Image.open("models/grids/epoch_0002.png") as grid:
        tiles = np.asarray(grid)
    assert np.array_equal(tiles[:28, 28:56], images[1])
    assert np.array_equal(tiles[28:56, :28], images[16])


def test_training_afresh_with_a_kill_in_between_writes_the_same_bytes(here, whole, monkeypatch):
    with monkeypatch.context() as cut:
        cut.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        cut.setattr(loop.Loop, "_look", _killing_at(2, loop.Loop._look))
        with pytest.raises(Killed):
            train(**options(), fresh=True)
    assert [look.epoch for look in parse(Path("metrics/looks.csv").read_text())] == [1]
    run()
    assert outs() == whole.outs


class Killed(BaseException):
    """What no code catches."""


def _killing_at(epoch, look):
    def looking(self, trained, now):
        if now == epoch:
            raise Killed
        look(self, trained, now)

    return looking


def test_the_kept_best_weights_are_those_that_got_the_lowest_fid(trained):
    looks = parse(Path("metrics/looks.csv").read_text())
    parts = [load(Path(f"data/{part}.npz")) for part in ("train", "validation")]
    judge = Validation(
        *parts, classifier.load(ROOT / "pretrained" / "mnist"), pixels.load(ROOT / "pretrained" / "mnist"), seed=0
    )
    lowest = best(looks)
    kept = {
        name: judge.look(sampling.load(Path(f"models/{name}.npz"), COUNTS), lowest.epoch, lowest.step)
        for name in WEIGHTS
    }
    assert kept["best"] == lowest
    assert kept["final"].fid == looks[-1].fid


def test_a_collapse_that_lasts_is_warned_of_and_told_in_the_summary(here, capsys):
    write_params(here, epochs=3, images=16, grid_every=3, **ARTICLES)  # three steps: it draws no class yet
    run()
    said = capsys.readouterr()
    assert said.err.count("warning: the generator has collapsed from epoch 1: classes") == 1
    assert "; collapsed from epoch 1: classes" in said.out


def test_without_instructions_for_bfloat16_it_trains_in_float32_and_says_so(here, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "BFLOAT16", frozenset())
    write_params(here, epochs=1, images=16, **ARTICLES)
    run()
    assert (
        "warning: recipes/dcgan.yaml: fast.precision: bfloat16, but this processor has no instructions"
        in capsys.readouterr().err
    )
    assert read_json(Path("metrics/machine.json"))["precision"] == "float32"


@pytest.mark.slow
def test_where_onednn_is_held_to_older_instructions_no_step_is_in_bfloat16(here, monkeypatch, capsys):
    precisions = set()

    def noted(got):
        precisions.add(got)
        return products_in(got)

    monkeypatch.setattr(runtime, "_of_cpu", lambda _field: " ".join(runtime.BFLOAT16))
    monkeypatch.setattr(step, "products_in", noted)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # bfloat16 would end in SIGABRT
    write_params(here, epochs=1, images=16, **ARTICLES)
    run()
    assert precisions == {"float32"}
    assert "bfloat16, but ONEDNN_MAX_CPU_ISA=AVX2 turns off what computes in it" in capsys.readouterr().err
    machine = read_json(Path("metrics/machine.json"))
    assert machine["precision"] == "float32"
    assert machine["processor"].endswith(" (ONEDNN_MAX_CPU_ISA=AVX2)")


def test_a_ruler_that_is_not_the_pinned_one_is_refused(here):
    elsewhere = here / "elsewhere"
    shutil.copytree(here / "pretrained" / "mnist", elsewhere)
    with (elsewhere / "pixels.npz").open("ab") as file:
        file.write(b"edited")
    with pytest.raises(RulerError, match=r"elsewhere/pixels\.npz: sha256 is"):
        train(**{**options(), "rulers": elsewhere})


def test_rulers_that_were_made_of_other_data_are_refused(here):
    message = r"mnist/classifier\.json: made of other data: the digest of its train images is f6b1e39c8561, of those"
    with pytest.raises(RulerError, match=message):
        train(**{**options(), "rulers": ROOT / "pretrained" / "mnist"})


def test_the_article_recipe_takes_the_validation_images_in_and_another_one_does_not(here, monkeypatch):
    seen = []

    def remember(self, *, fresh=False):
        seen.append(len(self.data))
        raise Interrupted("that is all")

    monkeypatch.setattr(loop.Loop, "run", remember)
    for images in ("all", "train", 96):
        write_params(here, images=images)
        with pytest.raises(Interrupted):
            run()
    assert seen == [1128, 128, 96]


def test_more_images_than_there_are_is_refused(here):
    write_params(here, images=129 * 10)
    with pytest.raises(UsageError, match=r"recipes/dcgan\.yaml: fast\.images: got 1290; data/train\.npz holds 128"):
        run()


def test_a_batch_of_more_images_than_there_are_is_refused(here):
    write_params(here, images="train", batch_size=129)
    with pytest.raises(
        UsageError, match=r"recipes/dcgan\.yaml: fast\.batch_size: got 129; data/train\.npz gives 128 images"
    ):
        run()


def test_a_missing_dep_is_named(here):
    Path("data/validation.npz").unlink()
    with pytest.raises(DataError, match=r"data/validation\.npz: no such file"):
        run()


def test_the_journal_holds_the_speed_that_no_out_may_hold(trained):
    events = journal.read(journal.path_of(trained.root, keys.train_key_of_workspace()))
    [facts] = [event.facts for event in events if "images_per_second" in event.facts]
    assert 0 < facts["overhead_share"] < 1


def test_ctrl_c_saves_exits_130_and_the_same_command_goes_on(here):
    write_params(here, epochs=400, **ARTICLES)
    stopped = stop(signal.SIGINT)
    assert stopped.exit_code == 130
    assert stopped.seconds < 60  # 2 s on an idle machine
    (saved,) = saved_steps()
    assert f"stopped at step {saved} of 2400, saved as" in stopped.said
    assert "the same command goes on" in stopped.said
    assert first_line() == f"goes on at step {saved} from {here}/checkpoints/{folder_name()}/step_{saved:09d}.npz"


@pytest.mark.slow
def test_sigterm_saves_too_and_a_second_request_stops_at_once_and_what_was_saved_goes_on(here):
    write_params(here, epochs=400, **ARTICLES)
    once = stop(signal.SIGTERM)
    assert once.exit_code == 130
    assert "the same command goes on" in once.said
    (saved,) = saved_steps()
    twice = stop(signal.SIGINT, signal.SIGTERM)  # of one kind, two within the same steps would come as one
    assert twice.exit_code == 130
    assert twice.seconds < 60  # 1 s on an idle machine
    assert "saved as" not in twice.said
    assert saved in saved_steps()
    assert first_line().startswith(f"goes on at step {max(saved_steps())} from")


def test_ctrl_c_that_is_ignored_as_in_a_shells_background_stays_ignored_and_sigterm_does_not():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a fixture puts it back
    with _stop_requests() as should_stop:
        signal.raise_signal(signal.SIGINT)
        assert not should_stop()
        signal.raise_signal(signal.SIGTERM)
        assert should_stop()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_checkpoint_of_other_params_or_other_code_is_never_picked_up(here, monkeypatch):
    found = []

    def remember(self, *, fresh=False):
        found.append([path.name for path in self.checkpoints.newest_first()])
        (self.checkpoints.folder / "step_000000004.npz").touch()
        raise Interrupted("that is all")

    def found_by_a_run():
        with pytest.raises(Interrupted):
            run()
        return found[-1]

    monkeypatch.setattr(loop.Loop, "run", remember)
    assert found_by_a_run() == []
    assert found_by_a_run() == ["step_000000004.npz"]
    write_params(here, learning_rate="2.0e-3")
    assert found_by_a_run() == []
    (here / "src").unlink()
    shutil.copytree(ROOT / "src", here / "src", ignore=shutil.ignore_patterns("__pycache__"))
    assert found_by_a_run() == ["step_000000004.npz"]
    with (here / "src/mnistgan/training/step.py").open("a") as code:
        code.write("# another step\n")
    assert found_by_a_run() == []


@dataclass(frozen=True)
class Stopped:
    """How a training in a process of its own ended: in how long after the signals, and what it said on stderr."""

    exit_code: int
    seconds: float
    said: str


def stop(*numbers):
    """Start the training, and send it signals once it trains."""
    command = [sys.executable, "-m", "pipeline", *argv()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stderr:
            if line.startswith("train: "):
                break
        began = time.monotonic()
        for number in numbers:
            child.send_signal(number)
        said = child.communicate()[1]
        seconds = time.monotonic() - began
    assert "Traceback" not in said
    return Stopped(child.returncode, seconds, said)


def first_line():
    """What the same command says first, but for what it warns of this processor; it is killed then."""
    with subprocess.Popen([sys.executable, "-m", "pipeline", *argv()], stderr=subprocess.PIPE, text=True) as child:
        first = next(line for line in child.stderr if not line.startswith("warning: "))
        child.kill()
    return first.rstrip()


def folder_name():
    return keys.train_key_of_workspace()[: keys.SHORT]


def saved_steps():
    return [int(path.stem.removeprefix("step_")) for path in Path("checkpoints", folder_name()).glob("step_*.npz")]


def test_bad_params_are_refused_before_tensorflow_is_loaded(here):
    write_params(here, epochs=0, beta_1=2)
    command = [sys.executable, "-X", "importtime", "-m", "pipeline", *argv()]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 2
    assert "recipes/dcgan.yaml: fast.epochs: got 0" in done.stderr
    assert "recipes/dcgan.yaml: fast.beta_1: got 2" in done.stderr
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "pydantic" in loaded
    assert loaded & {"tensorflow", "keras"} == set()
