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
    assert np.array_equal(read(save(tmp_path / "x.npy", images.reshape(shape)), COUNT).images, images)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [lambda x: x / 255.0, lambda x: x / 127.5 - 1.0])
def test_floats_in_0_to_1_or_minus_1_to_1_give_the_same_pixels(
    tmp_path: Path, images: np.ndarray, dtype, scale
) -> None:
    assert np.array_equal(read(save(tmp_path / "x.npy", scale(images).astype(dtype)), COUNT).images, images)


@pytest.mark.parametrize("arrays", [["images"], ["samples"], ["images", "labels"]])
def test_an_npz_gives_its_images_or_its_one_array(tmp_path: Path, images: np.ndarray, arrays: list[str]) -> None:
    named = {name: images if name != "labels" else np.zeros(COUNT) for name in arrays}
    np.savez_compressed(tmp_path / "x.npz", **named)
    assert np.array_equal(read(tmp_path / "x.npz", COUNT).images, images)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_folder_of_png_is_read_in_the_order_of_its_names(tmp_path: Path, images: np.ndarray, mode: str) -> None:
    for index in reversed(range(COUNT)):
        Image.fromarray(images[index]).convert(mode).save(tmp_path / f"{index:03d}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    assert np.array_equal(read(tmp_path, COUNT).images, images)


@pytest.fixture
def sorted_by_class() -> np.ndarray:
    """Ten of each class, of which every pixel tells which image it is."""
    return np.repeat(np.arange(0, 200, 2, dtype=np.uint8), 784).reshape(100, 28, 28)


def folder_of_png(path: Path, images: np.ndarray) -> Path:
    path.mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(path / f"{index:03d}.png")
    return path


def npz(path: Path, images: np.ndarray) -> Path:
    np.savez_compressed(path, images)
    return path


@pytest.mark.parametrize(("name", "write"), [("x.npy", save), ("x.npz", npz), ("x", folder_of_png)])
def test_of_more_images_than_asked_for_some_are_drawn_from_all_and_it_is_said(
    tmp_path: Path, sorted_by_class: np.ndarray, name: str, write
) -> None:
    path = write(tmp_path / name, sorted_by_class)
    found, again = read(path, 40), read(path, 40)
    drawn = found.images[:, 0, 0] // 2
    assert len(np.unique(drawn)) == 40
    assert len(np.unique(drawn // 10)) == 10  # the first 40 would be of four classes
    assert np.array_equal(found.images, again.images)
    assert found.drawn == "40 of 100 images, drawn by seed 0"


def test_as_many_images_as_asked_for_are_taken_in_their_order(tmp_path: Path, sorted_by_class: np.ndarray) -> None:
    found = read(save(tmp_path / "x.npy", sorted_by_class), 100)
    assert np.array_equal(found.images, sorted_by_class)
    assert found.drawn == "all 100 images"


def test_images_of_which_some_are_cut_off_are_refused_though_enough_are_left(
    tmp_path: Path, images: np.ndarray
) -> None:
    path = save(tmp_path / "x.npy", images)
    path.write_bytes(path.read_bytes()[: -5 * 28 * 28])
    with pytest.raises(FormatError, match="ends after 5,488 bytes of 12 images; expected 9,408"):
        read(path, COUNT - 5)


@pytest.mark.parametrize("dtype", [">f4", ">f8", "f2", "<f4"])
def test_floats_of_any_size_and_byte_order_give_the_same_pixels(tmp_path: Path, images: np.ndarray, dtype: str) -> None:
    assert np.array_equal(read(save(tmp_path / "x.npy", (images / 255).astype(dtype)), COUNT).images, images)


@pytest.mark.parametrize(("factor", "shift"), [(1 / 255, 0), (1 / 127.5, -1)])
def test_what_rounding_leaves_past_either_end_of_a_range_is_taken(
    tmp_path: Path, images: np.ndarray, factor: float, shift: float
) -> None:
    scaled = (images * factor + shift) * 1.000001
    assert np.array_equal(read(save(tmp_path / "x.npy", scaled), COUNT).images, images)


ODD = [
    (lambda images: images // 16, "no pixel is above 15 of 255"),
    (lambda images: images / 255 / 255, "no pixel is above 1 of 255"),
    (lambda images: np.zeros_like(images), "no pixel is above 0 of 255"),
    (lambda images: 255 - images // 3, "are they dark on light"),
]


@pytest.mark.parametrize(("change", "message"), ODD)
def test_pixels_that_are_likely_to_mean_something_else_are_measured_and_said(
    tmp_path: Path, images: np.ndarray, change, message: str
) -> None:
    assert read(save(tmp_path / "x.npy", images), COUNT).oddity is None
    assert message in str(read(save(tmp_path / "x.npy", change(images)), COUNT).oddity)


BAD_ARRAYS = [
    (np.zeros((COUNT, 32, 32), np.uint8), r"shape is \[12, 32, 32\]"),
    (np.zeros((COUNT, 28, 28, 3), np.uint8), r"shape is \[12, 28, 28, 3\]"),
    (np.zeros(28 * 28, np.uint8), r"shape is \[784\]"),
    (np.zeros((), np.uint8), r"shape is \[\]"),
    (np.zeros((COUNT, 28, 28), np.int64), "dtype is int64; .*; if they are 0..255, save images.astype"),
    (np.zeros((COUNT, 28, 28), bool), "dtype is bool"),
    (np.empty((COUNT, 28, 28), object), "dtype is object"),
    (np.full((COUNT, 28, 28), np.nan), "NaN"),
    (np.full((COUNT, 28, 28), 255.0), r"floats from 255.0 to 255.0; .*; if they are 0..255, save images.astype"),
    (np.full((COUNT, 28, 28), 1.02, np.float32), "floats from 1.02 to 1.02;"),
    (np.eye(28, dtype=np.uint8)[None].repeat(COUNT, 0), r"holds only 0 and 1, .*; save images \* 255"),
    (np.zeros((COUNT, 784), np.uint8), r"shape is \[12, 784\]; .*; save images.reshape"),
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
    ("x.npy", huge, "1,000,000,000,000 images; takes 10,000,000 at most"),
    (
        "x.npy",
        lambda path: path.write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 30_000),
        "not an NPY array: EOF",
    ),
    ("x.npy", lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\xff\x2f" + b" " * 30_000), "a header far too long"),
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


def test_a_compressed_array_that_promises_more_than_it_has_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as file:
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 28, 28), }".ljust(117) + b"\n"
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(COUNT * 28 * 28))
    with pytest.raises(FormatError, match="ends after 9,408 bytes of 1,000,000 images; expected 784,000,000"):
        read(tmp_path / "x.npz", COUNT)


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
    (lambda path: Image.new("RGBA", (28, 28)).quantize().save(path), "mode P"),
    (lambda path: Image.new("I;16", (28, 28)).save(path), "mode I;16"),
    (lambda path: Image.new("L", (28, 28)).save(path, transparency=0), "mode L with transparency"),
    (
        lambda path: Image.new("L", (28, 28)).save(path, save_all=True, append_images=[Image.new("L", (28, 28), 9)]),
        "anim",
    ),
    (lambda path: path.symlink_to("nowhere.png"), "no such file: the link leads nowhere"),
    (lambda path: path.write_bytes(b"no image"), "not a whole PNG"),
    (lambda path: path.write_bytes(bytes(200_000)), "200000 bytes"),
]


@pytest.mark.parametrize(("write", "message"), BAD_PNGS)
def test_a_png_that_is_not_taken_is_named(tmp_path: Path, write, message: str) -> None:
    for index in range(COUNT):
        Image.new("L", (28, 28)).save(tmp_path / f"{index:03d}.png")
    (tmp_path / "007.png").unlink()
    write(tmp_path / "007.png")
    with pytest.raises(DataError, match=message) as raised:
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
    assert np.array_equal(read(tmp_path / "hair.npy", 10).images, read(tmp_path / "exact.npy", 10).images)


def test_a_range_that_is_neither_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "odd.npy", np.linspace(-0.2, 1, 784, dtype=np.float32).reshape(1, 28, 28))
    with pytest.raises(FormatError, match=r"floats from -0\.2 to 1\.0, neither 0\.\.1 nor -1\.\.1"):
        read(tmp_path / "odd.npy", 1)
