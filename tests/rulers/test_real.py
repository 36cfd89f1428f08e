"""The sets of real images that floors and units are made of."""

import numpy as np
import pytest

from mnistgan.errors import MetricError
from mnistgan.metrics.rounding import rounded
from mnistgan.rulers.real import RealData, subset, without_class


def test_all_of_a_split_is_that_split_in_its_order() -> None:
    assert np.array_equal(subset(2000, 2000, "test"), np.arange(2000))


def test_a_subset_is_drawn_from_the_whole_split_and_is_the_same_each_time() -> None:
    found = subset(2000, 1000, "test")
    assert np.array_equal(found, subset(2000, 1000, "test"))
    assert len(set(found.tolist())) == 1000
    assert 400 < np.count_nonzero(found < 1000) < 600


def test_more_images_than_a_split_has_are_refused() -> None:
    with pytest.raises(MetricError, match="2001 samples, but 2000 test images"):
        subset(2000, 2001, "test")


@pytest.mark.parametrize("count", [1000, 2000])
def test_real_images_without_a_digit_are_validation_topped_up_from_train(small: RealData, count: int) -> None:
    found = without_class(small, count)
    validation = small.validation.images[small.validation.labels != 8]
    assert len(found) == count
    assert 8 not in found.labels
    assert np.array_equal(found.images[: len(validation)], validation[:count])


def test_figures_are_rounded_to_six_significant_digits_and_whole_numbers_are_left() -> None:
    value = {"a": 1234567.89, "b": {"c": np.float64(1.23456789e-5), "d": np.int64(12345678), "e": 0.0}, "f": "text"}
    assert rounded(value) == {"a": 1234570.0, "b": {"c": 1.23457e-5, "d": 12345678, "e": 0.0}, "f": "text"}
