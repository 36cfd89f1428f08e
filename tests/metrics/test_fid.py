import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistgan.errors import MetricError
from mnistgan.metrics.fid import Gaussian, fid, fid_infinity, fid_interval, frechet_distance, gaussian


def draws(seed, count=300, dimension=6, mean=0.0, scale=1.0):
    """Correlated Gaussian features, the same mixing for every seed."""
    mixing = np.random.default_rng(99).normal(size=(dimension, dimension))
    return np.random.default_rng(seed).normal(size=(count, dimension)) @ mixing * scale + mean


def by_sqrtm(x, y):
    """The formula of the paper, through SciPy's matrix square root of the product."""
    sx, sy = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(sx @ sy)
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(sx) + np.trace(sy) - 2 * np.trace(root).real


def test_two_gaussians_with_diagonal_covariances_have_the_distance_worked_out_by_hand():
    # Commuting covariances: sum over axes of (m1 - m2)² + (s1 - s2)² with standard deviations s.
    # Axis 1: means 0 and 3, deviations 1 and 2: 9 + 1. Axis 2: means 1 and -1, deviations 3 and 3: 4 + 0.
    first = Gaussian(np.array([0.0, 1.0]), np.diag([1.0, 9.0]))
    second = Gaussian(np.array([3.0, -1.0]), np.diag([4.0, 9.0]))
    assert frechet_distance(first, second) == pytest.approx(14.0, rel=1e-12)


def test_two_gaussians_that_do_not_commute_have_the_distance_worked_out_by_hand():
    # S1 = [[2, 1], [1, 1]] and S2 = [[1, 1], [1, 2]]. The 2x2 root obeys tr(P^½)² = tr P + 2 sqrt(det P).
    # P = S1 S2 = [[3, 4], [2, 3]]: tr 6, det 1, so tr(P^½) = sqrt(8). Distance 3 + 3 - 2 sqrt(8).
    first = Gaussian(np.zeros(2), np.array([[2.0, 1.0], [1.0, 1.0]]))
    second = Gaussian(np.zeros(2), np.array([[1.0, 1.0], [1.0, 2.0]]))
    assert frechet_distance(first, second) == pytest.approx(6 - 2 * np.sqrt(8), rel=1e-12)


def test_the_gaussian_holds_the_sample_mean_and_the_unbiased_covariance():
    # Mean (2, 4); deviations (-2, 0), (0, -3), (2, 3): sums of products 8, 6, 18, each over 3 - 1.
    found = gaussian(np.array([[0, 4], [2, 1], [4, 7]]))
    np.testing.assert_allclose(found.mean, [2, 4])
    np.testing.assert_allclose(found.covariance, [[4, 3], [3, 9]])


def test_identical_sets_are_at_distance_zero_even_where_dimensions_are_missing():
    full = draws(0)
    flat = np.concatenate([full, full[:, :3], np.ones((len(full), 2))], axis=1)
    for values in (full, flat, full * 1e6, full * 1e-6):
        assert 0 <= fid(values, values) <= 1e-13 * np.trace(np.cov(values, rowvar=False))


def test_it_agrees_with_scipy_at_full_rank():
    x, y = draws(1, 400, 64), draws(2, 500, 64, mean=0.3, scale=1.2)
    assert fid(x, y) == pytest.approx(by_sqrtm(x, y), rel=1e-8)


@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")
def test_it_agrees_with_scipy_where_covariances_lack_dimensions():
    x, y = draws(1, 400, 40), draws(2, 400, 40, mean=0.1)
    x[:, 20:] = x[:, :20]  # rank 20 of 40
    y[:, 30:] = 0  # rank 30
    trace = np.trace(np.cov(x, rowvar=False)) + np.trace(np.cov(y, rowvar=False))
    assert fid(x, y) == pytest.approx(by_sqrtm(x, y), abs=1e-6 * trace)


def test_repeated_samples_of_too_few_kinds_keep_the_right_value():
    # Ten samples at -1 and ten at +1 on the first of 8 axes, all else zero, against the same on the second axis.
    # The covariances don't overlap, so the distance is tr S1 + tr S2, each 20 / 19.
    x, y = np.zeros((20, 8)), np.zeros((20, 8))
    x[:, 0] = y[:, 1] = np.tile([-1, 1], 10)
    assert fid(x, y) == pytest.approx(2 * 20 / 19, rel=1e-12)


def test_features_that_never_vary_leave_the_distance_of_means_and_the_other_spread():
    # A single point against S: |m1 - m2|² + tr S.
    black, real = np.full((300, 6), 2.0), draws(3)
    expected = np.sum((real.mean(0) - 2) ** 2) + np.trace(np.cov(real, rowvar=False))
    assert fid(black, real) == pytest.approx(expected, rel=1e-12)
    assert fid(black, black - 1) == pytest.approx(6.0, rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.floats(1e-3, 1e3), offset=st.floats(-50, 50))
