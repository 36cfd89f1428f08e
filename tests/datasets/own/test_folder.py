import os
import socket
from pathlib import Path

import pytest

from mnistgan.datasets.own.folder import listed
from mnistgan.errors import DataError


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def test_a_folder_a_class_gives_each_picture_its_class(tmp_path):
    found = listed(lay_out(tmp_path, "cat/1.png", "cat/2.JPG", "ant/1.jpeg"))
    assert [(file.path, file.label) for file in found.files] == [
        ("ant/1.jpeg", "ant"),
        ("cat/1.png", "cat"),
        ("cat/2.JPG", "cat"),
    ]
    assert found.classes == ("ant", "cat")
    assert found.splits == ()


def test_pictures_without_folders_have_no_class(tmp_path):
    assert listed(lay_out(tmp_path, "1.png", "2.png")).classes is None


def test_classes_that_are_numbers_come_by_number(tmp_path):
    assert listed(lay_out(tmp_path, "10/1.png", "9/1.png", "2/1.png")).classes == ("2", "9", "10")


def test_folders_named_as_splits_give_the_splits_in_their_order(tmp_path):
    found = listed(lay_out(tmp_path, "test/a/1.png", "train/b/1.png", "train/a/1.png", "validation/a/1.png"))
    assert [file.path for file in found.files] == [
        "train/a/1.png",
        "train/b/1.png",
        "validation/a/1.png",
        "test/a/1.png",
    ]
    assert (found.splits, found.classes) == (("train", "validation", "test"), ("a", "b"))


@pytest.mark.parametrize(
    "paths",
    [
        ["images.npy", "labels.npy"],
        ["images.npy"],
        ["shoes.npz"],
        ["train.npz", "validation.npz", "test.npz"],
        ["train-images.npy", "test-images.npy", "train-labels.npy", "test-labels.npy"],
        ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels-idx1-ubyte"],
    ],
)
def test_arrays_are_known_by_their_names(tmp_path, paths):
    assert {file.path for file in listed(lay_out(tmp_path, *paths)).files} == set(paths)


def test_hidden_files_are_passed_over_and_named(tmp_path):
    found = listed(lay_out(tmp_path, ".DS_Store", "a/1.png", "a/Thumbs.db", ".git/config"))
    assert [file.path for file in found.files] == ["a/1.png"]
    assert set(found.hidden) == {".DS_Store", ".git", "a/Thumbs.db"}


def test_a_link_within_the_folder_is_a_file_of_it(tmp_path):
    lay_out(tmp_path, "a/1.png")
    (tmp_path / "a/2.png").symlink_to("1.png")
    assert len(listed(tmp_path).files) == 2


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([], "holds no images"),
        (["notes.txt"], "notes.txt: not a file that is known here"),
        (["a/1.png", "a/notes.txt"], "a/notes.txt: no picture"),
        (["1.png", "images.npy"], "images.npy: no picture"),
        (["1.png", "a/1.png"], "1.png: lies beside the folders of classes"),
        (["a/b/1.png"], "a/b/1.png: too deep"),
        (["a/b/c/1.png"], "a/b/c: too deep"),
        (["train/1.png", "shoe/1.png"], "shoe: lies beside a folder named as a split is"),
        (["train/1.png", "val/1.png"], "val: lies beside a folder named as a split is"),
        (["train/1.png", "1.png"], "1.png: lies beside a folder named as a split is"),
        (["train/1.png", "validation/1.png"], "gives the splits train, validation; takes train and test"),
        (["train.npz", "shoes.npz"], "gives the splits one without a name, train; takes train and test"),
        (["one.npz", "two.npz"], "holds one.npz, two.npz; takes one NPZ, or one file of images and one of labels"),
        (["train-labels.npy", "test.npz"], "takes one NPZ, or one file of images and one of labels, for train"),
        (["a/images.npy"], "a/images.npy: not a file that is known here"),
        (["a/\x07.png"], r"the name '\\x07.png' has characters that a list of names can't hold"),
    ],
)
def test_a_folder_that_means_nothing_or_two_things_is_refused(tmp_path, paths, said):
    with pytest.raises(DataError, match=said):
        listed(lay_out(tmp_path, *paths))


def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).touch()
    with pytest.raises(DataError, match=r"the name b'\\xff.png' is not UTF-8; rename it"):
        listed(tmp_path)


@pytest.mark.parametrize(
    ("target", "said"),
    [("../outside.png", "leads out of the folder"), ("nowhere.png", "to nothing"), ("a", "to a folder")],
)
def test_a_link_that_is_no_picture_of_the_folder_is_refused(tmp_path, target, said):
    lay_out(tmp_path, "outside.png", "folder/a/1.png")
    (tmp_path / "folder/link.png").symlink_to(target)
    with pytest.raises(DataError, match=f"link.png: a link (that )?{said}"):
        listed(tmp_path / "folder")


def test_no_folder_and_no_plain_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        listed(tmp_path / "none")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(lay_out(tmp_path, "1.png") / "2.png"))
        with pytest.raises(DataError, match=r"2\.png: no plain file"):
            listed(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        listed(tmp_path / "1.png")


def test_an_empty_folder_of_a_class_is_refused(tmp_path):
    (lay_out(tmp_path, "a/1.png") / "b").mkdir()
    with pytest.raises(DataError, match="b: an empty folder"):
        listed(tmp_path)
