import numpy as np
import pytest

from mnistgan.datasets.own.pictures import averaged, fitted
from mnistgan.errors import FormatError

RANDOM = np.random.default_rng(0).integers(0, 256, (3, 56, 84), dtype=np.uint8)


def test_areas_of_whole_pixels_are_their_plain_means():
    means = RANDOM.reshape(3, 28, 2, 28, 3).mean(axis=(2, 4))
    np.testing.assert_array_equal(averaged(RANDOM), np.floor(means + 0.5))


def test_a_pixel_that_lies_in_two_areas_counts_in_each_by_its_share():
    # 42 columns on 28: an area is one and a half, so the first has column 0 and half of column 1.
    columns = np.zeros((1, 28, 42), np.uint8)
    columns[:, :, 1] = 90
    np.testing.assert_array_equal(averaged(columns)[0, 0, :3], [30, 30, 0])  # 90 / 2 / 1.5


def test_averages_keep_the_mean_of_any_size():
    odd = np.random.default_rng(1).integers(0, 256, (1, 37, 91), dtype=np.uint8)
    assert abs(averaged(odd).mean() - odd.mean()) < 0.5  # of rounding


def test_cropping_takes_the_middle_square_and_averages_it():
    np.testing.assert_array_equal(fitted(RANDOM, "crop", "x"), averaged(RANDOM[:, :, 14:70]))


def test_padding_sets_a_small_picture_in_the_middle_of_0():
    padded = fitted(np.full((1, 20, 10), 7, np.uint8), "pad", "x")[0]
    assert padded.shape == (28, 28)
    np.testing.assert_array_equal(np.argwhere(padded)[[0, -1]], [[4, 9], [23, 18]])
    assert padded.sum() == 7 * 20 * 10


def test_padding_makes_a_large_picture_square_before_it_is_averaged():
    square = np.zeros((3, 84, 84), np.uint8)
    square[:, 14:70] = RANDOM
    np.testing.assert_array_equal(fitted(RANDOM, "pad", "x"), averaged(square))


@pytest.mark.parametrize("fit", ["none", "pad", "crop", "area"])
def test_what_has_28x28_pixels_stays_as_it_is(fit):
    images = RANDOM[:, :28, :28]
    np.testing.assert_array_equal(fitted(images, fit, "x"), images)


@pytest.mark.parametrize(
    ("shape", "fit", "said"),
    [
        ((28, 32), "none", r"x: 32 x 28 pixels; takes 28 x 28, or give --fit"),
        ((40, 20), "area", r"x: 20 x 40 pixels; --fit area enlarges nothing; --fit pad takes it"),
        ((20, 40), "crop", r"x: 40 x 20 pixels; --fit crop enlarges nothing; --fit pad takes it"),
    ],
)
def test_another_size_is_refused_where_no_fit_takes_it(shape, fit, said):
    with pytest.raises(FormatError, match=said):
        fitted(np.zeros((1, *shape), np.uint8), fit, "x")
