import numpy as np
import pytest

from mnistgan.families.latents import slerp


def test_a_walk_starts_and_ends_exactly_at_its_latents() -> None:
    start, end = np.random.default_rng(5).standard_normal((2, 100)).astype(np.float32)
    walk = slerp(start, end, 12)
    assert walk.shape == (12, 100)
    assert walk.dtype == np.float32
    np.testing.assert_array_equal(walk[0], start)
    np.testing.assert_array_equal(walk[-1], end)


def test_between_two_unit_vectors_the_walk_stays_on_the_circle_in_even_angles() -> None:
    walk = slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 4)
    angles = np.deg2rad([0, 30, 60, 90])
    np.testing.assert_allclose(walk, np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1e-6)


def test_a_walk_keeps_the_length_of_gaussian_latents_where_a_line_loses_it() -> None:
    start, end = np.random.default_rng(6).standard_normal((2, 100))
    middle = np.linalg.norm(slerp(start, end, 3)[1])
    assert middle == pytest.approx((np.linalg.norm(start) + np.linalg.norm(end)) / 2, rel=1e-5)
    assert np.linalg.norm((start + end) / 2) < 0.8 * middle


@pytest.mark.parametrize("end", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_where_no_single_circle_joins_them_the_walk_is_the_line(end: list[float]) -> None:
    walk = slerp(np.array([1.0, 0.0]), np.array(end), 3)
    np.testing.assert_allclose(walk[1], [(1 + end[0]) / 2, 0], atol=1e-6)
