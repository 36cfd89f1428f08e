import math

import pytest

from mnistgan.drawing.report import curves
from mnistgan.drawing.report.curves import Chart
from mnistgan.drawing.report.dots import Shares
from mnistgan.errors import FormatError

LOSS = Chart({"loss": ""}, "Loss", "nats")
SHORT = curves.parse("epoch,loss\n1,2.0\n2,1.0\n", "short")
LONG = curves.parse("epoch,loss\n1,2.0\n2,1.5\n4,0.5\n", "long")


def test_both_sides_are_drawn_on_the_same_axes() -> None:
    drawn = curves.draw(LOSS, SHORT, LONG)
    assert drawn
    by_letter = {line.letter: line for line in drawn.lines}
    assert by_letter["A"].points[0] == by_letter["B"].points[0]  # both are 2.0 at epoch 1
    assert by_letter["B"].points[-1][0] == curves.WIDTH - curves.RIGHT  # the longer training reaches the right edge
    assert by_letter["A"].points[-1][0] == (curves.LEFT + curves.WIDTH - curves.RIGHT) / 2


def test_what_is_drawn_is_said_too() -> None:
    drawn = curves.draw(LOSS, SHORT, LONG)
    assert drawn
    assert drawn.said == "A goes from 2 to 1 at epoch 2; B goes from 2 to 0.5 at epoch 4"


def test_names_of_curves_that_end_together_do_not_touch() -> None:
    drawn = curves.draw(LOSS, LONG, curves.parse("epoch,loss\n1,2.0\n4,0.51\n", "near"))
    assert drawn
    (_, first), (_, second) = (line.name_place for line in drawn.lines)
    assert abs(first - second) >= 12


def test_two_columns_of_each_side_are_told_apart_by_their_names() -> None:
    table = curves.parse("epoch,probability_real,probability_fake\n1,0.7,0.3\n2,0.8,0.2\n", "p")
    both = Chart({"probability_real": "real", "probability_fake": "fake"}, "D")
    drawn = curves.draw(both, table, table)
    assert drawn
    assert [line.name for line in drawn.lines] == ["A real", "B real", "A fake", "B fake"]


def test_a_point_that_is_no_number_is_left_out() -> None:
    drawn = curves.draw(LOSS, curves.parse("epoch,loss\n1,nan\n2,1.0\n3,inf\n4,\n", "gaps"), None)
    assert drawn
    assert [len(line.points) for line in drawn.lines] == [1]
    assert curves.draw(LOSS, curves.parse("epoch,other\n1,2\n", "other"), None) is None


def test_a_long_table_is_listed_by_rows_spread_over_it() -> None:
    table = curves.parse("epoch,loss\n" + "".join(f"{row},{row / 8}\n" for row in range(100)), "long")
    listed = curves.listing([LOSS], table)
    assert (listed.of, len(listed.rows)) == (100, curves.MOST_ROWS)
    assert [listed.rows[place][0].value for place in (0, -1)] == [0, 99]
    assert all(loss.value == epoch.value / 8 for epoch, loss in listed.rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "expected epoch"), ("step,loss\n1,2\n", "expected epoch"), ("epoch,loss\n1\n", "1 cells; expected 2")],
)
def test_what_is_no_table_of_epochs_is_refused_by_its_name(text: str, said: str) -> None:
    with pytest.raises(FormatError, match=f"curves.csv: .*{said}"):
        curves.parse(text, "curves.csv")


@pytest.mark.parametrize(
    "text",
    [
        "class,share\n0,0.1\n",
        "class,share,prior\n" + "".join(f"{digit},{digit},0.1\n" for digit in range(10)),
        "class,share,prior\n" + "".join(f"{digit},nan,0.1\n" for digit in range(10)),
        "class,share,prior\n" + "".join(f"{digit},much,0.1\n" for digit in range(10)),
    ],
)
def test_what_is_no_table_of_shares_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(FormatError, match=r"classes\.csv"):
        Shares.parse(text, "classes.csv")


def test_numbers_are_rounded_for_the_eye_and_whole_beside() -> None:
    number = curves.listing([LOSS], curves.parse("epoch,loss\n1,0.123456789\n", "x")).rows[0][1]
    assert (number.value, number.text) == (0.123456789, "0.1235")
    assert math.isnan(curves.parse("epoch,loss\n1,none\n", "x")["loss"][0])
