from collections.abc import Sequence

import pytest

from mnistgan.drawing.evenly import evenly


@pytest.mark.parametrize(
    ("items", "most", "chosen"),
    [
        (range(6), 12, [0, 1, 2, 3, 4, 5]),
        ([0, 5, 10], 2, [0, 10]),
        ([7], 12, [7]),
        ([], 12, []),
        (range(0, 101, 5), 5, [0, 25, 50, 75, 100]),
    ],
)
def test_items_are_spread_evenly_with_the_first_and_the_last(
    items: Sequence[int], most: int, chosen: list[int]
) -> None:
    assert evenly(items, most) == chosen


def test_a_long_series_never_gives_more_items_than_asked_nor_one_twice() -> None:
    for count in range(1, 200):
        chosen = evenly(range(count), 12)
        assert len(set(chosen)) == len(chosen) == min(count, 12)
        assert (chosen[0], chosen[-1]) == (0, count - 1)
