import numpy as np
import pytest
from scipy.stats import chi2, entropy

from mnistgan.errors import MetricError
from mnistgan.metrics.class_balance import (
    class_balance,
    class_prior,
    highest_share,
    lowest_share,
    shares_by_class,
)

UNIFORM = np.full(10, 0.1)


def labels_of(*counts):
    return np.repeat(np.arange(len(counts)), counts)


def test_the_prior_is_the_share_of_each_class():
    np.testing.assert_allclose(class_prior(labels_of(1, 3, 4), classes=3), [1 / 8, 3 / 8, 1 / 2])


def test_the_priors_own_shares_diverge_by_nothing():
    found = class_balance(labels_of(*[100] * 10), UNIFORM)
    assert found.divergence == pytest.approx(0, abs=1e-15)
    assert found.smallest_ratio == pytest.approx(1)
    assert found.dropped == ()


def test_one_class_halved_has_the_divergence_worked_out_by_hand():
    # Of ten equal classes one gives half its samples away to the other nine: shares .05 and nine times .95 / 9.
    # .05 ln .5 + .95 ln(.95 / .9) = .0167.
    counts = [1900] * 10
    counts[8] = 900
    found = class_balance(labels_of(*counts), UNIFORM)
    assert found.divergence == pytest.approx(0.05 * np.log(0.5) + 0.95 * np.log(0.95 / 0.9), rel=1e-12)
    assert (found.smallest, found.smallest_ratio) == ("8", pytest.approx(0.5))
    assert found.dropped == ()


def test_one_class_alone_diverges_by_the_log_of_its_prior_and_names_the_dropped():
    found = class_balance(np.full(1000, 1), UNIFORM)
    assert found.divergence == pytest.approx(np.log(10), rel=1e-12)
    assert found.dropped == ("0", "2", "3", "4", "5", "6", "7", "8", "9")
    assert found.smallest_ratio == 0


def test_a_class_that_only_failures_fall_into_counts_as_dropped():
    found = class_balance(labels_of(1000, 1000, 99, 1000), np.full(4, 0.25), names=("cat", "dog", "owl", "elk"))
    assert found.dropped == ()  # 99 of 775 expected
    found = class_balance(labels_of(1000, 1000, 70, 1000), np.full(4, 0.25), names=("cat", "dog", "owl", "elk"))
    assert found.dropped == ("owl",)  # 70 of 768 expected, less than a tenth
    assert found.smallest == "owl"


def test_it_agrees_with_scipy():
    prior = np.random.default_rng(1).dirichlet(np.full(10, 20.0))
    labels = np.random.default_rng(2).integers(10, size=5000)
    found = class_balance(labels, prior)
    assert found.divergence == pytest.approx(entropy(found.shares, prior), rel=1e-10)


def test_draws_from_the_prior_diverge_as_chi_squared_with_nine_degrees_has_it():
    rng = np.random.default_rng(3)
    prior = class_prior(labels_of(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949))
    found = [class_balance(rng.choice(10, size=2000, p=prior), prior) for _ in range(1500)]
    divergence = np.array([one.divergence for one in found])
    assert found[0].expected_divergence == pytest.approx(9 / 4000)
    error = np.sqrt(2 * 9 / 1500) / 4000  # chi-squared's variance is twice its degrees
    assert divergence.mean() == pytest.approx(9 / 4000, abs=4 * error)
    assert np.mean(2 * 2000 * divergence > chi2.ppf(0.95, 9)) == pytest.approx(0.05, abs=0.025)


def test_flags_are_averaged_in_each_class_and_an_absent_class_has_no_share():
    flags, labels = np.array([True, False, True, True]), np.array([0, 0, 2, 2])
    np.testing.assert_array_equal(shares_by_class(flags, labels, classes=3), [0.5, np.nan, 1.0])


def test_the_worst_class_is_found_from_either_side_and_absent_ones_are_passed_over():
    flags, labels = np.array([True, False, True, True]), np.array([4, 4, 7, 7])
    low, high = lowest_share(flags, labels), highest_share(flags, labels)
    assert (low.name, low.share) == ("4", 0.5)
    assert (high.name, high.share) == ("7", 1.0)


@pytest.mark.parametrize(
    ("labels", "prior", "message"),
    [
        (np.arange(10) * 1.0, UNIFORM, "expected whole numbers"),
        (np.full(1000, 10), UNIFORM, r"labels: got 10..10; expected 0..9"),
        (np.full(1000, -1), UNIFORM, r"got -1..-1"),
        (np.zeros(0, int), UNIFORM, "N of 1 or more"),
        (np.zeros(49, int), UNIFORM, "labels: got 49; expected 50 or more, 5 of each class"),
        (np.zeros(1000, int), np.full(9, 1 / 9), "expected 10 shares above 0"),
        (np.zeros(1000, int), np.full(10, 0.2), "that sum to 1"),
        (np.zeros(1000, int), np.array([0.0, 0.2, *UNIFORM[2:]]), "above 0"),
        (np.zeros(1000, int), np.full(10, np.nan), "above 0"),
    ],
)
def test_it_refuses_labels_and_priors_that_do_not_fit(labels, prior, message):
    with pytest.raises(MetricError, match=message):
        class_balance(labels, prior)


def test_it_refuses_a_prior_that_lacks_a_class_and_flags_that_do_not_fit():
    with pytest.raises(MetricError, match="no sample of class 1"):
        class_prior(np.array([0, 2]), classes=3)
    with pytest.raises(MetricError, match="labels: got 3; expected one for each of the 2 samples"):
        shares_by_class(np.array([True, False]), np.array([0, 1, 2]))
    with pytest.raises(MetricError, match="flags: got int64"):
        shares_by_class(np.array([1, 0]), np.array([0, 1]))
