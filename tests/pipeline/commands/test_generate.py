import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistgan import files
from mnistgan.drawing import grids
from mnistgan.errors import FormatError, UsageError
from pipeline import ROOT, origins
from pipeline.commands.generate import Format, generate
from pipeline.commands.sync import sync
from pipeline.dvcfiles import digests
from pipeline.origins import WEIGHTS
from pipeline.tracking.sources import of_lock
from tests import committed
from tests.pipeline.fabricated import Workspace
from tests.specs import COUNTS, MNIST


@pytest.fixture
def folder(tmp_path: Path, generator: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights where a command runs."""
    (tmp_path / WEIGHTS).parent.mkdir()
    shutil.copy(generator, tmp_path / WEIGHTS)
    committed.lay_out_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, generator: Path) -> Path:
    """A git and DVC repository with weights in its first commit and DVC's cache, none in its second."""
    from dvc.repo import Repo

    root = tmp_path_factory.mktemp("repository")

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)

    git("init")
    Repo.init(root).close()
    (root / WEIGHTS).parent.mkdir()
    shutil.copy(generator, root / WEIGHTS)
    committed.lay_out_params(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        with Repo(root) as repo:
            repo.add(str(WEIGHTS))
    git("add", "--all")
    git("commit", "-m", "with weights")
    git("tag", "with-weights")
    lock_of_before(root)
    git("add", "--all")
    git("commit", "-m", "from before families")
    git("tag", "before-families")
    (root / "dvc.lock").unlink()
    (root / f"{WEIGHTS}.dvc").unlink()
    (root / WEIGHTS).unlink()
    git("add", "--all")
    git("commit", "-m", "without")
    return root


def lock_of_before(root: Path) -> None:
    """A dvc.lock that has these weights under the name that they had."""
    outs = [{"path": "models/generator.npz", "md5": digests.md5_of(root / WEIGHTS)}]
    stage = {"cmd": "python -m pipeline train --generator models/generator.npz", "outs": outs}
    (root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {"train": stage}}))


@pytest.fixture
def in_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(repository)
    yield repository
    shutil.rmtree(repository / "out", ignore_errors=True)


def test_npy_holds_as_many_images_as_asked(folder: Path) -> None:
    generate(out=Path("samples.npy"), count=5, seed=7)
    images = np.load("samples.npy")
    assert images.shape == (5, 28, 28)
    assert images.dtype == np.uint8
    assert len(np.unique(images, axis=0)) == 5


def test_a_seed_gives_the_same_bytes_and_a_larger_count_goes_on_where_a_smaller_ends(folder: Path) -> None:
    for out, count, seed in (("a.npy", 3, 7), ("b.npy", 3, 7), ("more.npy", 9, 7), ("other.npy", 3, 8)):
        generate(out=Path(out), count=count, seed=seed)
    assert Path("a.npy").read_bytes() == Path("b.npy").read_bytes()
    np.testing.assert_array_equal(np.load("more.npy")[:3], np.load("a.npy"))
    assert (np.load("other.npy") != np.load("a.npy")).any()


def test_grid_and_images_hold_the_pixels_of_the_npy_and_the_digest_of_the_weights(folder: Path) -> None:
    generate(out=Path("samples.npy"), count=6)
    generate(out=Path("grid.png"), count=6)
    generate(out=Path("folder"), count=6)
    images = np.load("samples.npy")
    with Image.open("grid.png") as grid:
        assert grid.info["generator-sha256"] == files.sha256(WEIGHTS)
        tiles = grids.untile(np.asarray(grid))
    assert tiles.shape[0] == 6
    np.testing.assert_array_equal(tiles, images)
    names = sorted(path.name for path in Path("folder").iterdir())
    assert names == [f"{number:05d}.png" for number in range(6)]
    for name, image in zip(names, images, strict=True):
        with Image.open(Path("folder") / name) as picture:
            assert picture.info["generator-sha256"] == files.sha256(WEIGHTS)
            np.testing.assert_array_equal(np.asarray(picture), image)


def test_a_grid_is_as_square_as_its_count_allows(folder: Path) -> None:
    for count, columns in ((4, 2), (5, 3)):
        generate(out=Path("grid.png"), count=count)
        with Image.open("grid.png") as grid:
            assert grid.width == 28 * columns


