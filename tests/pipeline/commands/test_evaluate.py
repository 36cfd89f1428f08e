"""The evaluate stage as it is called: what it writes, and what it refuses."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnistgan.datasets import arrays, idx, split
from mnistgan.datasets.arrays import Images
from mnistgan.datasets.fetching import raw
from mnistgan.rulers.pins import Pins
from mnistgan.rulers.real import subset
from pipeline.__main__ import main
from tests import committed
from tests.fitted import lay_out_rulers

ROOT = Path(__file__).resolve().parents[3]
COUNT = 1000


@pytest.fixture(scope="module")
def workspace(mnist_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with params.yaml at the fewest samples, the rulers, and a part of each split."""
    folder = tmp_path_factory.mktemp("workspace")
    committed.lay_out_params(folder, committed.params().replace("samples: 10000", f"samples: {COUNT}"))
    prepare = committed.parsed().prepare
    every = _images(mnist_cache / "mnist", raw.TRAIN_IMAGES, raw.TRAIN_LABELS)
    kept, aside = split.stratified(every.labels, prepare.validation_size, prepare.split_seed)
    test = _images(mnist_cache / "mnist", raw.TEST_IMAGES, raw.TEST_LABELS)
    splits = {"train": every[kept[:1500]], "validation": every[aside[:2000]]}
    splits["test"] = test[subset(len(test), 2000, "test")]
    for name, images in splits.items():
        arrays.save(folder / f"{name}.npz", images)
    lay_out_rulers(folder / "pretrained" / "mnist", **splits)
    np.save(folder / "fresh.npy", every.images[aside[-COUNT:]])
    by_class = aside[-2 * COUNT :][np.argsort(every.labels[aside[-2 * COUNT :]], kind="stable")]
    np.save(folder / "sorted.npy", every.images[by_class])
    np.save(folder / "repeated.npy", every.images[aside[np.arange(COUNT) % 100]])
    return folder


def _images(folder: Path, images: str, labels: str) -> Images:
    return Images(
        idx.parse_images((folder / images).read_bytes(), images),
        idx.parse_labels((folder / labels).read_bytes(), labels),
    )


Evaluate = Callable[..., int]


def _evaluated(workspace: Path, patch: pytest.MonkeyPatch, **changed: str | None) -> int:
    """Runs the stage, its options given or changed by name (None leaves one out), and gives the exit code."""
    patch.chdir(workspace)
    options = {
        "train": "train.npz",
        "validation": "validation.npz",
        "test": "test.npz",
        "rulers": "pretrained/mnist",
        "scores": "scores.json",
        "metrics": "evaluation.json",
        "classes": "classes.csv",
        **changed,
    }
    arguments = [part for name, value in options.items() if value is not None for part in (f"--{name}", value)]
    patch.setattr(sys, "argv", ["python -m pipeline", "evaluate", *arguments])
    with pytest.raises(SystemExit) as raised:
        main()
    return int(raised.value.code or 0)


