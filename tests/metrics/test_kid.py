import numpy as np
import pytest

from mnistgan.errors import MetricError
from mnistgan.metrics.kid import kid


def draws(seed, count=60, dimension=5, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 1, size=(count, dimension))


def by_double_loop(x, y):
    """The U-statistic as the paper writes it."""

    def kernel(a, b):
        return (a @ b / len(a) + 1) ** 3

    n, m = len(x), len(y)
    xx = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


def test_it_equals_the_double_loop_over_pairs():
    x, y = draws(1), draws(2, count=47, mean=0.4)
    assert kid(x, y).value == pytest.approx(by_double_loop(x, y), rel=1e-10)


def test_it_equals_the_double_loop_across_the_edges_of_its_tiles():
    x, y = draws(1, count=301, dimension=2), draws(2, count=260, dimension=2)
    assert kid(x, y).value == pytest.approx(by_double_loop(x, y), rel=1e-8)


def test_two_points_repeated_against_two_have_the_value_worked_out_by_hand():
    # D = 1, x = 0, 1, 0, 1 and y = 2, 3, 2, 3: each of two blocks holds both points of either set.
    # xx, 12 ordered pairs: 8 of k(0, 1) = 1, 2 of k(0, 0) = 1, 2 of k(1, 1) = 8, together 26.
    # yy: 8 of k(2, 3) = 343, 2 of k(2, 2) = 125, 2 of k(3, 3) = 1000, together 4994.
    # xy: k(0, 2) = k(0, 3) = 1, k(1, 2) = 27, k(1, 3) = 64, mean 93 / 4.
    x, y = np.array([[0.0], [1], [0], [1]]), np.array([[2.0], [3], [2], [3]])
    found = kid(x, y, blocks=2)
    assert found.value == pytest.approx(26 / 12 + 4994 / 12 - 93 / 2, rel=1e-12)
    assert found.standard_error == pytest.approx(0, abs=1e-12)  # the blocks are alike


def test_it_is_zero_on_average_for_like_sets_and_falls_below_zero_unclipped():
    values = np.array([kid(draws(2 * i), draws(2 * i + 1)).value for i in range(300)])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))
    assert 0.2 < np.mean(values < 0) < 0.8


def test_its_standard_error_is_that_of_repeated_draws_away_from_zero():
    found = [kid(draws(2 * i, 400, mean=1.0), draws(2 * i + 1, 400)) for i in range(60)]
    spread = np.std([one.value for one in found])
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.35)


def test_order_and_rotation_leave_it():
    x, y = draws(1), draws(2, mean=0.4)
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert kid(rng.permutation(x), rng.permutation(y)).value == pytest.approx(kid(x, y).value, rel=1e-10)
    assert kid(x @ rotation, y @ rotation).value == pytest.approx(kid(x, y).value, rel=1e-10)


def test_features_that_never_vary_have_the_value_worked_out_by_hand():
    # All x = 0, all y = 1, D = 1: k(0, 0) = 1, k(1, 1) = 8, k(0, 1) = 1, so 1 + 8 - 2.
    assert kid(np.zeros((40, 1)), np.ones((40, 1))).value == pytest.approx(7.0, rel=1e-12)


def test_progress_ends_at_its_total():
    seen = []
    kid(draws(1), draws(2), progress=lambda *call: seen.append(call))
    assert seen[-1] == ("KID", 180, 180)


@pytest.mark.parametrize("blocks", [1, 31])
def test_it_refuses_blocks_that_hold_no_pair(blocks):
    with pytest.raises(MetricError, match=rf"blocks: got {blocks}; expected 2..30"):
        kid(draws(1), draws(2), blocks=blocks)


def test_it_refuses_nan_and_unlike_dimensions():
    with pytest.raises(MetricError, match="1 of 60 samples hold NaN"):
        kid(draws(1), np.where(np.arange(300).reshape(60, 5) == 7, np.nan, draws(2)))
    with pytest.raises(MetricError, match="generated has 5 features, real has 4"):
        kid(draws(1), draws(2, dimension=4))
