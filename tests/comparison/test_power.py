import math
import time
from pathlib import Path

import pytest
from scipy import stats

from mnistgan.comparison.differences import SeedsNeeded, SeedSpread, deviation_range, power, seeds_needed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "comparing.md"
# The difference, in standard deviations between seeds, that is seen four times in five.
DOCUMENTED = {2: 10.4, 3: 3.5, 4: 2.5, 5: 2.1, 6: 1.8, 8: 1.5, 10: 1.3}
ONE_SEED = 5.3  # a side, by a spread recorded from five


def test_the_page_documents_these_effects() -> None:
    rows = {
        line.split("|")[1].strip(): line.split("|")[2:-1]
        for line in PAGE.read_text("utf-8").splitlines()
        if "|" in line
    }
    assert [float(cell) for cell in rows["difference"]] == [ONE_SEED, *DOCUMENTED.values()]
    assert [int(cell.split(",")[0]) for cell in rows["seeds a side"]] == [1, *DOCUMENTED]


@pytest.mark.parametrize(("seeds", "effect"), DOCUMENTED.items())
def test_the_documented_effect_is_seen_four_times_in_five(seeds: int, effect: float) -> None:
    assert power(effect, seeds) == pytest.approx(0.8, abs=0.025)


def test_one_seed_a_side_sees_the_documented_effect_four_times_in_five() -> None:
    threshold, shift = stats.t.ppf(0.975, 4), ONE_SEED / math.sqrt(2)
    assert stats.nct.sf(threshold, 4, shift) + stats.nct.cdf(-threshold, 4, shift) == pytest.approx(0.8, abs=0.01)


def test_without_a_difference_the_power_is_welchs_error() -> None:
    assert power(0, 20) == pytest.approx(0.05, abs=0.001)
    assert power(0, 3) < 0.05  # so few seeds make it cautious


def test_fewer_seeds_are_needed_for_more_margin_and_for_less_spread() -> None:
    spread = SeedSpread(0.1, 4)
    assert seeds_needed(spread, 0.4).low <= seeds_needed(spread, 0.2).low  # type: ignore[operator]
    assert seeds_needed(SeedSpread(0.05, 4), 0.2).high < seeds_needed(spread, 0.2).high  # type: ignore[operator]


def test_the_range_is_that_of_the_deviations_80_percent_interval() -> None:
    low, high = deviation_range(SeedSpread(1.0, 4))
    assert (low, high) == pytest.approx((math.sqrt(4 / 7.779), math.sqrt(4 / 1.064)), rel=0.01)
    needed = seeds_needed(SeedSpread(1.0, 4), 3.0)
    assert needed.low is not None
    assert needed.high is not None
    assert power(3.0 / low, needed.low) >= 0.8 > power(3.0 / low, needed.low - 1)
    assert power(3.0 / high, needed.high) >= 0.8 > power(3.0 / high, needed.high - 1)


def test_the_number_is_capped_at_more_than_50() -> None:
    assert str(seeds_needed(SeedSpread(1.0, 4), 0.1)) == "> 50"
    assert str(seeds_needed(SeedSpread(1.0, 4), 0.7)) == "18 to > 50"


def test_what_is_there_is_taken_off_and_never_below_nothing() -> None:
    assert SeedsNeeded(3, 9).beyond(1) == SeedsNeeded(2, 8)
    assert SeedsNeeded(3, None).beyond(5) == SeedsNeeded(0, None)
    assert str(SeedsNeeded(2, 8)) == "2 to 8"
    assert str(SeedsNeeded(4, 4)) == "4"


def test_a_spread_of_nothing_needs_two_seeds() -> None:
    assert seeds_needed(SeedSpread(0.0, 4), 0.1) == SeedsNeeded(2, 2)


def test_planning_takes_no_noticeable_time() -> None:
    before = time.process_time()
    seeds_needed(SeedSpread(0.09, 4), 0.22)
    assert time.process_time() - before < 0.5
