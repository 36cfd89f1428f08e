import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistgan.drawing.report.axes import LARGEST, Axis

NUMBERS = st.floats(-LARGEST, LARGEST)


def test_an_axis_is_linear_in_the_value() -> None:
    axis = Axis(0.0, 10.0, 100.0, 300.0)
    assert [axis.place(value) for value in (0, 5, 10)] == [100, 200, 300]


def test_a_logarithmic_axis_gives_equal_factors_equal_lengths() -> None:
    axis = Axis(1.0, 100.0, 0.0, 200.0, log=True)
    assert [axis.place(value) for value in (1, 10, 100)] == [0, 100, 200]


def test_an_axis_may_run_downwards_as_heights_do() -> None:
    assert Axis(0.0, 1.0, 90.0, 10.0).place(0.25) == 70


def test_ticks_are_round_and_stand_at_their_values() -> None:
    axis = Axis(0.131, 0.138, 0.0, 100.0)
    ticks = axis.ticks(4)
    assert [tick.text for tick in ticks] == ["0.132", "0.134", "0.136", "0.138"]
    assert [tick.place for tick in ticks] == [axis.place(tick.value) for tick in ticks]


def test_ticks_of_a_logarithmic_axis_are_ones_twos_and_fives() -> None:
    assert [tick.text for tick in Axis(0.4, 6.0, 0.0, 1.0, log=True).ticks(5)] == ["0.5", "1", "2", "5"]
    assert [tick.text for tick in Axis(8.0, 8.9, 0.0, 1.0, log=True).ticks(5)] == ["8", "8.2", "8.4", "8.6", "8.8"]


def test_shares_are_written_in_percent() -> None:
    assert [tick.text for tick in Axis(0.08, 0.12, 0.0, 1.0).ticks(5, percent=True)] == [
        "8%",
        "9%",
        "10%",
        "11%",
        "12%",
    ]


@pytest.mark.parametrize("values", [[], [3.0], [0.0, 0.0], [math.nan, math.inf], [1e300, 2.0, 3.0], [5e-324, 1e-323]])
def test_what_has_no_extent_or_no_place_still_gives_an_axis(values: list[float]) -> None:
    axis = Axis.over(values, 0.0, 100.0)
    assert axis.low < axis.high
    assert len(axis.ticks()) >= 2


@given(st.lists(NUMBERS, min_size=1, max_size=6), st.booleans())
def test_every_value_stands_inside_its_axis(values: list[float], log: bool) -> None:
    axis = Axis.over(values, 0.0, 100.0, log)
    assert all(0 <= axis.place(value) <= 100 for value in values)
    assert all(0 <= tick.place <= 100 for tick in axis.ticks())
    assert len(axis.ticks(4)) <= 4


@given(st.lists(NUMBERS, min_size=2, max_size=6, unique=True))
def test_larger_values_never_stand_to_the_left(values: list[float]) -> None:
    axis = Axis.over(values, 0.0, 100.0)
    places = [axis.place(value) for value in sorted(values)]
    assert places == sorted(places)
