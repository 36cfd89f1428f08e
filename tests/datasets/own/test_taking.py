import gzip
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistgan.datasets.own.filelist import Digests
from mnistgan.datasets.own.folder import listed
from mnistgan.datasets.own.taking import Survey, pixels, surveyed
from mnistgan.errors import DataError

RANDOM = np.random.default_rng(0)
N = 5000
IMAGES = RANDOM.integers(0, 256, (N, 28, 28), dtype=np.uint8)
LABELS = np.arange(N) % 5


def survey(root: Path, names: tuple[str, ...] = ()) -> Survey:
    return surveyed(listed(root), Digests(root), names)


def taken(root: Path, fit: str = "none", grey: bool = False) -> np.ndarray:
    found = {}
    pixels(listed(root), Digests(root), fit, grey, lambda place, images: found.update({place: images.copy()}))
    sizes = np.cumsum([0, *map(len, found.values())])
    assert list(found) == sizes[:-1].tolist()  # one after the other, none left out
    return np.concatenate(list(found.values()))


def idx(values: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, values.ndim])
        + struct.pack(f">{values.ndim}I", *values.shape)
        + values.astype(np.uint8).tobytes()
    )


def save(root: Path, images: np.ndarray = IMAGES, labels: np.ndarray | None = LABELS) -> Path:
    np.save(root / "images.npy", images)
    if labels is not None:
        np.save(root / "labels.npy", labels)
    return root


def _npy(root: Path) -> None:
    save(root)


def _npz(root: Path) -> None:
    np.savez_compressed(root / "all.npz", images=IMAGES, labels=LABELS.astype(np.uint8))


def _floats(root: Path) -> None:
    save(root, IMAGES[..., np.newaxis] / np.float32(255))


