import numpy as np
import pytest

from mnistgan.errors import MetricError
from mnistgan.metrics.as_asked import as_asked, expected_divergence

ASKED = np.repeat(np.arange(10), 100)


def test_shares_are_those_counted_by_hand():
    # Of 100 sevens 20 are read as ones, of 100 fours 5 as nines: 975 of 1,000 as asked, the sevens least so.
    read = ASKED.copy()
    read[700:720], read[400:405] = 1, 9
    found = as_asked(read, ASKED)
    assert found.share.value == 0.975
    assert found.share.low < 0.975 < found.share.high
    assert (found.worst.name, found.worst.share) == ("7", 0.8)


def test_classes_that_are_not_heeded_are_read_as_asked_as_often_as_chance_has_it():
    shuffled = np.random.default_rng(0).permutation(ASKED)
    found = as_asked(shuffled, ASKED)
    assert found.share.low < 0.1 < found.share.high
    assert found.worst.share < 0.1


def test_order_leaves_it():
    read = np.where(np.arange(1000) % 7, ASKED, 3)
    order = np.random.default_rng(1).permutation(1000)
    assert as_asked(read[order], ASKED[order]) == as_asked(read, ASKED)


def test_real_images_all_read_right_diverge_by_nothing_and_of_two_classes_by_what_is_worked_out_by_hand():
    assert expected_divergence(ASKED, ASKED, np.full(10, 0.1)) == 0
    # Prior (1/2, 1/2); a quarter of the first class is read as the second: shares (3/8, 5/8).
    read, labels = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 0, 0, 1, 1])
    expected = 3 / 8 * np.log(3 / 4) + 5 / 8 * np.log(5 / 4)
    assert expected_divergence(read, labels, np.array([0.5, 0.5])) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("read", "message"), [(ASKED[:-1], "got 1000"), (ASKED + 1, "expected 0..9")])
def test_what_is_no_class_or_not_one_a_sample_is_refused(read, message):
    with pytest.raises(MetricError, match=message):
        as_asked(read, ASKED)
