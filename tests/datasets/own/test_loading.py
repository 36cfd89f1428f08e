"""A folder of pictures on its way through: examined, described, listed, loaded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistgan.datasets import contract
from mnistgan.datasets.contract import DataSet
from mnistgan.datasets.own import describing, filelist, taking
from mnistgan.datasets.own.describing import examined
from mnistgan.errors import DataError

WORDS = {"title": "Shoes", "noun": "shoe", "licence": "ours"}
PICTURES = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Bounds at a hundredth, so that few pictures need be written."""
    monkeypatch.setattr(taking, "LEAST_IMAGES", 40)
    monkeypatch.setattr(taking, "LEAST_OF_CLASS", 10)
    monkeypatch.setattr(describing, "LEAST_OF_CLASS", 4)
    monkeypatch.setattr(describing, "LEAST_TEST", 8)
    monkeypatch.setattr(describing, "LEAST_TRAIN", 16)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Forty pictures of two classes."""
    for number, picture in enumerate(PICTURES):
        place = tmp_path / "shoes" / ("boot" if number < 20 else "sandal") / f"{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place)
    return tmp_path / "shoes"


def add(folder: Path, before: DataSet | None = None) -> DataSet:
    """Describes the folder, and lists its files beside it."""
    found = examined(folder, "none", grey=False)
    (folder.parent / filelist.FILE).write_bytes(filelist.text(found.digests))
    manifest = {"folder": "shoes", "sha256": filelist.digest(found.digests), "fit": "none", "grey": False, "seed": 0}
    return contract.parse(describing.described(found.survey, WORDS, manifest, 8, before), "dataset.yaml")


def load(folder: Path, dataset: DataSet, validation: int = 8) -> dict:
    assert dataset.manifest
    return taking.load(dataset, dataset.manifest, folder.parent / filelist.FILE, folder, (validation, 0))


def test_a_folder_becomes_three_splits_of_its_pictures_with_their_classes(folder):
    dataset = add(folder)
    assert (dataset.classes, dataset.images.train, dataset.images.test) == (["boot", "sandal"], 32, 8)
    splits = load(folder, dataset)
    assert {name: split.class_counts[:2] for name, split in splits.items()} == {
        "train": (12, 12),
        "validation": (4, 4),
        "test": (4, 4),
    }
    label_of = {picture.tobytes(): number >= 20 for number, picture in enumerate(PICTURES)}
    found = [
        (image.tobytes(), label)
        for split in splits.values()
        for image, label in zip(split.images, split.labels, strict=True)
    ]
    assert all(label_of.pop(image) == label for image, label in found)
    assert not label_of


def test_counts_are_of_what_is_not_test(folder):
    dataset = add(folder)
    splits = load(folder, dataset)
    together = np.add(splits["train"].class_counts, splits["validation"].class_counts)
    assert dataset.counts == together[:2].tolist()


def test_the_same_folder_is_described_and_loaded_to_the_same_bytes(folder):
    one, again = add(folder), add(folder)
    assert one == again
    first, second = load(folder, one), load(folder, again)
    assert [split.digest for split in first.values()] == [split.digest for split in second.values()]


def _edit(folder: Path) -> None:
    Image.fromarray(PICTURES[39]).save(folder / "boot/03.png")


def _remove(folder: Path) -> None:
    (folder / "boot/03.png").unlink()


def _add(folder: Path) -> None:
    Image.fromarray(PICTURES[39]).save(folder / "boot/03b.png")


def _move(folder: Path) -> None:
    (folder / "boot/03.png").rename(folder / "sandal/03.png")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_edit, r"boot/03.png: not the file that .*files.sha256 lists"),
        (_remove, r"boot/03.png: is missing, which .*files.sha256 lists$"),
        (_add, r"boot/03b.png: is not in .*files.sha256$"),
        (_move, r"boot/03.png: is missing, .*; 1 more files differ"),
    ],
)
def test_a_folder_that_is_another_now_is_refused_by_the_first_file_that_differs(folder, change, said):
    dataset = add(folder)
    change(folder)
    with pytest.raises(DataError, match=said):
        load(folder, dataset)


def test_a_validation_split_that_the_folder_gives_must_be_as_large_as_params_say(folder):
    for split, rows in (("train", range(24)), ("validation", range(24, 32)), ("test", range(32, 40))):
        for row in rows:
            place = folder.parent / "given" / split / "ab"[row % 2] / f"{row}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(PICTURES[row]).save(place)
    given = folder.parent / "given"
    dataset = add(given)
    assert {name: len(split) for name, split in load(given, dataset).items()} == {
        "train": 24,
        "validation": 8,
        "test": 8,
    }
    with pytest.raises(DataError, match=r"gives 8 images for validation, prepare.validation_size .* is 9; make it 8"):
        load(given, dataset, validation=9)


def test_what_rulers_chose_stays_while_the_classes_do(folder):
    chosen = add(folder).model_copy(update={"missing_class": 1, "missing_class_chosen": "by rulers"})
    assert add(folder, chosen).missing_class_chosen == "by rulers"
    assert add(folder, chosen.model_copy(update={"classes": ["boot", "clog"]})).missing_class is None


@pytest.mark.parametrize(
    ("test_size", "said"), [(7, "7 images for test and 33 to train on"), (30, "30 images for test and 10 to train on")]
)
def test_too_small_a_test_and_too_few_left_are_refused(folder, test_size, said):
    survey = examined(folder, "none", grey=False).survey
    with pytest.raises(DataError, match=f"{said} are what --test-size leaves; takes 8 and 16 or more"):
        describing.described(survey, WORDS, {"seed": 0}, test_size)


def test_images_without_classes_are_counted_as_one(folder):
    survey = replace(examined(folder, "none", grey=False).survey, labels=None, classes=())
    said = describing.described(survey, WORDS, {"seed": 0}, 8)
    assert 'images: {"train": 32, "test": 8}\nclasses: []\ncounts: [32]\nmissing_class: null\n' in said


def test_a_class_too_rare_to_be_measured_is_refused(folder):
    survey = examined(folder, "none", grey=False).survey
    rare = replace(survey, labels=(np.arange(40) < 12).astype(np.uint8))
    with pytest.raises(DataError, match="class sandal has some 2 images in test; takes 4 or more"):
        describing.described(rare, WORDS, {"seed": 0}, 8)


def test_what_a_person_may_not_know_of_the_folder_is_said(folder):
    (folder / "boot/30.png").write_bytes((folder / "boot/03.png").read_bytes())
    (folder / ".DS_Store").touch()
    for path in folder.glob("sandal/*.png"):
        Image.fromarray(np.full((28, 28), 255, np.uint8)).save(path)
    remarks = examined(folder, "none", grey=False).remarks
    assert "passed over 1 hidden files, .DS_Store the first" in remarks
    assert (
        "20 pictures are the same file as another; where one is trained on and the other is test, figures flatter"
        in remarks
    )
    assert any("is it dark on light?" in remark for remark in remarks)


def test_pictures_that_are_all_black_are_refused(folder):
    for path in folder.glob("*/*.png"):
        Image.fromarray(np.ones((28, 28), np.uint8)).save(path)
    with pytest.raises(DataError, match=r"no pixel is above 1 of 255, which is black; save images \* 255"):
        examined(folder, "none", grey=False)
