import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc

from mnistgan.errors import MetricError
from mnistgan.metrics.manifold import expected_coverage, manifold


def draws(seed, count=400, dimension=8, mean=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(mean, scale, size=(count, dimension))


def values(found):
    return found.precision, found.recall, found.density, found.coverage


@pytest.mark.parametrize(
    ("count", "dimension", "mean", "scale", "k"),
    [(2000, 32, 0.1, 1.1, 5), (613, 4, 0.5, 0.7, 3), (37, 2, 0.0, 1.0, 1), (251, 16, 5.0, 1.0, 5)],
)
def test_the_counts_are_those_of_the_reference_package(count, dimension, mean, scale, k):
    generated, real = draws(1, count, dimension, mean, scale), draws(2, count, dimension)
    theirs = compute_prdc(real, generated, k)
    ours = manifold(generated, real, k)
    for name in ("precision", "recall", "coverage"):
        assert round(getattr(ours, name) * count) == round(theirs[name] * count), name
    assert round(ours.density * k * count) == round(theirs["density"] * k * count)


def test_points_on_a_line_have_the_values_worked_out_by_hand():
    # k = 1. Real 0, 1, 3, 7: radii 1, 1, 2, 4. Generated 0.5, 2.5, 100, 200: radii 2, 2, 97.5, 100.
    # 0.5 lies in the balls of 0 and 1 (distances .5 and .5; to 3 it is 2.5); 2.5 in those of 3 (.5), not of 1 (1.5) or
    # 7 (4.5). Precision 2/4, density (2 + 1) / 4, covered: 0, 1 and 3.
    # Recall: 0, 1 and 3 lie within 2 of 0.5 or 2.5; 7 is 6.5 and 4.5 from those, and 93 < 97.5 from 100: all 4.
    real, generated = np.array([[0.0], [1], [3], [7]]), np.array([[0.5], [2.5], [100], [200]])
    found = manifold(generated, real, k=1)
    assert values(found) == (0.5, 1.0, 0.75, 0.75)
    np.testing.assert_array_equal(found.covered, [True, True, True, False])


def test_a_sample_exactly_as_far_as_the_radius_lies_outside():
    # Real 0, 1: radii 1. Generated 2 and 9: 2 is 1 from the real 1, and so not nearer than its radius.
    assert manifold(np.array([[2.0], [9.0]]), np.array([[0.0], [1.0]]), k=1).precision == 0


def test_identical_sets_are_precise_recalled_covered_and_as_dense_as_k_allows():
    # In each ball: the centre itself and k - 1 strictly nearer neighbours, hence density k / k.
    real = draws(1)
    assert values(manifold(real, real)) == (1.0, 1.0, 1.0, 1.0)


def test_far_sets_have_nothing_in_common():
    assert values(manifold(draws(1, mean=100.0), draws(2))) == (0.0, 0.0, 0.0, 0.0)


def test_a_few_real_images_repeated_are_precise_but_neither_recalled_nor_covering():
    # 20 of 400 real samples, 20 times each: radii of the repeated are 0, so nothing real lies strictly within.
    real = draws(1)
    found = manifold(np.tile(real[:20], (20, 1)), real)
    assert found.precision == 1.0
    assert found.recall == 0.0
    assert found.coverage < 0.35


def test_generated_features_that_never_vary_recall_nothing():
    found = manifold(np.zeros((400, 8)), draws(1))
    assert found.recall == 0.0
    assert found.coverage == found.density * 5 / 400  # each real ball holds all of them or none


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.floats(1e-3, 1e3), offset=st.floats(-100, 100))
def test_order_scale_shift_and_rotation_leave_it(seed, factor, offset):
    x, y = draws(seed, 120, mean=0.3), draws(seed + 1, 120)
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    expected = values(manifold(x, y))
    assert values(manifold(rng.permutation(x), rng.permutation(y))) == expected
    assert values(manifold(x @ rotation * factor + offset, y @ rotation * factor + offset)) == expected


def test_the_expected_coverage_of_real_on_real_is_the_golden_number():
    # Uncovered if the 5 nearest of 9,999 real and 10,000 fresh samples are all real: 9999 9998 9997 9996 9995 over
    # 19999 19998 19997 19996 19995 = .0312. So .9688.
    assert expected_coverage(10_000, k=5) == pytest.approx(0.9688, abs=5e-5)
    # N = 2, k = 1: of the 1 other real and the 2 fresh, the nearest is real 1 time in 3.
    assert expected_coverage(2, k=1) == pytest.approx(2 / 3, rel=1e-12)


@pytest.mark.parametrize("dimension", [1, 5])
def test_real_on_real_coverage_has_its_expectation_whatever_the_distribution(dimension):
    rng = np.random.default_rng(4)
    found = [manifold(*rng.gamma(1.0, size=(2, 100, dimension))).coverage for _ in range(300)]
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(expected_coverage(100), abs=4 * error)


def test_progress_counts_three_passes():
    seen = []
    manifold(draws(1), draws(2), progress=lambda *call: seen.append(call))
    assert [(task, done) for task, done, total in seen if done == total] == [
        ("neighbours of real", 400),
        ("neighbours of generated", 400),
        ("precision, recall, density, coverage", 400),
    ]


@pytest.mark.parametrize(
    ("generated", "real", "k", "message"),
    [
        (draws(1, 399), draws(2), 5, "got 399 generated and 400 real samples; expected as many of each"),
        (draws(1, 5), draws(2, 5), 5, "k: got 5 for 5 samples; expected 1..4"),
        (draws(1), draws(2), 0, "k: got 0"),
        (draws(1), np.full((400, 8), 0.1), 5, "real: features never vary"),
        (np.full((400, 8), np.nan), draws(2), 5, "generated: 400 of 400 samples hold NaN"),
        (draws(1, dimension=3), draws(2), 5, "generated has 3 features, real has 8"),
    ],
    ids=["counts", "too few", "no k", "constant", "NaN", "dimensions"],
)
def test_it_refuses_what_has_no_manifold_and_says_why(generated, real, k, message):
    with pytest.raises(MetricError, match=message):
        manifold(generated, real, k)
