"""`python -m pipeline classifier` makes both rulers, says how they compare, and leaves the pinned ones alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnistgan import files
from mnistgan.datasets import arrays, idx
from mnistgan.datasets.arrays import Images
from mnistgan.datasets.fetching import raw
from mnistgan.rulers import cards

ROOT = Path(__file__).resolve().parents[3]
MEMBERS = ("classifier.npz", "classifier.json", "pixels.npz", "pixels.json")


def _save_splits(cache: Path, folder: Path) -> None:
    every = Images(
        idx.parse_images((cache / raw.TRAIN_IMAGES.name).read_bytes(), "images"),
        idx.parse_labels((cache / raw.TRAIN_LABELS.name).read_bytes(), "labels"),
    )
    for name, start, count in (("train", 0, 1000), ("validation", 2000, 500), ("test", 3000, 500)):
        arrays.save(folder / f"{name}.npz", every[np.arange(start, start + count)])


def _classifier(folder: Path, out: str) -> subprocess.CompletedProcess[str]:
    splits = [part for name in ("train", "validation", "test") for part in (f"--{name}", f"{name}.npz")]
    command = [sys.executable, "-m", "pipeline", "classifier", "--out", out, *splits]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


def test_a_retrained_ruler_is_compared_saved_apart_and_the_same_to_the_byte_each_time(
    mnist_cache: Path, tmp_path: Path
) -> None:
    _save_splits(mnist_cache, tmp_path)
    shutil.copytree(ROOT / "pretrained", tmp_path / "pretrained")
    pinned = {name: files.sha256(tmp_path / "pretrained" / name) for name in MEMBERS}
    done = _classifier(tmp_path, "again")
    assert done.returncode == 0, done.stderr
    assert "(pinned 99." in done.stdout
    assert "classifier's arrays differ, pixel ruler's differ" in done.stdout
    assert pinned == {name: files.sha256(tmp_path / "pretrained" / name) for name in MEMBERS}

    # Pinned in an archive with other headers: the same ruler, and said to be.
    for name in ("classifier", "pixels"):
        arrays, card = cards.read(tmp_path / "again", name)
        np.savez(tmp_path / "pretrained" / f"{name}.npz", **arrays)
        digest = files.sha256(tmp_path / "pretrained" / f"{name}.npz")
        files.write_json(tmp_path / "pretrained" / f"{name}.json", {**card, "sha256": digest})
    done = _classifier(tmp_path, "once-more")
    assert "classifier's arrays the pinned ones, pixel ruler's the pinned ones" in done.stdout, done.stderr

    # Over the pinned ones, if told so; the same data and recipe give the same bytes.
    done = _classifier(tmp_path, "pretrained")
    assert done.returncode == 0, done.stderr
    for name in MEMBERS:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "pretrained" / name).read_bytes()


def test_without_pinned_rulers_it_says_so_before_it_trains(mnist_cache: Path, tmp_path: Path) -> None:
    _save_splits(mnist_cache, tmp_path)
    done = _classifier(tmp_path, "again")
    assert done.returncode == 2
    assert "pretrained/classifier.json: no such file" in done.stderr
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("missing", ["train", "validation", "test"])
def test_a_missing_split_is_named(mnist_cache: Path, tmp_path: Path, missing: str) -> None:
    _save_splits(mnist_cache, tmp_path)
    (tmp_path / f"{missing}.npz").unlink()
    done = _classifier(tmp_path, "again")
    assert done.returncode == 2
    assert f"{missing}.npz: no such file" in done.stderr
