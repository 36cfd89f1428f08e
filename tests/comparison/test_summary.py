import math

import pytest

from mnistgan.comparison.seeds import summarise
from tests.comparison.made_up import COLLAPSED, figures

FIDS = (math.exp(2.0), math.exp(2.2), math.exp(2.4))


def test_fid_is_averaged_by_its_logarithm_with_the_seeds_spread_and_students_interval() -> None:
    fid = summarise([figures(fid) for fid in FIDS])[0]
    assert (fid.name, fid.seeds) == ("log_fid", 3)
    assert fid.mean == pytest.approx(2.2)
    assert fid.deviation == pytest.approx(0.2)  # squares of -0.2, 0, 0.2 over 2
    assert fid.low is not None
    assert fid.high is not None
    # t for 2 degrees leaves 2.5% beyond 4.302653
    assert fid.high - fid.mean == pytest.approx(4.302653 * 0.2 / math.sqrt(3))
    assert fid.mean - fid.low == pytest.approx(fid.high - fid.mean)


def test_a_collapsed_seed_is_in_no_mean() -> None:
    collapsed = figures(400.0, verdict=COLLAPSED)
    assert summarise([*map(figures, FIDS), collapsed]) == summarise(list(map(figures, FIDS)))


def test_of_one_seed_there_is_a_mean_and_no_spread() -> None:
    fid = summarise([figures(FIDS[0])])[0]
    assert fid.mean == pytest.approx(2.0)
    assert (fid.deviation, fid.low, fid.high, fid.seeds) == (None, None, None, 1)


def test_a_metric_that_a_seed_lacks_or_has_as_nan_is_averaged_over_the_others() -> None:
    seeds = [figures(27.0, kid={"value": value}) for value in (1.0, 3.0, math.nan)]
    found = {one.name: one for one in summarise([*seeds, figures(27.0, kid=None)])}
    assert (found["kid"].mean, found["kid"].seeds) == (2.0, 2)
    assert found["log_fid"].seeds == 4


def test_seeds_that_all_collapsed_have_no_mean() -> None:
    assert summarise([figures(400.0, verdict=COLLAPSED)] * 2) == []
