"""Images from outside: taken as what they are, or refused with the reason."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistgan.errors import DataError, FormatError
from mnistgan.evaluation.outside import read

COUNT = 12


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)


def save(path: Path, array: np.ndarray) -> Path:
    np.save(path, array, allow_pickle=array.dtype == object)
    return path


@pytest.mark.parametrize("shape", [(COUNT, 28, 28), (COUNT, 28, 28, 1), (COUNT, 1, 28, 28)])
def test_a_channel_of_one_may_stand_first_last_or_nowhere(tmp_path: Path, images: np.ndarray, shape: tuple) -> None:
    assert np.array_equal(read(save(tmp_path / "x.npy", images.reshape(shape)), COUNT), images)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [lambda x: x / 255.0, lambda x: x / 127.5 - 1.0])
def test_floats_in_0_to_1_or_minus_1_to_1_give_the_same_pixels(
    tmp_path: Path, images: np.ndarray, dtype, scale
) -> None:
    assert np.array_equal(read(save(tmp_path / "x.npy", scale(images).astype(dtype)), COUNT), images)


@pytest.mark.parametrize("arrays", [["images"], ["samples"], ["images", "labels"]])
def test_an_npz_gives_its_images_or_its_one_array(tmp_path: Path, images: np.ndarray, arrays: list[str]) -> None:
    named = {name: images if name != "labels" else np.zeros(COUNT) for name in arrays}
    np.savez_compressed(tmp_path / "x.npz", **named)
    assert np.array_equal(read(tmp_path / "x.npz", COUNT), images)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_folder_of_png_is_read_in_the_order_of_its_names(tmp_path: Path, images: np.ndarray, mode: str) -> None:
    for index in reversed(range(COUNT)):
        Image.fromarray(images[index]).convert(mode).save(tmp_path / f"{index:03d}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    assert np.array_equal(read(tmp_path, COUNT), images)


def test_no_more_images_are_read_than_asked_for(tmp_path: Path, images: np.ndarray) -> None:
    path = save(tmp_path / "x.npy", images)
    path.write_bytes(path.read_bytes()[: -5 * 28 * 28])  # the last five are missing
    assert np.array_equal(read(path, COUNT - 5), images[:-5])


BAD_ARRAYS = [
    (np.zeros((COUNT, 32, 32), np.uint8), r"shape is \[12, 32, 32\]"),
    (np.zeros((COUNT, 28, 28, 3), np.uint8), r"shape is \[12, 28, 28, 3\]"),
    (np.zeros(28 * 28, np.uint8), r"shape is \[784\]"),
    (np.zeros((), np.uint8), r"shape is \[\]"),
    (np.zeros((COUNT, 28, 28), np.int64), "dtype is int64"),
    (np.zeros((COUNT, 28, 28), bool), "dtype is bool"),
    (np.empty((COUNT, 28, 28), object), "dtype is object"),
    (np.full((COUNT, 28, 28), np.nan), "NaN"),
    (np.full((COUNT, 28, 28), 255.0), "floats from 255 to 255"),
    (np.full((COUNT, 28, 28), -1.5), "floats from -1.5"),
    (np.asfortranarray(np.zeros((COUNT, 28, 28), np.uint8)), "Fortran"),
    (np.zeros((COUNT - 1, 28, 28), np.uint8), "11 images; needs 12"),
]


@pytest.mark.parametrize(("array", "message"), BAD_ARRAYS)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_an_array_that_is_not_taken_is_refused_with_the_reason(
    tmp_path: Path, array: np.ndarray, message: str, suffix: str
) -> None:
    path = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        save(path, array)
    else:
        np.savez(path, array)
    with pytest.raises(DataError, match=message) as raised:
        read(path, COUNT)
    assert str(path) in str(raised.value)


def huge(path: Path) -> None:
    """A header that promises 10^12 images and no pixels."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 28, 28), }".ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


