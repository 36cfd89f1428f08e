"""How often the overall verdict errs, and how often it sees what is there: counted on made-up seeds."""

import numpy as np
import pytest

from mnistgan.comparison.compare import Collapses, Verdict, judge
from mnistgan.comparison.differences import difference

PAIRS = 1_000
MOST_ERRORS = 71  # 5% of the pairs, and what chance adds to that once in a thousand
RECORDED = 5


def decided(seeds: int, collapse_rate: float = 0.0) -> int:
    """How many of so many equal pairs are called better or worse. Log FIDs are normal, of deviation 1."""
    draws = np.random.default_rng([seeds, round(100 * collapse_rate)])
    logs = draws.standard_normal((PAIRS, 2, seeds))
    kept = draws.random((PAIRS, 2, seeds)) >= collapse_rate
    recorded = draws.standard_normal((PAIRS, RECORDED)).tolist()
    count = 0
    for pair in range(PAIRS):
        a, b = ([float(v) for v in logs[pair, side][kept[pair, side]]] for side in (0, 1))
        collapses = Collapses(seeds - len(a), seeds, seeds - len(b), seeds)
        found = judge(difference(a, b, [a, b, recorded[pair]]), collapses)
        count += found in {Verdict.BETTER, Verdict.WORSE}
    return count


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_pairs_without_a_difference_are_called_different_once_in_twenty_at_most(seeds: int) -> None:
    assert decided(seeds) <= MOST_ERRORS


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_seeds_that_collapse_by_chance_add_no_errors(seeds: int, rate: float) -> None:
    assert decided(seeds, collapse_rate=rate) <= MOST_ERRORS
