import math

import pytest

from mnistgan.comparison.compare import compare
from mnistgan.drawing.report import dots
from mnistgan.drawing.report.dots import Dots, MetricRow, Shares
from tests.comparison.made_up import side


def rows(**of_b: object) -> dict[str, MetricRow]:
    found = compare(side("a", [27.0]), side("b", [54.0], **of_b))
    return {row.name: row for row in dots.metric_rows(found)}


def value_at(place: float, of: Dots, log: bool) -> float:
    """The value that a reader takes from a place, by the first tick and the last."""
    first, last = of.ticks[0], of.ticks[-1]
    share = (place - first.place) / (last.place - first.place)
    if log:
        return first.value * (last.value / first.value) ** share
    return first.value + (last.value - first.value) * share


@pytest.mark.parametrize(("name", "log"), [("fid", True), ("kid", False), ("precision", False)])
def test_every_mark_stands_where_its_number_says(name: str, log: bool) -> None:
    row = rows()[name]
    for mark, cell in ((row.dots.a, row.a), (row.dots.b, row.b)):
        assert mark
        assert cell.number
        assert value_at(mark.place, row.dots, log) == pytest.approx(cell.number.value, rel=2e-3)
        for place, number in ((mark.low, cell.low), (mark.high, cell.high)):
            assert (place is None) is (number is None)
            if place is not None and number is not None:
                assert value_at(place, row.dots, log) == pytest.approx(number.value, rel=5e-3)
    assert row.dots.real is not None
    assert row.real
    assert value_at(row.dots.real, row.dots, log) == pytest.approx(row.real.value, rel=2e-2)


def test_a_missing_digit_is_a_mark_and_a_unit_where_the_file_has_one() -> None:
    fid, kid = rows()["fid"], rows()["kid"]
    assert fid.missing_class
    assert fid.missing_class.value == 18.6
    assert fid.dots.missing_class is not None
    assert fid.a.relative
    assert fid.a.number
    assert fid.a.relative.value == fid.a.number.value / 18.6
    assert (kid.missing_class, kid.dots.missing_class, kid.a.relative) == (None, None, None)


def test_the_change_stands_apart_from_its_interval() -> None:
    found = compare(side("a", [27.0, 27.4, 26.5]), side("b", [54.0, 55.0, 53.2]))
    row = next(iter(dots.metric_rows(found)))
    assert row.change.startswith("+100")
    low, high = row.change_interval.split(" to ")
    assert (low[0], high[0], low[-1], high[-1]) == ("+", "+", "%", "%")


def test_what_is_missing_or_nan_has_no_mark() -> None:
    without = rows(precision=None, kid={"value": math.nan})
    assert (without["precision"].b.said, without["precision"].dots.b) == ("missing", None)
    assert without["precision"].dots.a is not None
    assert without["kid"].b.number
    assert without["kid"].b.number.text == "NaN"
    assert without["kid"].dots.b is None


def test_digits_share_one_axis_with_the_band_of_chance() -> None:
    even = Shares((0.1,) * 10, (0.1,) * 10)
    skewed = Shares((0.05, 0.15, *(0.1,) * 8), (0.1,) * 10)
    drawn = list(dots.share_rows(even, skewed, 10_000))
    assert len({row.dots.ticks for row in drawn}) == 1
    first = drawn[0].dots
    assert first.band
    half = 1.96 * math.sqrt(0.1 * 0.9 / 10_000)
    assert [value_at(place, first, log=False) for place in first.band] == pytest.approx([0.1 - half, 0.1 + half], 5e-3)
    assert [row.b.text for row in drawn[:2] if row.b] == ["5.0%", "15.0%"]


def test_without_shares_on_a_side_the_other_is_shown_alone() -> None:
    even = Shares((0.1,) * 10, (0.1,) * 10)
    assert [row.a for row in dots.share_rows(None, even, 0)] == [None] * 10
    assert list(dots.share_rows(None, None, 0)) == []
