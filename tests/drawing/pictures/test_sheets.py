import numpy as np
import pytest
from PIL import Image

from mnistgan.drawing.pictures import digits, sheets
from mnistgan.drawing.pictures.sheets import Panel, Row
from mnistgan.metrics.checks import DIGITS

SCALE = 2


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*shape, 28, 28), np.uint8)


def tile_of(picture: Image.Image, rows: int, columns: int, row: int, column: int) -> np.ndarray:
    """The tile, shrunk back, of a picture whose tiles end one margin above and left of its corner."""
    pitch = 28 * SCALE + sheets.SEAM
    top = picture.height - sheets.margin(SCALE) - rows * pitch + sheets.SEAM + row * pitch
    left = picture.width - sheets.margin(SCALE) - columns * pitch + sheets.SEAM + column * pitch
    enlarged = np.asarray(picture)[top : top + 28 * SCALE, left : left + 28 * SCALE]
    return enlarged[::SCALE, ::SCALE]


def test_each_tile_of_the_sample_grid_is_its_image() -> None:
    images = noise(256)
    picture = digits.samples(images, columns=16, scale=SCALE)
    for row, column in ((0, 0), (0, 15), (7, 3), (15, 15)):
        np.testing.assert_array_equal(tile_of(picture, 16, 16, row, column), images[row * 16 + column])


def test_the_strip_has_a_row_an_epoch_and_a_column_a_latent() -> None:
    by_epoch = {5: noise(12), 0: np.zeros((12, 28, 28), np.uint8)}
    picture = digits.progress(by_epoch, SCALE)
    assert not tile_of(picture, 2, 12, 0, 4).any()
    np.testing.assert_array_equal(tile_of(picture, 2, 12, 1, 4), by_epoch[5][4])


def test_a_walk_is_a_row() -> None:
    walks = noise(3, 5)
    picture = digits.interpolation(walks, SCALE)
    np.testing.assert_array_equal(tile_of(picture, 3, 5, 2, 4), walks[2, 4])


def test_the_right_half_of_real_beside_generated_is_generated() -> None:
    real, generated = noise(16), 255 - noise(16)
    picture = digits.real_and_generated(real, generated, 4, SCALE)
    np.testing.assert_array_equal(tile_of(picture, 4, 4, 3, 3), generated[15])
    np.testing.assert_array_equal(tile_of(picture, 4, 4, 3, 3), 255 - real[15])


def test_strips_of_a_class_stand_in_its_row_and_without_names_one_after_another() -> None:
    images, classes = noise(5, 3), np.array([1, 0, 1, 1, 0])
    picture = digits.strips(images, classes, ["a", "b"], "Title", "Caption.", SCALE)
    np.testing.assert_array_equal(tile_of(picture, 2, 3, 1, 2), images[3, 2])  # the last of the widest row
    unnamed = digits.strips(images, classes, [], "Title", "Caption.", SCALE)  # four strips a row
    np.testing.assert_array_equal(tile_of(digits.strips(images[:4], None, [], "", "", SCALE), 1, 3, 0, 0), images[3, 0])
    assert unnamed.height > digits.strips(images[:4], classes[:4], [], "Title", "Caption.", SCALE).height


def test_a_class_without_strips_has_an_empty_row() -> None:
    picture = digits.strips(noise(2, 2), np.array([0, 2]), ["a", "b", "c"], "", "", SCALE)
    assert (tile_of(picture, 3, 2, 1, 1) == 255).all()


def test_a_picture_grows_with_its_scale_and_its_rows() -> None:
    images = noise(32)
    small, large = (digits.samples(images, 8, scale) for scale in (2, 4))
    assert large.height > 1.9 * small.height
    assert digits.samples(images[:16], 8, 2).height == small.height - 2 * (56 + sheets.SEAM)


def test_rows_by_class_hold_the_first_of_each_digit_and_its_share() -> None:
    images = noise(40)
    read = np.arange(40) % 4
    rows = sheets.rows_by_class(images, read, DIGITS, columns=10)
    assert len(rows) == 10
    np.testing.assert_array_equal(rows[3].images, images[3::4])
    assert [part.strip() for part in rows[3].label.split()] == ["3", "25.0%"]
    assert not rows[3].note


def test_a_class_with_too_few_samples_or_none_says_so() -> None:
    read = np.array([0] * 1020 + [8] * 4)
    rows = sheets.rows_by_class(noise(1024), read, DIGITS, columns=16)
    assert rows[8].note == "only 4 of 1,024 samples"
    assert rows[1].note == "none of 1,024 samples"
    assert len(rows[1].images) == 0


def test_what_a_missing_class_says_is_drawn_where_its_images_would_be() -> None:
    images, read = noise(320), np.arange(320) % 10
    missing = np.where(read == 7, 1, read)
    row = tile_of(digits.by_class(images, missing, DIGITS, "digit", SCALE), 10, 16, 7, 0)
    assert row.max() == 255  # the page
    assert row.min() < 200  # letters
    sheet = digits.by_class(images, read, DIGITS, "digit", SCALE)
    np.testing.assert_array_equal(tile_of(sheet, 10, 16, 7, 1), images[17])


def test_a_caption_that_is_too_long_for_a_line_goes_on_below() -> None:
    panel = Panel([Row(noise(4))], 4)
    one, many = (sheets.Sheet().draw("t", words, [panel]) for words in ("word", "word " * 40))
    assert many.width == one.width
    assert many.height > one.height


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_same_arrays_give_the_same_pixels(scale: int) -> None:
    images = noise(16)
    assert digits.samples(images, 4, scale).tobytes() == digits.samples(images, 4, scale).tobytes()
