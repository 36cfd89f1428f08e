import numpy as np
import pytest
from scipy.stats import entropy

from mnistgan.errors import MetricError
from mnistgan.metrics.classifier_score import classifier_score, unsure, unsure_share


def random_probabilities(count=500):
    return np.random.default_rng(1).dirichlet(np.full(10, 0.2), size=count)


def test_sure_and_balanced_samples_score_the_number_of_classes():
    assert classifier_score(np.tile(np.eye(10), (7, 1))) == pytest.approx(10, rel=1e-12)


def test_samples_of_one_class_and_samples_of_no_class_score_one():
    assert classifier_score(np.tile(np.eye(10)[3], (20, 1))) == pytest.approx(1, rel=1e-12)
    assert classifier_score(np.full((20, 10), 0.1)) == pytest.approx(1, rel=1e-12)


def test_a_mixture_has_the_score_worked_out_by_hand():
    # Rows (1, 0) and (.5, .5): marginal (.75, .25). KL ln(4/3), and .5 ln(2/3) + .5 ln 2 = .5 ln(4/3).
    # exp of their mean: (4/3)^(3/4).
    assert classifier_score(np.array([[1, 0], [0.5, 0.5]])) == pytest.approx((4 / 3) ** 0.75, rel=1e-12)


def test_it_agrees_with_scipy_and_order_leaves_it():
    p = random_probabilities()
    expected = np.exp(np.mean([entropy(row, p.mean(axis=0)) for row in p]))
    assert classifier_score(p) == pytest.approx(expected, rel=1e-12)
    assert classifier_score(p[::-1]) == pytest.approx(expected, rel=1e-12)


def test_it_lies_between_one_and_the_number_of_classes_for_single_precision_too():
    assert 1 <= classifier_score(random_probabilities().astype(np.float32)) <= 10


def test_a_sample_is_unsure_below_the_threshold_and_sure_at_it():
    p = np.array([[0.9, 0.1], [0.89, 0.11], [0.5, 0.5], [0.0, 1.0]])
    np.testing.assert_array_equal(unsure(p), [False, True, True, False])
    assert unsure_share(p) == 0.5
    assert unsure_share(p, threshold=0.6) == 0.25


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.array([[2.0, -1.0]]), "values from -1"),
        (np.random.default_rng(0).normal(3, 1, size=(4, 10)), "apply softmax to logits first"),
        (np.full((3, 10), np.nan), "3 of 3 samples hold NaN"),
        (np.full(10, 0.1), r"got shape \[10\]"),
        (np.zeros((0, 10)), "got 0 samples"),
    ],
    ids=["negative", "logits", "NaN", "one row", "empty"],
)
def test_it_refuses_what_are_no_probabilities(probabilities, message):
    with pytest.raises(MetricError, match=message):
        classifier_score(probabilities)


def test_it_refuses_a_threshold_that_is_no_probability():
    with pytest.raises(MetricError, match=r"threshold: got 90; expected 0\.\.1"):
        unsure(random_probabilities(), threshold=90)
