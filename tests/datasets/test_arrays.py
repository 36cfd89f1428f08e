import hashlib

import numpy as np
import pytest

from mnistgan.datasets import arrays
from mnistgan.datasets.arrays import Images
from mnistgan.errors import DataError, FormatError


def some_images(count: int = 4) -> Images:
    draw = np.random.default_rng(1)
    return Images(draw.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8))


def test_saved_images_load_as_they_were(tmp_path):
    images = some_images()
    arrays.save(tmp_path / "split.npz", images)
    loaded = arrays.load(tmp_path / "split.npz")
    np.testing.assert_array_equal(loaded.images, images.images)
    np.testing.assert_array_equal(loaded.labels, images.labels)
    assert loaded.digest == images.digest


def test_the_same_images_give_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        arrays.save(tmp_path / name, some_images())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_digest_changes_with_one_pixel_and_with_one_label():
    images = some_images()
    other_pixel, other_label = images.images.copy(), images.labels.copy()
    other_pixel[3, 27, 27] ^= 1
    other_label[3] = 9
    digests = {
        images.digest,
        Images(other_pixel, images.labels).digest,
        Images(images.images, other_label).digest,
    }
    assert len(digests) == 3


def test_the_digest_covers_names_types_shapes_and_values_and_no_file_format():
    blank = Images(np.zeros((1, 28, 28), np.uint8), np.array([7], np.uint8))
    by_hand = b"images |u1 (1, 28, 28)\n" + bytes(784) + b"labels |u1 (1,)\n" + bytes([7])
    assert blank.digest == hashlib.sha256(by_hand).hexdigest()


def test_images_picked_by_index_keep_their_labels():
    picked = some_images()[np.array([2, 0])]
    np.testing.assert_array_equal(picked.labels, [2, 0])
    np.testing.assert_array_equal(picked.images, some_images().images[[2, 0]])
    assert len(picked) == 2


def test_class_counts_has_a_number_for_all_ten_classes():
    assert some_images().class_counts == (1, 1, 1, 1, 0, 0, 0, 0, 0, 0)


BLANK = np.zeros((2, 28, 28), np.uint8)
ZEROS = np.zeros(2, np.uint8)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"images": BLANK}, r"holds the arrays \['images'\]; should be images and labels"),
        ({"images": BLANK.astype(np.float32), "labels": ZEROS}, r"images are float32 \[2, 28, 28\]"),
        ({"images": np.zeros((2, 32, 32), np.uint8), "labels": ZEROS}, r"\[2, 32, 32\]; should be uint8 \[N, 28, 28\]"),
        ({"images": BLANK, "labels": ZEROS.astype(np.int64)}, r"labels are int64 \[2\]; should be uint8 \[N\]"),
        ({"images": BLANK, "labels": ZEROS[:1]}, "2 images, but 1 labels"),
        ({"images": BLANK[:0], "labels": ZEROS[:0]}, "holds no images"),
        ({"images": BLANK, "labels": ZEROS + 10}, "holds the label 10; labels are 0 to 9"),
    ],
)
def test_a_split_that_is_not_whole_is_refused_by_its_path(tmp_path, found, message):
    path = tmp_path / "split.npz"
    np.savez(path, **found)
    with pytest.raises(FormatError, match=f"split.npz: .*{message}"):
        arrays.load(path)


def test_a_missing_split_is_named(tmp_path):
    with pytest.raises(DataError, match=r"split\.npz: no such file"):
        arrays.load(tmp_path / "split.npz")


def test_a_single_array_instead_of_a_split_is_refused(tmp_path):
    path = tmp_path / "split.npz"
    with path.open("wb") as file:
        np.save(file, BLANK)
    with pytest.raises(FormatError, match=r"split\.npz: not a whole NPZ"):
        arrays.load(path)


def test_a_truncated_split_is_refused(tmp_path):
    path = tmp_path / "split.npz"
    arrays.save(path, some_images())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FormatError, match=r"split\.npz: not a whole NPZ"):
        arrays.load(path)
