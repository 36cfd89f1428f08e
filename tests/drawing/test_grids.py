from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistgan.drawing import grids
from mnistgan.errors import DataError, FormatError


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)


def test_the_tile_at_row_r_and_column_c_is_image_r_times_columns_plus_c() -> None:
    some = images(12)
    grid = grids.tile(some, columns=4)
    assert grid.shape == (3 * 28, 4 * 28)
    for row in range(3):
        for column in range(4):
            tile = grid[row * 28 : (row + 1) * 28, column * 28 : (column + 1) * 28]
            np.testing.assert_array_equal(tile, some[row * 4 + column])


def test_a_last_row_that_is_not_full_ends_in_black() -> None:
    grid = grids.tile(images(5), columns=4)
    assert grid.shape == (56, 112)
    assert not grid[28:, 28:].any()


def test_cutting_a_grid_apart_gives_its_images_back() -> None:
    some = images(12)
    np.testing.assert_array_equal(grids.untile(grids.tile(some, columns=4)), some)


@pytest.mark.parametrize("shape", [(28, 30), (0, 28), (28, 28, 3)])
def test_pixels_that_are_no_grid_are_not_cut(shape: tuple[int, ...]) -> None:
    with pytest.raises(FormatError, match="multiples of 28"):
        grids.untile(np.zeros(shape, np.uint8))


def test_grids_are_found_by_epoch_in_rising_order_and_other_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("epoch_0010.png", "epoch_0002.png", "epoch_0000.png", "epoch_10000.png", "notes.txt", "epoch_3.png"):
        (tmp_path / name).touch()
    assert list(grids.by_epoch(tmp_path)) == [0, 2, 10, 10000]


def test_a_folder_without_grids_and_no_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no epoch_NNNN\.png"):
        grids.by_epoch(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        grids.by_epoch(tmp_path / "none")


def test_a_grid_is_read_as_its_pixels(tmp_path: Path) -> None:
    grid = grids.tile(images(256), columns=16)
    Image.fromarray(grid).save(tmp_path / "grid.png")
    np.testing.assert_array_equal(grids.read(tmp_path / "grid.png"), grid)


def test_a_grid_of_another_size_or_torn_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grid.png"
    Image.new("L", (448, 420)).save(path)
    with pytest.raises(FormatError, match="448 x 420 pixels; a grid has 448 x 448"):
        grids.read(path)
    Image.fromarray(grids.tile(images(256), columns=16)).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FormatError, match="not a whole PNG"):
        grids.read(path)