def test_the_images_of_grid_seed_are_those_that_a_larger_call_begins_with(folder: Path) -> None:
    from mnistgan.families import sampling
    from mnistgan.families.contract import Ask

    generate(out=Path("samples.npy"), count=2, seed=3)
    drawn = sampling.load(WEIGHTS, COUNTS).images(Ask(256, seed=3))
    np.testing.assert_array_equal(np.load("samples.npy"), drawn[:2])


def test_a_weights_file_elsewhere_is_taken(folder: Path, generator: Path) -> None:
    WEIGHTS.unlink()
    generate(out=Path("grid.png"), count=1, weights=generator)
    assert Path("grid.png").is_file()


@pytest.mark.parametrize("rev", ["with-weights", "before-families"])
def test_the_weights_of_a_commit_come_out_of_dvcs_cache(in_repository: Path, generator: Path, rev: str) -> None:
    generate(out=Path("out/grid.png"), count=1, rev=rev)
    with Image.open("out/grid.png") as grid:
        assert grid.info["generator-sha256"] == files.sha256(generator)


@pytest.mark.parametrize(
    ("rev", "message"),
    [
        ("HEAD", "--rev HEAD: models/final.npz of that commit is neither in this clone's DVC cache"),
        ("no-such", "--rev no-such: no commit, branch, tag or DVC experiment here; `git fetch"),
    ],
)
def test_a_commit_without_weights_and_a_name_of_no_commit_are_said(in_repository: Path, rev: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        generate(out=Path("out/grid.png"), count=1, rev=rev)
    assert not Path("out").exists()


def test_a_commit_outside_a_repository_is_said(folder: Path) -> None:
    with pytest.raises(UsageError, match="no git repository is here"):
        generate(out=Path("grid.png"), rev="HEAD")


def test_weights_that_left_the_cache_are_said(in_repository: Path) -> None:
    cache = in_repository / ".dvc" / "cache"
    cache.rename(in_repository / "away")
    try:
        with pytest.raises(UsageError, match="neither in this clone's DVC cache nor in its remote"):
            generate(out=Path("out/grid.png"), count=1, rev="with-weights")
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        (in_repository / "away").rename(cache)


def test_the_weights_of_a_run_come_out_of_mlflow_by_the_start_of_its_key(workspace: Workspace, generator: Path) -> None:
    workspace.finish(generator)
    sync()
    key = of_lock().state.run_key
    WEIGHTS.unlink()
    params = Path("params.yaml")
    params.write_text(params.read_text("utf-8").replace("name: mnist", "name: fashion-mnist"), "utf-8")
    generate(out=Path("grid.png"), count=1, run=key[:12])
    with Image.open("grid.png") as grid:
        assert grid.info["generator-sha256"] == files.sha256(generator)
    with origins.opened(None, None, key[:12]) as origin:  # of the run's data set, not of the workspace's
        assert origin.dataset.title == "MNIST"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out": Path("a.png"), "weights": WEIGHTS, "rev": "HEAD"}, "got --weights and --rev; give one of them"),
        ({"out": Path("a.png"), "rev": "HEAD", "run": "x"}, "got --rev and --run; give one of them"),
        ({"out": Path("a.png"), "weights": Path("none.npz")}, "--weights none.npz: no such file"),
        ({"out": Path("a.png"), "weights": Path("models")}, "models: can't be read: is a folder, no plain file"),
        ({"out": Path("a.jpg")}, r"--out a\.jpg: should end in \.png"),
        ({"out": Path("a.png"), "format_": Format.NPY}, r"--as npy writes a file; should end in \.npy"),
        ({"out": Path("models"), "format_": Format.GRID}, r"--as grid writes a file; should end in \.png"),
        ({"out": WEIGHTS, "format_": Format.IMAGES}, "is a file; --as images writes a folder"),
        ({"out": Path("models")}, "the folder is not empty"),
        ({"out": Path("models"), "force": True}, r"holds final\.npz, which no earlier call wrote"),
    ],
)
def test_bad_use_is_one_message_and_nothing_is_written(folder: Path, options: dict[str, object], message: str) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError, match=message):
        generate(**options)
    assert sorted(folder.rglob("*")) == before


