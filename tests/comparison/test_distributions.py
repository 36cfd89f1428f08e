import math

import pytest
from scipy import stats

from mnistgan.comparison.differences import quantile, two_sided

DEGREES = (1, 1.7, 2, 4, 9.3, 100)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("t", [0.0, 0.3, -1.0, 2.776, 40.0])
def test_the_probability_beyond_t_is_scipys(t: float, degrees: float) -> None:
    expected = 2 * stats.t.sf(abs(t), degrees)
    assert two_sided(t, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_with_one_degree_t_is_cauchys_and_half_lies_beyond_1() -> None:
    assert two_sided(1.0, 1) == pytest.approx(0.5, abs=1e-14)
    assert two_sided(math.tan(0.95 * math.pi / 2), 1) == pytest.approx(0.05, abs=1e-12)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("probability", [0.9, 0.95, 0.975, 0.9875])
def test_the_quantile_of_t_is_scipys(probability: float, degrees: float) -> None:
    assert quantile(probability, degrees) == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-9)