def test_scaling_by_c_scales_it_by_c_squared_and_shifts_rotations_order_and_sides_leave_it(seed, factor, offset):
    x, y = draws(seed), draws(seed + 1, mean=0.5, scale=1.5)
    value = fid(x, y)
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert fid(factor * x, factor * y) == pytest.approx(factor**2 * value, rel=1e-9)
    assert fid(x + offset, y + offset) == pytest.approx(value, rel=1e-8)
    assert fid(x @ rotation, y @ rotation) == pytest.approx(value, rel=1e-9)
    assert fid(rng.permutation(x), rng.permutation(y)) == pytest.approx(value, rel=1e-9)
    assert fid(y, x) == pytest.approx(value, rel=1e-9)


def test_single_precision_features_give_the_value_of_double_precision():
    x, y = draws(1).astype(np.float32), draws(2).astype(np.float32)
    assert fid(x, y) == fid(x.astype(np.float64), y.astype(np.float64))


def test_the_jackknife_leaves_out_each_block_in_turn():
    x, y = draws(1, 105), draws(2)
    parts = np.array_split(np.arange(105), 10)
    others = np.array([fid(np.delete(x, part, axis=0), y) for part in parts])
    half = scipy.stats.t.ppf(0.975, 9) * np.sqrt(9 / 10 * np.sum((others - others.mean()) ** 2))
    found = fid_interval(x, y, blocks=10)
    assert found.value == pytest.approx(fid(x, y), rel=1e-12)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-3)
    assert (found.high + found.low) / 2 == pytest.approx(found.value, rel=1e-9)


@pytest.mark.parametrize("mean", [0.0, 0.3], ids=["at the floor", "off the floor"])
def test_the_interval_covers_the_mean_over_other_samples_93_to_99_times_in_a_hundred(mean):
    rng = np.random.default_rng(5)
    real = rng.normal(size=(600, 4))
    others = [fid(rng.normal(mean, 1, size=(600, 4)), real) for _ in range(1500)]
    truth = np.mean(others)
    intervals = [fid_interval(rng.normal(mean, 1, size=(600, 4)), real) for _ in range(400)]
    covered = np.mean([found.low <= truth <= found.high for found in intervals])
    assert 0.93 <= covered <= 0.99


def test_fid_infinity_takes_the_bias_of_the_number_of_samples_away():
    # N(0, I) against N(0.1, I) in 8 dimensions: 8 x 0.01 = 0.08 at N without end.
    rng = np.random.default_rng(6)
    real = rng.normal(0.1, 1, size=(100_000, 8))
    sets = [rng.normal(size=(500, 8)) for _ in range(30)]
    biased = np.array([fid(x, real) for x in sets])
    unbiased = np.array([fid_infinity(x, real) for x in sets])
    error = unbiased.std() / np.sqrt(len(sets))
    assert biased.mean() - 0.08 > 4 * error
    assert abs(unbiased.mean() - 0.08) < 3 * error


def test_progress_ends_at_its_total():
    seen = []
    fid_interval(draws(1), draws(2), progress=lambda *call: seen.append(call))
    fid_infinity(draws(1), draws(2), progress=lambda *call: seen.append(call))
    assert seen[19] == ("FID interval", 20, 20)
    assert seen[-1] == ("FID-infinity", 5, 5)


def broken(value):
    values = draws(1)
    values[7, 2] = value
    return values


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        (np.zeros((10, 2, 3)), r"generated: got shape \[10, 2, 3\]; expected features \[N, D\]"),
        (np.zeros((10, 0)), r"got shape \[10, 0\]"),
        (np.full((10, 6), "a"), "expected real numbers"),
        (draws(1, dimension=5), "generated has 5 features, real has 6"),
        (draws(1, count=6), "generated: got 6 samples of 6 features; .* 7 or more"),
        (broken(np.nan), "generated: 1 of 300 samples hold NaN"),
        (broken(np.inf), "generated: 1 of 300 samples hold NaN, infinite"),
        (broken(1e200), "absurd"),
    ],
    ids=["shape", "no features", "text", "dimension", "too few", "NaN", "infinite", "huge"],
)
def test_it_refuses_what_has_no_distance_and_says_why(generated, message):
    with pytest.raises(MetricError, match=message):
        fid(generated, draws(2))


def test_it_refuses_a_real_set_too_small_for_its_dimension():
    with pytest.raises(MetricError, match="real: got 6 samples of 6 features"):
        fid(draws(1), draws(2, count=6))


def test_it_refuses_gaussians_of_unlike_dimension():
    with pytest.raises(MetricError, match="Gaussians of 6 and 5 features"):
        frechet_distance(gaussian(draws(1)), gaussian(draws(1, dimension=5)))


@pytest.mark.parametrize("blocks", [9, 301])
def test_the_interval_refuses_blocks_that_cannot_be_cut(blocks):
    with pytest.raises(MetricError, match=rf"blocks: got {blocks}; expected 10..300"):
        fid_interval(draws(1), draws(2), blocks=blocks)


def test_interval_and_infinity_refuse_parts_too_small_for_the_dimension():
    with pytest.raises(MetricError, match="generated less one block: got 11 samples"):
        fid_interval(draws(1, count=13, dimension=12), draws(2, dimension=12), blocks=10)
    with pytest.raises(MetricError, match="generated, split in 5: got 6 samples"):
        fid_infinity(draws(1, count=34), draws(2))