BAD_FILES = [
    ("x.npy", lambda path: path.write_bytes(b""), "not an NPY"),
    ("x.npy", lambda path: path.write_bytes(b"<html>404</html>"), "not an NPY"),
    ("x.npy", lambda path: path.write_bytes(b"\x93NUMPY\x09\x00rest"), "not an NPY"),
    ("x.npy", huge, "ends after 0 bytes"),
    ("x.npz", lambda path: path.write_bytes(b"PK\x03\x04 torn"), "can't be read"),
    ("x.npz", lambda path: np.savez(path, a=np.zeros(3), b=np.zeros(3)), "holds a.npy, b.npy"),
    ("x.npz", lambda path: zipfile.ZipFile(path, "w").close(), "holds nothing"),
    ("x.pt", lambda path: path.write_bytes(b"weights"), "takes .npy, .npz or a folder"),
    ("x.npy", lambda _: None, "no such file"),
]


@pytest.mark.parametrize(("name", "write", "message"), BAD_FILES)
def test_a_file_that_is_no_array_is_refused_with_the_reason(tmp_path: Path, name: str, write, message: str) -> None:
    write(tmp_path / name)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name, COUNT)


def test_a_compressed_array_larger_than_memory_is_read_only_as_far_as_asked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as file:
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 28, 28), }".ljust(117) + b"\n"
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(COUNT * 28 * 28))
    assert not read(tmp_path / "x.npz", COUNT).any()


def flipped(content: bytes) -> bytes:
    """Every bit of 30 compressed bytes turned over; the 60 before them are the member's header."""
    return content[:60] + bytes(255 - byte for byte in content[60:90]) + content[90:]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [flipped, cut])
def test_a_damaged_compressed_array_is_refused_by_name(tmp_path: Path, images: np.ndarray, damage) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, images=images // 64)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FormatError, match=r"x\.npz: can't be read"):
        read(path, COUNT)


BAD_PNGS = [
    (lambda path: Image.new("L", (448, 448)).save(path), "448 x 448 pixels"),
    (lambda path: Image.new("RGBA", (28, 28)).save(path), "mode RGBA"),
    (lambda path: path.write_bytes(b"no image"), "not a whole PNG"),
    (lambda path: path.write_bytes(bytes(200_000)), "200000 bytes"),
]


@pytest.mark.parametrize(("write", "message"), BAD_PNGS)
def test_a_png_that_is_not_taken_is_named(tmp_path: Path, write, message: str) -> None:
    for index in range(COUNT):
        Image.new("L", (28, 28)).save(tmp_path / f"{index:03d}.png")
    write(tmp_path / "007.png")
    with pytest.raises(FormatError, match=message) as raised:
        read(tmp_path, COUNT)
    assert "007.png" in str(raised.value)


def test_a_torn_png_is_named(tmp_path: Path, images: np.ndarray) -> None:
    Image.fromarray(images[0]).save(tmp_path / "0.png")
    (tmp_path / "0.png").write_bytes((tmp_path / "0.png").read_bytes()[:300])
    with pytest.raises(FormatError, match=r"0\.png: not a whole PNG"):
        read(tmp_path, 1)


def test_a_folder_with_too_few_png_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0 images; needs 12, the `evaluate.samples`"):
        read(tmp_path, COUNT)


def test_a_hair_below_zero_is_rounding_and_not_the_other_range(tmp_path: Path) -> None:
    images = np.linspace(0, 1, 10 * 784, dtype=np.float32).reshape(10, 28, 28)
    np.save(tmp_path / "exact.npy", images)
    images[0, 0, 0] = -1e-7
    np.save(tmp_path / "hair.npy", images)
    assert np.array_equal(read(tmp_path / "hair.npy", 10), read(tmp_path / "exact.npy", 10))


def test_a_range_that_is_neither_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "odd.npy", np.linspace(-0.2, 1, 784, dtype=np.float32).reshape(1, 28, 28))
    with pytest.raises(FormatError, match=r"floats from -0\.2 to 1, neither 0\.\.1 nor -1\.\.1"):
        read(tmp_path / "odd.npy", 1)
