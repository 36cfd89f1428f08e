import math

import numpy as np
import pytest
from scipy import stats

from mnistgan.comparison.differences import SeedSpread
from mnistgan.comparison.power import ONE_SIDED, TWO_SIDED, plan, resampler, sees, simulate

LOG_FID = [math.log(fid) for fid in (1.74, 1.62, 1.84, 2.24, 1.69)]
MARGIN, HARM = math.log(1.25), math.log(1.5)


@pytest.mark.parametrize("point", [ONE_SIDED, TWO_SIDED])
@pytest.mark.parametrize(("recorded", "seeds"), [(4, 1), (4, 3), (0, 2), (0, 10)])
def test_what_is_seen_is_seen_four_times_in_five_by_scipys_noncentral_t(
    recorded: int, seeds: int, point: float
) -> None:
    degrees = recorded + 2 * (seeds - 1)
    shift = sees(0.1, recorded, seeds, point) / (0.1 * math.sqrt(2 / seeds))
    assert stats.nct.sf(stats.t.ppf(point, degrees), degrees, shift) == pytest.approx(0.8, abs=0.002)


def test_three_seeds_a_side_beside_five_recorded_see_two_and_a_quarter_deviations() -> None:
    # t of 8 degrees: 1.860 at 95%; and about 0.889 at 80%, times the root of 2/3.
    assert sees(1.0, 4, 3, ONE_SIDED) == pytest.approx((1.860 + 0.889) * math.sqrt(2 / 3), rel=0.01)


def test_a_plan_is_the_fewest_seeds_that_see_the_margin() -> None:
    spread = SeedSpread(0.1, 4)
    found = plan(spread, 4, MARGIN, 1)
    assert found.sees == sees(0.1, 4, found.seeds) <= MARGIN < sees(0.1, 4, found.seeds - 1)
    assert plan(spread, 4, MARGIN, 7).seeds == 7  # never fewer than there are
    assert plan(spread, 0, 99.0, 1).seeds == 2  # one a side has no spread of its own
    assert plan(spread, 4, 0.01, 1).is_short


def test_resampled_seeds_vary_as_the_recorded_ones_do() -> None:
    import random

    drawn = np.array(resampler(LOG_FID, random.Random(1))(20_000))
    assert abs(drawn.mean()) < 0.005
    assert drawn.std() == pytest.approx(np.std(LOG_FID, ddof=1), rel=0.02)


def test_simulated_groups_see_what_is_planned_and_are_seldom_wrong() -> None:
    found = simulate(LOG_FID, 3, MARGIN, HARM, pairs=1000)
    deviation = float(np.std(LOG_FID, ddof=1))
    assert found.worse == pytest.approx(sees(deviation, 4, 3, ONE_SIDED), rel=0.08)
    assert found.either == pytest.approx(sees(deviation, 4, 3), rel=0.08)
    assert found.false_worse <= 0.07  # 5%, and what chance adds to it once in five hundred
    assert found.false_either <= 0.07


def test_one_seed_a_side_passes_hardly_any_change_of_fifty_percent() -> None:
    assert simulate(LOG_FID, 1, MARGIN, HARM).passing <= 0.01
