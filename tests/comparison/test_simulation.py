"""How often the overall verdict errs, and how often it sees what is there: counted on made-up seeds."""

import numpy as np
import pytest

from mnistgan.comparison.compare import Collapses, Verdict, judge
from mnistgan.comparison.differences import difference, pooled
from tests.comparison.test_power import DOCUMENTED, ONE_SEED

PAIRS = 10_000
MOST_ERRORS = 569  # 5% of the pairs, and what chance adds to that once in a thousand
RECORDED = 5


def decided(seeds: int, effect: float = 0.0, collapse_rate: float = 0.0, pairs: int = PAIRS) -> int:
    """How many of so many pairs are called better or worse. Log FIDs are normal, of deviation 1."""
    draws = np.random.default_rng([seeds, round(100 * effect), round(100 * collapse_rate)])
    logs = draws.standard_normal((pairs, 2, seeds)) + np.array([[0.0], [effect]])
    kept = draws.random((pairs, 2, seeds)) >= collapse_rate
    spreads = [pooled([row]) for row in draws.standard_normal((pairs, RECORDED)).tolist()] if seeds == 1 else None
    count = 0
    for pair in range(pairs):
        a, b = ([float(v) for v in logs[pair, side][kept[pair, side]]] for side in (0, 1))
        collapses = Collapses(seeds - len(a), seeds, seeds - len(b), seeds)
        found = judge(difference(a, b, spreads[pair] if spreads else None), collapses)
        count += found in {Verdict.BETTER, Verdict.WORSE}
    return count


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_pairs_without_a_difference_are_called_different_once_in_twenty_at_most(seeds: int) -> None:
    assert decided(seeds) <= MOST_ERRORS


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_seeds_that_collapse_by_chance_add_no_errors(seeds: int, rate: float) -> None:
    assert decided(seeds, collapse_rate=rate, pairs=PAIRS) <= MOST_ERRORS


@pytest.mark.parametrize(
    ("seeds", "effect"), [(3, DOCUMENTED[3]), (5, DOCUMENTED[5]), (10, DOCUMENTED[10]), (1, ONE_SEED)]
)
def test_the_documented_effect_is_seen_four_times_in_five(seeds: int, effect: float) -> None:
    assert decided(seeds, effect, pairs=4000) / 4000 == pytest.approx(0.8, abs=0.03)
