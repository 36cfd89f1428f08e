import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from mnistgan.metrics.neighbours import kth_nearest, nearest, squared_distances, within
from mnistgan.progress import silent


def draws(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def test_blocks_of_distances_are_those_of_scipy_and_cover_every_row_once():
    x, y = draws(1, 601, 7), draws(2, 130, 7)
    found = np.full((601, 130), np.nan)
    for rows, block in squared_distances(x, y, silent, ""):
        assert len(block) <= 250
        found[rows] = block
    np.testing.assert_allclose(found, cdist(x, y, "sqeuclidean"), rtol=1e-10, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(2, 80), data=st.data(), kinds=st.integers(1, 80))
def test_the_kth_nearest_is_that_of_a_full_sort_also_where_points_repeat(seed, count, data, kinds):
    k = data.draw(st.integers(1, count - 1))
    points = draws(seed, kinds, 3)[np.random.default_rng(seed).integers(kinds, size=count)]
    expected = np.sort(cdist(points, points, "sqeuclidean"), axis=1)[:, k]
    np.testing.assert_allclose(kth_nearest(points, k), expected, rtol=1e-9, atol=1e-12)


def test_the_kth_nearest_keeps_its_precision_far_from_the_origin():
    points = draws(1, 300, 4)
    np.testing.assert_allclose(kth_nearest(points + 1e6, 3), kth_nearest(points, 3), rtol=1e-6)


def test_a_tie_is_not_within_and_neither_is_anything_within_zero():
    points = draws(1, 50, 3)
    distances = next(block.copy() for _, block in squared_distances(points, points, silent, ""))
    ties = distances < within(distances[:, 0].copy(), points)[:, None]
    assert not ties[:, 0].any()
    assert not (distances < within(np.zeros(50), points)[:, None]).any()


def test_the_nearest_is_the_one_nearest_to_any_variant():
    queries, references = draws(1, 150, 3, 8), draws(2, 5000, 8)
    distances = cdist(queries.reshape(-1, 8), references).reshape(150, 3, 5000).min(axis=1)
    np.testing.assert_array_equal(nearest(queries, references, silent, ""), distances.argmin(axis=1))


def test_the_first_of_equal_references_is_nearest():
    references = np.tile(draws(1, 1, 4), (5000, 1))
    assert not nearest(draws(2, 70, 1, 4), references, silent, "").any()


def test_a_query_far_away_still_finds_the_nearest_in_its_direction():
    references = np.eye(6)
    queries = 1e5 * np.eye(6)[:, None]
    np.testing.assert_array_equal(nearest(queries, references, silent, ""), np.arange(6))


def test_progress_counts_queries():
    seen = []
    nearest(draws(1, 300, 9, 4), draws(2, 9, 4), lambda *call: seen.append(call), "nearest")
    assert seen == [("nearest", 128, 300), ("nearest", 256, 300), ("nearest", 300, 300)]


@pytest.mark.parametrize("points", [np.ones((40, 3)), np.repeat(draws(3, 4, 3), 10, axis=0)])
def test_repeated_points_have_neighbours_at_distance_zero(points):
    assert (kth_nearest(points, 5) < 1e-12).all()
