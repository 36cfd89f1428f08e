import numpy as np
import pytest

from mnistgan.errors import MetricError
from mnistgan.metrics.repetition import repetition

CLASSES = ("left", "right")


def cloud(seed, count=4000):
    """Two classes of features, one spread three times as wide as the other: features [N, 4], labels [N]."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    return rng.normal(size=(count, 4)) * (1 + 2 * labels[:, None]) + 100 * labels[:, None], labels


REAL, REAL_LABELS = cloud(1)


def test_fresh_real_data_repeats_one_time_in_a_hundred():
    shares = [repetition(*cloud(seed), REAL, REAL_LABELS, CLASSES).share for seed in range(2, 8)]
    assert np.mean(shares) == pytest.approx(0.01, abs=0.004)


def test_the_real_data_itself_repeats_just_below_the_first_percentile():
    found = repetition(REAL, REAL_LABELS, REAL, REAL_LABELS, CLASSES)
    assert found.share == pytest.approx(0.01, abs=0.001)
    assert found.expected == 0.01


def test_a_hundred_samples_repeated_are_seen_whole():
    samples, labels = cloud(2)
    found = repetition(np.tile(samples[:100], (40, 1)), np.tile(labels[:100], 40), REAL, REAL_LABELS, CLASSES)
    assert found.share == 1.0
    np.testing.assert_array_equal(found.by_class, [1.0, 1.0])


def test_repeats_with_a_little_noise_are_seen_as_well():
    samples, labels = cloud(2)
    noise = np.random.default_rng(3).normal(0, 0.01, size=samples.shape)
    found = repetition(np.tile(samples[:100], (40, 1)) + noise, np.tile(labels[:100], 40), REAL, REAL_LABELS, CLASSES)
    assert found.share > 0.99


def test_a_fifth_of_the_samples_repeated_shows_in_their_class_alone():
    samples, labels = cloud(2)
    of_left = np.flatnonzero(labels == 0)
    samples[of_left[:800]] = samples[of_left[800:840]].repeat(20, axis=0)
    found = repetition(samples, labels, REAL, REAL_LABELS, CLASSES)
    assert found.worst.name == "left"
    assert found.worst.share == pytest.approx(0.42, abs=0.02)  # 840 of 2,000
    assert found.by_class[1] < 0.03
    assert found.share == pytest.approx(np.mean(found.by_class))


def test_a_class_without_samples_has_no_share_and_one_alone_repeats_nothing():
    samples, labels = cloud(2)
    left = samples[labels == 0]
    found = repetition(left, np.zeros(len(left), int), REAL, REAL_LABELS, CLASSES)
    assert np.isnan(found.by_class[1])
    alone = repetition(samples[:3], labels[:3], REAL, REAL_LABELS, CLASSES)  # left, right, left
    assert alone.by_class[1] == 0


def test_order_and_scale_leave_it():
    samples, labels = cloud(2)
    order = np.random.default_rng(4).permutation(len(samples))
    expected = repetition(samples, labels, REAL, REAL_LABELS, CLASSES)
    assert repetition(samples[order], labels[order], REAL, REAL_LABELS, CLASSES).share == expected.share
    assert repetition(samples * 4, labels, REAL * 4, REAL_LABELS, CLASSES).share == expected.share


def test_it_refuses_too_few_or_repeated_real_samples_and_labels_that_do_not_fit():
    samples, labels = cloud(2)
    with pytest.raises(MetricError, match="real: got 99 samples of class left; expected 100 or more"):
        repetition(samples, labels, REAL[:198], REAL_LABELS[:198], CLASSES)
    with pytest.raises(MetricError, match="samples of class left repeat one another"):
        repetition(samples, labels, np.ones_like(REAL), REAL_LABELS, CLASSES)
    with pytest.raises(MetricError, match="labels: got 10; expected one for each of the 4000 samples"):
        repetition(samples, labels[:10], REAL, REAL_LABELS, CLASSES)
    with pytest.raises(MetricError, match=r"real_labels: got 0\.\.2; expected 0\.\.1"):
        repetition(samples, labels, REAL, np.arange(4000) % 3, CLASSES)