def test_a_family_that_takes_classes_draws_the_one_that_is_asked_for(folder: Path) -> None:
    from mnistgan import families
    from mnistgan.families import sampling
    from mnistgan.families.contract import Ask

    sampling.save(WEIGHTS, "cgan", families.find("cgan").build_sampled(MNIST, 0))
    generate(Path("out.npy"), count=5, seed=2, class_=7)
    asked = Ask(5, seed=2, classes=np.full(5, 7, np.int32))
    assert np.array_equal(np.load("out.npy"), sampling.load(WEIGHTS, COUNTS).images(asked))
    with pytest.raises(UsageError, match="--class 10: the data has classes 0 to 9"):
        generate(Path("out.npy"), class_=10)


def test_a_family_that_draws_no_class_that_it_is_asked_for_says_so(folder: Path) -> None:
    with pytest.raises(UsageError, match=rf"--class 7: {WEIGHTS} is of a family that can't be asked for a class"):
        generate(Path("out.png"), class_=7)
    assert not Path("out.png").exists()


def test_without_weights_in_the_workspace_the_ways_to_name_some_are_said(folder: Path) -> None:
    WEIGHTS.unlink()
    with pytest.raises(UsageError, match="give --weights, --rev or --run"):
        generate(out=Path("grid.png"))


def test_a_file_that_holds_no_weights_leaves_what_was_there(folder: Path) -> None:
    Path("grid.png").write_bytes(b"before")
    WEIGHTS.write_bytes(b"not weights")
    with pytest.raises(FormatError, match="not a whole NPZ"):
        generate(out=Path("grid.png"))
    assert Path("grid.png").read_bytes() == b"before"


def test_an_empty_folder_is_filled_and_one_with_images_is_replaced_whole_by_force_alone(folder: Path) -> None:
    Path("folder").mkdir()
    generate(out=Path("folder"), count=3)
    with pytest.raises(UsageError, match="--force"):
        generate(out=Path("folder"), count=2)
    assert len(list(Path("folder").iterdir())) == 3
    generate(out=Path("folder"), count=2, force=True)
    assert len(list(Path("folder").iterdir())) == 2
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_place_that_cant_be_written_is_said(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"models/final\.npz is a file; should be a folder"):
        generate(out=WEIGHTS / "grid.png", count=1)


def test_a_link_to_a_folder_stays_one_and_the_folder_gets_the_images(folder: Path) -> None:
    Path("disk/images").mkdir(parents=True)
    Path("linked").symlink_to("disk/images")
    generate(out=Path("linked"), count=2)
    assert Path("linked").is_symlink()
    assert len(list(Path("disk/images").iterdir())) == 2


def test_the_command_exits_with_2_and_says_why_in_plain_text_whatever_a_terminal_is_said_to_be(tmp_path: Path) -> None:
    dressed = {"GITHUB_ACTIONS": "true", "FORCE_COLOR": "1", "COLUMNS": "20", "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "generate", "--out", "a.png", "--count", "0"],
        cwd=tmp_path,
        env={**os.environ, **dressed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith("Error: Invalid value for '--count': Input should be greater than or equal to 1\n")
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


def test_a_persons_keras_and_devices_draw_no_other_images(folder: Path) -> None:
    generate(out=Path("plain.npy"), count=3)
    keras = folder / "home" / ".keras"
    keras.mkdir(parents=True)
    settings = {"floatx": "float64", "image_data_format": "channels_first", "epsilon": 0.1, "backend": "jax"}
    (keras / "keras.json").write_text(json.dumps(settings))
    theirs = {"HOME": str(keras.parent), "KERAS_BACKEND": "torch", "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)}
    theirs |= {"TF_XLA_FLAGS": "--no_such_flag", "XLA_FLAGS": "--nor_this"}
    command = [sys.executable, "-m", "pipeline", "generate", "--out", "theirs.npy", "--count", "3"]
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_HOME"} | theirs
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path("theirs.npy").read_bytes() == Path("plain.npy").read_bytes()
