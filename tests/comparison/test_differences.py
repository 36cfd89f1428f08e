import math

import numpy as np
import pytest
from scipy import stats

from mnistgan.comparison.differences import Difference, SeedSpread, alike, difference, fisher, holm, pooled, welch

A, B = [3.1, 3.4, 3.2], [3.9, 3.5, 4.1, 3.7, 3.3]


def test_welch_has_scipys_p_degrees_and_interval() -> None:
    found, expected = welch(A, B), stats.ttest_ind(B, A, equal_var=False)
    assert found is not None
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.degrees == pytest.approx(expected.df, rel=1e-12)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval()), rel=1e-8)


def test_welch_by_hand() -> None:
    # Means 2 and 7, variances 1 and 4 of three values: error sqrt(1/3 + 4/3), degrees 25/9 / (1/18 + 16/18).
    found = welch([1, 2, 3], [5, 7, 9])
    assert found is not None
    assert found.estimate == 5
    assert found.standard_error == pytest.approx(math.sqrt(5 / 3))
    assert found.degrees == pytest.approx(50 / 17)


RECORDED = [2.0, 2.1, 2.2, 2.3, 2.4]  # variance .025, of 4 degrees


def test_one_value_a_side_is_judged_by_the_recorded_spread_times_the_root_of_2() -> None:
    found = difference([3.0], [3.5], [[3.0], [3.5], RECORDED])
    assert found == Difference(0.5, pytest.approx(math.sqrt(2 * 0.025)), 4)


def test_one_value_against_three_takes_their_spread_and_the_recorded_together() -> None:
    # Variance .01 of 2 degrees beside .025 of 4: .02 of 6; of a mean of one and one of three, 4/3 of it.
    found = difference([3.0], [3.5, 3.6, 3.7], [[3.0], [3.5, 3.6, 3.7], RECORDED])
    assert found == Difference(pytest.approx(0.6), pytest.approx(math.sqrt(0.02 * 4 / 3)), 6)


def test_two_groups_without_a_record_are_judged_by_scipys_t_test_of_one_spread() -> None:
    found, expected = difference(A, B), stats.ttest_ind(B, A)
    assert found is not None
    assert (found.p, found.degrees) == pytest.approx((expected.pvalue, expected.df), rel=1e-9)


def test_a_factor_of_the_first_counts_with_its_square() -> None:
    found = difference([3.0], [3.5], [RECORDED], factor=2.0)
    assert found == Difference(-2.5, pytest.approx(math.sqrt(5 * 0.025)), 4)


def test_grossly_different_spreads_leave_groups_to_themselves_and_one_value_to_the_widest() -> None:
    wild = [0.0, 5.0, 10.0]
    assert difference(A, wild, [A, wild, RECORDED]) == welch(A, wild)
    assert difference([1.0], [2.0], [wild, RECORDED]) == Difference(1.0, pytest.approx(5 * math.sqrt(2)), 2, False)


@pytest.mark.parametrize("ratio", [0.1, 0.3, 1.0, 2.5, 3.2, 8.0])
def test_two_spreads_are_alike_unless_the_f_test_says_otherwise(ratio: float) -> None:
    one, other = [0.0, 1.0, 2.0, 3.0], [0.0, ratio, 2 * ratio, 3 * ratio, 4 * ratio]
    share = stats.f.cdf(np.var(one, ddof=1) / np.var(other, ddof=1), 3, 4)
    assert alike([one, other, [7.0]]) is bool(2 * min(share, 1 - share) >= 0.05 / 2)


@pytest.mark.parametrize(
    ("a", "b", "recorded"),
    [([1.0], [2.0], []), ([1.0], [2.0], [3.0, 3.0]), ([], [2.0], RECORDED), ([1, 1], [2, 2], [])],
    ids=["nothing recorded", "no spread", "an empty side", "groups that do not vary"],
)
def test_nothing_is_said_where_nothing_tells_what_chance_does(
    a: list[float], b: list[float], recorded: list[float]
) -> None:
    assert difference(a, b, [a, b, recorded]) is None


def test_the_pooled_spread_is_that_within_groups() -> None:
    # Variances 1 (two degrees) and 4 (two): their mean is 2.5. What lies between the groups does not count.
    assert pooled([[1, 2, 3], [105, 107, 109], [9]]) == SeedSpread(pytest.approx(math.sqrt(2.5)), 4)
    assert pooled([[1], [5]]) is None


@pytest.mark.parametrize(
    "table", [(5, 5, 0, 5), (0, 5, 5, 5), (1, 3, 2, 7), (0, 1, 1, 1), (4, 5, 0, 4), (0, 5, 0, 5), (3, 8, 3, 8)]
)
def test_fishers_test_is_scipys(table: tuple[int, int, int, int]) -> None:
    hits_a, of_a, hits_b, of_b = table
    expected = stats.fisher_exact([[hits_a, of_a - hits_a], [hits_b, of_b - hits_b]]).pvalue
    assert fisher(*table) == pytest.approx(expected, rel=1e-9)


def test_fishers_test_of_all_against_none_by_hand() -> None:
    assert fisher(5, 5, 0, 5) == pytest.approx(2 / math.comb(10, 5))


def test_holm_by_hand() -> None:
    # Sorted .01, .02, .03, .9 times 4, 3, 2, 1: .04, .06, .06 (never below the one before), .9.
    assert holm([0.02, 0.9, 0.01, 0.03]) == pytest.approx([0.06, 0.9, 0.04, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
