import math

import pytest
from scipy import stats

from mnistgan.comparison.differences import Difference, SeedSpread, difference, fisher, holm, pooled, welch

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


def test_one_value_a_side_is_judged_by_the_recorded_spread_times_the_root_of_2() -> None:
    assert difference([3.0], [3.5], SeedSpread(0.1, 4)) == Difference(0.5, pytest.approx(0.1 * math.sqrt(2)), 4)


def test_one_value_against_three_takes_the_recorded_spread_of_both_means() -> None:
    found = difference([3.0], [3.5, 3.6, 3.7], SeedSpread(0.1, 4))
    assert found == Difference(pytest.approx(0.6), pytest.approx(0.1 * math.sqrt(1 + 1 / 3)), 4)


def test_two_values_a_side_are_judged_by_themselves_whatever_was_recorded() -> None:
    assert difference(A, B, SeedSpread(99.0, 4)) == welch(A, B)


@pytest.mark.parametrize(
    ("a", "b", "spread"),
    [([1.0], [2.0], None), ([1.0], [2.0], SeedSpread(0.0, 4)), ([], [2.0], SeedSpread(1, 4)), ([1, 1], [2, 2], None)],
    ids=["nothing recorded", "no spread", "an empty side", "groups that do not vary"],
)
def test_nothing_is_said_where_nothing_tells_what_chance_does(
    a: list[float], b: list[float], spread: SeedSpread | None
) -> None:
    assert difference(a, b, spread) is None


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
