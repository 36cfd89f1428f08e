import numpy as np
import pytest
from scipy.stats import binomtest, t

from mnistgan.metrics.intervals import student, wilson


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (3, 10), (10, 10), (8333, 10000)])
def test_wilsons_interval_is_that_of_scipy(hits, count):
    found = wilson(hits / count, count)
    expected = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high], rtol=1e-9, atol=1e-12)
    assert found.value == hits / count


@pytest.mark.parametrize("degrees", [9, 19, 100])
def test_students_point_is_that_of_scipy(degrees):
    assert student(degrees) == pytest.approx(t.ppf(0.975, degrees), abs=4e-4)
