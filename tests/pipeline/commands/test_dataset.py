"""From a folder to the splits: `dataset add` writes a manifest, and `prepare` takes what it lists."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from mnistgan.datasets import arrays, contract
from pipeline import __main__ as command_line
from tests import committed

N = 5000
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 28, 28), dtype=np.uint8)
PREPARE = ["prepare", *(word for name in ("train", "validation", "test") for word in (f"--{name}", f"out/{name}.npz"))]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A folder with params.yaml and one of arrays of five classes, become the working folder."""
    monkeypatch.chdir(tmp_path)
    committed.lay_out_params(tmp_path)
    (tmp_path / "shoes").mkdir()
    np.save("shoes/images.npy", IMAGES)
    np.save("shoes/labels.npy", np.arange(N) % 5)
    return tmp_path


@pytest.fixture
def run(workspace, monkeypatch, capsys):
    """Runs a command; gives its exit code, stdout and stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["pipeline", *words])
        with pytest.raises(SystemExit) as caught:
            command_line.main()
        said = capsys.readouterr()
        return caught.value.code or 0, said.out, said.err

    return run


def choose(workspace: Path, **prepare: object) -> None:
    """Makes params.yaml name the data set, with sizes that it has."""
    yaml = YAML()
    document = yaml.load(workspace / "params.yaml")
    document["data"]["name"] = "shoes"
    document["prepare"] |= {"validation_size": 1000, **prepare}
    document["evaluate"]["samples"] = 1000
    yaml.dump(document, workspace / "params.yaml")


def test_a_folder_becomes_a_data_set_that_prepare_takes(run, workspace):
    code, out, err = run("dataset", "add", "shoes", "--from", "shoes", "--classes", "a,b,c,d,e", "--title", "Our shoes")
    assert code == 0
    assert out == (
        "shoes: 5,000 images in 2 files; 5 classes (a 1,000, b 1,000, c 1,000, d 1,000, e 1,000); splits given: none; "
        f"1,000 images are test; mean pixel {IMAGES.mean():.0f} of 255\n"
    )
    assert "in params.yaml: data.name: shoes, prepare.validation_size: 1000, evaluate.samples: 1000\n" in err
    made = contract.load("shoes")
    assert (made.title, made.counts) == ("Our shoes", [800] * 5)
    assert made.manifest
    assert made.manifest.folder == "shoes"

    choose(workspace)
    code, out, err = run(*PREPARE, "--summary", "out/summary.json")
    assert code == 0, err
    assert out.startswith("prepared Our shoes: 3,000 train, 1,000 validation, 1,000 test images of 28x28")
    counts = json.loads((workspace / "out/summary.json").read_text())["splits"]["test"]["class_counts"]
    assert counts == dict.fromkeys("abcde", 200)
    place = {image.tobytes(): number for number, image in enumerate(IMAGES)}
    tested = arrays.load(workspace / "out/test.npz")
    assert [place[image.tobytes()] % 5 for image in tested.images] == tested.labels.tolist()


def test_images_without_labels_become_a_data_set_without_classes(run, workspace):
    (workspace / "shoes/labels.npy").unlink()
    code, out, err = run("dataset", "add", "shoes", "--from", "shoes")
    assert code == 0, err
    assert "5,000 images in 1 files; no classes; splits given: none" in out
    choose(workspace)
    assert run(*PREPARE, "--summary", "out/summary.json")[0] == 0
    assert json.loads((workspace / "out/summary.json").read_text())["splits"]["test"]["class_counts"] == {}
    assert not arrays.load(workspace / "out/train.npz").labels.any()


def test_the_same_folder_and_options_write_the_same_bytes(run, workspace):
    def written() -> list[bytes]:
        assert run("dataset", "add", "shoes", "--from", "shoes")[0] == 0
        return [path.read_bytes() for path in sorted((workspace / "datasets/shoes").iterdir())]

    assert written() == written()


def test_an_edited_image_is_never_taken_unsaid(run, workspace):
    run("dataset", "add", "shoes", "--from", "shoes")
    choose(workspace)
    np.save("shoes/images.npy", np.minimum(IMAGES, 254))
    code, out, err = run(*PREPARE, "--summary", "out/summary.json")
    assert (code, out) == (2, "")
    assert "shoes/images.npy: not the file that datasets/shoes/files.sha256 lists" in err
    assert not list(workspace.glob("out/*"))


def test_the_folder_may_lie_elsewhere_in_another_clone(run, workspace, monkeypatch):
    run("dataset", "add", "shoes", "--from", "shoes")
    choose(workspace)
    (workspace / "shoes").rename(workspace / "elsewhere")
    code, _, err = run(*PREPARE, "--summary", "out/summary.json")
    assert code == 2
    assert "shoes: no such folder; it holds the images of shoes: `dvc pull`" in err
    monkeypatch.setenv("MNISTGAN_IMAGES_DIR", "elsewhere")
    assert run(*PREPARE, "--summary", "out/summary.json")[0] == 0


def test_a_folder_outside_of_the_repository_is_named_wholly(run, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    np.save(outside / "images.npy", IMAGES)
    np.save(outside / "labels.npy", np.arange(N) % 5)
    assert run("dataset", "add", "shoes", "--from", str(outside))[0] == 0
    manifest = contract.load("shoes").manifest
    assert manifest
    assert manifest.folder == str(outside)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Shoes", "--from", "shoes"], "'Shoes': takes small letters, digits and -, 40 at most"),
        (["mnist", "--from", "shoes"], "mnist: a data set that is fetched; give yours another name"),
        (["shoes", "--from", "nowhere"], "nowhere: no such folder; takes PNG or JPEG"),
        (["shoes", "--from", "shoes", "--fit", "stretch"], "'stretch' is not one of 'none', 'pad', 'crop', 'area'"),
        (["shoes", "--from", "shoes", "--classes", "a,b"], "labels up to 4; --classes gives 2 names"),
        (["shoes", "--from", "shoes", "--classes", "a,a,b,c,d"], "classes: should be two or more, each named once"),
        (["shoes", "--from", "shoes", "--test-size", "999"], "999 images for test and 4,001 to train on"),
    ],
)
def test_bad_use_is_refused_and_leaves_nothing(run, workspace, words, said):
    code, out, err = run("dataset", "add", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert not (workspace / "datasets/shoes").exists()
