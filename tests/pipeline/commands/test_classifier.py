"""`python -m pipeline classifier` makes both rulers, says how they compare, and leaves the pinned ones alone."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mnistgan import files
from mnistgan.datasets import arrays, idx
from mnistgan.datasets.arrays import Images
from mnistgan.datasets.fetching import raw
from mnistgan.rulers import cards
from pipeline.__main__ import main

ROOT = Path(__file__).resolve().parents[3]
MEMBERS = ("classifier.npz", "classifier.json", "pixels.npz", "pixels.json")


def _save_splits(cache: Path, folder: Path) -> None:
    every = Images(
        idx.parse_images((cache / raw.TRAIN_IMAGES).read_bytes(), "images"),
        idx.parse_labels((cache / raw.TRAIN_LABELS).read_bytes(), "labels"),
    )
    for name, start, count in (("train", 0, 250), ("validation", 2000, 250), ("test", 3000, 500)):
        arrays.save(folder / f"{name}.npz", every[np.arange(start, start + count)])


def _words(out: str) -> list[str]:
    splits = [part for name in ("train", "validation", "test") for part in (f"--{name}", f"{name}.npz")]
    return ["classifier", "--out", out, *splits]


Classifier = Callable[[str], int]


@pytest.fixture
def classifier(mnist_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classifier:
    """Runs the command in this process, in a folder that holds a part of each split; gives the exit code."""
    _save_splits(mnist_cache / "mnist", tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(out: str) -> int:
        monkeypatch.setattr(sys, "argv", ["pipeline", *_words(out)])
        with pytest.raises(SystemExit) as raised:
            main()
        return int(raised.value.code or 0)

    return run


@pytest.mark.slow
def test_a_retrained_ruler_is_compared_saved_apart_and_the_same_to_the_byte_each_time(
    classifier: Classifier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "pretrained" / "mnist", tmp_path / "pretrained" / "mnist")
    pinned = {name: files.sha256(tmp_path / "pretrained" / "mnist" / name) for name in MEMBERS}
    command = [sys.executable, "-m", "pipeline", *_words("again")]  # a process of its own, as a person's is
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "(pinned 99." in done.stdout
    assert "classifier's arrays differ, pixel ruler's differ" in done.stdout
    assert pinned == {name: files.sha256(tmp_path / "pretrained" / "mnist" / name) for name in MEMBERS}

    # Pinned in an archive with other headers: the same ruler, and said to be.
    for name in ("classifier", "pixels"):
        arrays, card = cards.read(tmp_path / "again", name)
        np.savez(tmp_path / "pretrained" / "mnist" / f"{name}.npz", **arrays)
        digest = files.sha256(tmp_path / "pretrained" / "mnist" / f"{name}.npz")
        files.write_json(tmp_path / "pretrained" / "mnist" / f"{name}.json", {**card, "sha256": digest})
    assert classifier("once-more") == 0
    assert "classifier's arrays the pinned ones, pixel ruler's the pinned ones" in capsys.readouterr().out

    # Over the pinned ones, if told so; the same data and recipe give the same bytes.
    assert classifier("pretrained/mnist") == 0
    for name in MEMBERS:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "pretrained" / "mnist" / name).read_bytes()


def test_without_pinned_rulers_it_says_so_before_it_trains(
    classifier: Classifier, capsys: pytest.CaptureFixture[str]
) -> None:
    assert classifier("again") == 2
    assert "pretrained/mnist/classifier.json: no such file" in capsys.readouterr().err
    assert not Path("again").exists()


@pytest.mark.parametrize("missing", ["train", "validation", "test"])
def test_a_missing_split_is_named(classifier: Classifier, capsys: pytest.CaptureFixture[str], missing: str) -> None:
    Path(f"{missing}.npz").unlink()
    assert classifier("again") == 2
    assert f"{missing}.npz: no such file" in capsys.readouterr().err