def _idx(root: Path) -> None:
    (root / "images-idx3-ubyte").write_bytes(idx(IMAGES))
    (root / "labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS), 1))


@pytest.mark.parametrize("lay_out", [_npy, _npz, _floats, _idx])
def test_every_kind_of_array_gives_the_same_images_and_labels(tmp_path, lay_out):
    lay_out(tmp_path)
    np.testing.assert_array_equal(taken(tmp_path), IMAGES)
    found = survey(tmp_path)
    np.testing.assert_array_equal(found.labels, LABELS)
    assert (found.count, found.classes, found.class_counts) == (N, ("0", "1", "2", "3", "4"), (N // 5,) * 5)
    assert found.given is None


def test_pictures_come_in_the_order_of_their_names(tmp_path):
    for name, image in zip(["b.png", "a.png"], IMAGES, strict=False):
        Image.fromarray(image).save(tmp_path / name)
    np.testing.assert_array_equal(taken(tmp_path), IMAGES[1::-1])


def test_colour_in_arrays_becomes_the_grey_that_pictures_become(tmp_path):
    colour = RANDOM.integers(0, 256, (3, 28, 28, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", colour)
    expected = np.stack([np.asarray(Image.fromarray(each).convert("L")) for each in colour])
    np.testing.assert_array_equal(taken(tmp_path, grey=True), expected)


def test_files_of_three_splits_say_which_image_is_in_which(tmp_path):
    parts = {"train": slice(0, 3000), "validation": slice(3000, 4000), "test": slice(4000, N)}
    for name, rows in parts.items():
        np.savez(tmp_path / f"{name}.npz", images=IMAGES[rows], labels=LABELS[rows])
    found = survey(tmp_path)
    np.testing.assert_array_equal(np.bincount(found.given), [3000, 1000, 1000])
    np.testing.assert_array_equal(found.labels, LABELS)
    np.testing.assert_array_equal(taken(tmp_path), IMAGES)


def test_classes_bear_the_names_that_are_given(tmp_path):
    assert survey(save(tmp_path), ("a", "b", "c", "d", "e")).classes == ("a", "b", "c", "d", "e")


def test_images_without_labels_have_no_classes(tmp_path):
    found = survey(save(tmp_path, labels=None))
    assert (found.labels, found.classes, found.class_counts) == (None, (), ())


@pytest.mark.parametrize(
    ("images", "labels", "names", "said"),
    [
        (IMAGES[:-1], LABELS[:-1], (), "4,999 images; takes 5,000 to 1,000,000"),
        (IMAGES, LABELS[:-1], (), "images.npy: 5,000 images, but 4,999 labels; each image has one"),
        (
            IMAGES,
            np.where(LABELS == 3, 5, LABELS),
            (),
            "no label is 3, but 5 is one; K classes have the labels 0 to K - 1",
        ),
        (IMAGES, LABELS - 1, (), "labels.npy: label 0 is -1; labels are 0 to K - 1"),
        (IMAGES, LABELS + 300, (), "labels up to 304; K classes"),
        (IMAGES, LABELS.astype(float), (), r"labels.npy: labels are float64 \[5000\]; takes whole numbers \[N\]"),
        (IMAGES, np.eye(5, dtype=int)[LABELS], (), r"labels are int64 \[5000, 5\]; takes whole numbers \[N\]"),
        (IMAGES, np.where(np.arange(N) < 99, 1, 0), (), "99 images of class 1; takes 100 or more of each"),
        (IMAGES, np.zeros(N, int), (), "1 classes; takes 2 to 10, or images without any"),
        (IMAGES, LABELS, ("a", "b"), "labels up to 4; --classes gives 2 names"),
        (IMAGES, None, ("a", "b"), "--classes names classes, but no file holds labels"),
    ],
)
def test_too_few_images_and_labels_that_disagree_are_refused(tmp_path, images, labels, names, said):
    with pytest.raises(DataError, match=said):
        survey(save(tmp_path, images, labels), names)


def test_labels_for_one_split_and_none_for_another_are_refused(tmp_path):
    np.savez(tmp_path / "train.npz", images=IMAGES, labels=LABELS)
    np.savez(tmp_path / "test.npz", images=IMAGES)
    with pytest.raises(DataError, match=r"test.npz: has no labels, where other files have some"):
        survey(tmp_path)


def _with(value: float, dtype: type = np.float32) -> np.ndarray:
    images = np.zeros((3, 28, 28), dtype)
    images[2, 5, 5] = value
    return images


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (_with(np.nan), "image 2: holds NaN or infinite pixels"),
        (_with(np.inf), "image 2: holds NaN or infinite pixels"),
        (_with(255), "image 2: floats from 0.0 to 255.0; takes uint8 of 0..255 or floats of 0..1"),
        (_with(-1), r"floats from -1.0 to 0.0; .*; save \(images \+ 1\) / 2 if they are -1..1"),
        (_with(1, np.uint16), "16 bits a pixel"),
        (_with(1, np.int64), r"dtype is int64; .*; save images.astype\(np.uint8\) if they are 0..255"),
        (_with(1, bool), r"dtype is bool; .*; save images \* np.uint8\(255\)"),
        (_with(1, object), "dtype is object"),
        (np.zeros((3, 784), np.uint8), r"shape is \[3, 784\]; .*; save images.reshape\(-1, 28, 28\)"),
        (np.zeros((3, 28, 28, 4), np.uint8), r"shape is \[3, 28, 28, 4\], with an alpha channel"),
        (np.zeros((3, 28, 28, 3), np.uint8), r"in colour \(\[28, 28, 3\] an image\); --grey makes all grey"),
        (np.zeros((3, 3, 28, 28), np.uint8), r"shape is \[3, 3, 28, 28\]; takes"),
        (np.zeros((3, 28, 32), np.uint8), "32 x 28 pixels; takes 28 x 28, or give --fit"),
        (np.zeros((3, 5000, 28), np.uint8), "of 1 to 4096 pixels a side"),
        (np.asfortranarray(np.zeros((3, 28, 28), np.uint8)), "Fortran order"),
    ],
)
def test_an_array_that_may_mean_something_else_is_refused(tmp_path, images, said):
    with pytest.raises(DataError, match=f"images.npy: .*{said}"):
        taken(save(tmp_path, images, None))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("images.npy", b"", "not an NPY array"),
        ("images.npy", b"\x93NUMPY\x01\x00", "not an NPY array"),
        ("images-idx3-ubyte", idx(IMAGES[:3])[:-1], "truncated"),
        ("images-idx3-ubyte.gz", gzip.compress(idx(IMAGES[:3]))[:-9], "truncated gzip data"),
        ("all.npz", b"PK\x03\x04", "not a whole NPZ"),
    ],
)
def test_a_torn_file_is_refused(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: .*{said}"):
        taken(tmp_path)


def test_an_array_that_ends_too_soon_or_goes_on_is_refused(tmp_path):
    whole = (save(tmp_path, IMAGES[:3], None) / "images.npy").read_bytes()
    for content in (whole[:-1], whole + b"\0"):
        (tmp_path / "images.npy").write_bytes(content)
        with pytest.raises(DataError, match=r"bytes after its header; its 3 rows are 2,352"):
            taken(tmp_path)


def test_an_npz_without_images_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    with pytest.raises(DataError, match="holds no array named images"):
        taken(tmp_path)


def test_a_file_that_is_not_the_listed_one_is_named(tmp_path):
    save(tmp_path)
    listed_before = Digests(tmp_path)
    surveyed(listed(tmp_path), listed_before)
    save(tmp_path, labels=LABELS[::-1].copy())
    with pytest.raises(DataError, match=r"labels.npy: not the file that files.sha256 lists: sha256 \w+…, not \w+…"):
        surveyed(listed(tmp_path), Digests(tmp_path, listed_before.found, "files.sha256"))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    save(tmp_path)

    def disturb(place: int, images: np.ndarray) -> None:
        with (tmp_path / "images.npy").open("rb+") as file:
            file.seek(1000)
            file.write(b"\1")

    with pytest.raises(DataError, match=r"images.npy: changed while it was read"):
        pixels(listed(tmp_path), Digests(tmp_path), "none", False, disturb)


def test_a_file_that_is_replaced_while_it_is_read_is_refused(tmp_path):
    save(tmp_path)

    def replace(place: int, images: np.ndarray) -> None:
        (tmp_path / "images.npy").rename(tmp_path / "images.old")
        save(tmp_path)

    with pytest.raises(DataError, match=r"images.npy: changed while it was read"):
        pixels(listed(tmp_path), Digests(tmp_path), "none", False, replace)


def test_memory_stays_small_however_many_images_there_are(tmp_path):
    many = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (200_000, 28, 28))
    many.flush()
    child = (
        "import resource, sys; from pathlib import Path; from mnistgan.datasets.own import folder, taking, filelist\n"
        "root = Path(sys.argv[1]); listing, held = folder.listed(root), filelist.Digests(root)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "found = taking.surveyed(listing, held)\n"
        "taking.pixels(listing, held, 'none', False, lambda place, images: None)\n"
        "print(found.count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", child, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    count, grown = map(int, done.stdout.split())
    assert count == 200_000
    assert grown * 1024 < 40_000_000 < 200_000 * 28 * 28  # a few pieces of 8 MB