@pytest.fixture
def evaluate(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """The stage in that folder, which holds none of its outs yet."""
    for name in ("scores.json", "evaluation.json", "classes.csv"):
        (workspace / name).unlink(missing_ok=True)
    return partial(_evaluated, workspace, monkeypatch)


def test_real_images_from_a_file_stand_near_the_floor(
    evaluate: Evaluate, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(samples="fresh.npy") == 0
    report = json.loads((workspace / "evaluation.json").read_text())
    assert report["fid"]["value"] < 2 * report["fid"]["floor"]
    assert report["samples"] == COUNT
    assert Pins.parse(report["pins"]).latent_seed == "outside"
    line = capsys.readouterr().out
    assert f"FID {report['fid']['value']:.4g} (floor " in line
    assert "classifier score" in line
    assert "coverage" in line
    assert "smallest class" in line
    assert line.endswith("; healthy\n")
    assert report["verdict"] == "healthy"
    assert "interpolation" not in report  # images from a file have no latents
    assert report["images"] == "all 1,000 images"
    rows = (workspace / "classes.csv").read_text().splitlines()
    assert rows[0] == "class,share,prior"
    assert [row.split(",")[0] for row in rows[1:]] == list("0123456789")


def test_of_more_samples_sorted_by_class_the_same_ones_of_all_are_measured_each_time_and_it_is_said(
    evaluate: Evaluate, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = []
    for _ in range(2):
        assert evaluate(samples="sorted.npy") == 0
        outs.append([(workspace / name).read_bytes() for name in ("evaluation.json", "classes.csv")])
    assert outs[0] == outs[1]
    report = json.loads(outs[0][0])
    assert report["images"] == "1,000 of 2,000 images, drawn by seed 0"
    assert report["verdict"] == "healthy"
    assert capsys.readouterr().out.startswith("sorted.npy, 1,000 of 2,000 images, drawn by seed 0: FID ")


def test_repeated_images_lose_coverage_and_recall(evaluate: Evaluate, workspace: Path) -> None:
    assert evaluate(samples="repeated.npy") == 0
    report = json.loads((workspace / "evaluation.json").read_text())
    for name in ("recall", "coverage"):
        assert report[name]["value"] < 0.5 * report[name]["real"]
    assert report["verdict"].startswith("collapsed")
    assert report["verdict"].startswith("collapsed: ")
    assert "repeat others" in report["verdict"]


@pytest.fixture(scope="module")
def of_weights(workspace: Path) -> list[dict[str, Any]]:
    """What an untrained generator's weights get at the latent seeds 1 and 2."""
    from mnistgan.families import sampling
    from mnistgan.families.dcgan.networks import generator

    sampling.save(workspace / "generator.npz", "dcgan", generator(0))
    text = (workspace / "params.yaml").read_text("utf-8")
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for seed in (1, 2):
            (workspace / "params.yaml").write_text(text.replace("latent_seed: 1", f"latent_seed: {seed}"), "utf-8")
            assert _evaluated(workspace, patch, weights="generator.npz") == 0
            found.append(json.loads((workspace / "evaluation.json").read_text()))
    (workspace / "params.yaml").write_text(text, "utf-8")
    return found


def test_a_generators_weights_are_measured_with_the_latent_seed_in_the_pins(of_weights: list[dict[str, Any]]) -> None:
    assert [Pins.parse(report["pins"]).latent_seed for report in of_weights] == ["1", "2"]
    report = of_weights[0]
    assert "images" not in report
    assert report["fid"]["relative"] > 3  # it has not been trained
    even = report["interpolation"]["even"]
    assert even == pytest.approx(1 / 15, rel=1e-5)
    assert even < report["interpolation"]["largest_step"] < 2 * even


def test_another_latent_seed_agrees_within_the_interval(of_weights: list[dict[str, Any]]) -> None:
    one, other = (report["fid"] for report in of_weights)
    assert one["value"] != other["value"]
    assert one["low"] < other["value"] < one["high"]
    assert other["low"] < one["value"] < other["high"]


def test_neither_or_both_of_generator_and_samples_are_refused(
    evaluate: Evaluate, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate() == 2
    assert evaluate(weights="generator.npz", samples="fresh.npy") == 2
    assert capsys.readouterr().err.count("give --weights WEIGHTS or --samples IMAGES, one of the two") == 2


BAD = [
    ({"samples": "missing.npy"}, "missing.npy: no such file or folder"),
    ({"samples": "params.yaml"}, "params.yaml: takes .npy, .npz or a folder of PNG files"),
    ({"samples": "few.npy"}, f"few.npy: 10 images; needs {COUNT}"),
    ({"samples": "large.npy"}, "large.npy: shape is [1000, 32, 32]"),
    ({"samples": "test.npz", "test": "missing.npz"}, "missing.npz: no such file"),
    ({"weights": "missing.npz"}, "missing.npz: no such file"),
    ({"weights": "test.npz"}, "test.npz: is of family ''"),
    ({"samples": "fresh.npy", "rulers": "."}, "controls.json: no such file; restore pretrained/ from git"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_input_is_one_message_exit_2_and_no_file(
    evaluate: Evaluate, workspace: Path, capsys: pytest.CaptureFixture[str], options: dict[str, str], message: str
) -> None:
    np.save(workspace / "few.npy", np.zeros((10, 28, 28), np.uint8))
    np.save(workspace / "large.npy", np.zeros((1000, 32, 32), np.uint8))
    assert evaluate(**options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("error: ") == 1
    assert not (workspace / "evaluation.json").exists()
    assert not (workspace / "classes.csv").exists()
