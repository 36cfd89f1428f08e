from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from mnistgan.drawing.pictures import charts, encoding
from mnistgan.drawing.pictures.charts import Measure
from mnistgan.errors import FormatError
from mnistgan.families.contract import Chart
from mnistgan.metrics.catalog import Better
from mnistgan.metrics.checks import DIGITS

PRIOR = np.full(10, 0.1)
NAMED = (DIGITS, "digit", "MNIST")
BLUE, VERMILLION = (0, 114, 178), (213, 94, 0)


TWO = Chart("two", "Two", "", "nats", {"one": "the one", "other": "the other"}, levels=(1.0, 0.5), limits=(0, None))
ONE_LEVEL = Chart("two", "Two", "", "nats", {"one": "the one", "other": "the other"}, levels=(0.5,))


def training(rows: int = 20) -> dict[str, np.ndarray]:
    epoch = np.arange(1, rows + 1) / 4
    wave = 0.05 * np.sin(epoch)
    return {"epoch": epoch, "one": 0.9 + wave, "other": 1.2 + wave}


def measures() -> list[Measure]:
    return [
        Measure("FID", Better.LOWER, 7.3, 0.54, (7.0, 7.6)),
        Measure("KID", Better.LOWER, 0.012, -0.0001),
        Measure("coverage", Better.HIGHER, 0.8, 0.97),
        Measure("nothing", Better.NEAR, 0.0, 0.0),
        Measure("large", Better.LOWER, 12345.0, 2.0),
    ]


def pixels_of(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(picture) == colour).all(axis=2).sum())


def all_charts() -> list[Image.Image]:
    return [
        charts.curves(TWO, training()),
        charts.curves(ONE_LEVEL, training()),
        charts.class_histogram(PRIOR, PRIOR, 10_000, *NAMED),
        charts.metrics(measures(), 10_000),
    ]


def test_charts_are_large_enough_for_a_talk_and_draw_both_sides_in_colours_that_all_tell_apart() -> None:
    for chart in all_charts():
        assert chart.mode == "RGB"
        assert chart.width >= 1400
        assert pixels_of(chart, BLUE) > 500
        assert pixels_of(chart, VERMILLION) > 500


def test_the_same_numbers_give_the_same_bytes_whatever_the_users_settings_are() -> None:
    first = [encoding.png(chart, "") for chart in all_charts()]
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "yellow", "savefig.dpi": 37}):
        assert [encoding.png(chart, "") for chart in all_charts()] == first


def test_drawing_leaves_the_users_settings_as_they_were() -> None:
    with mpl.rc_context({"font.size": 30}):
        charts.curves(TWO, training())
        assert mpl.rcParams["font.size"] == 30


def test_other_numbers_give_another_picture() -> None:
    moved = PRIOR.copy()
    moved[:2] += 0.02, -0.02
    balanced, skewed = (charts.class_histogram(share, PRIOR, 10_000, *NAMED).tobytes() for share in (PRIOR, moved))
    assert balanced != skewed


def test_the_band_around_the_prior_narrows_with_the_number_of_samples() -> None:
    few, many = (charts.class_histogram(np.zeros(10), PRIOR, samples, *NAMED) for samples in (1_000, 10_000))
    grey = (204, 204, 204)  # the band over white
    assert pixels_of(few, grey) > 2 * pixels_of(many, grey) > 0


@pytest.mark.parametrize("rows", [0, 1])
def test_a_training_too_short_for_a_curve_is_still_drawn(rows: int) -> None:
    assert charts.curves(TWO, training(rows)).size == charts.curves(TWO, training()).size


def test_one_level_is_grey_and_those_of_each_line_have_its_colour() -> None:
    fixed = replace(TWO, limits=(0, 2))
    lines = [charts.curves(replace(fixed, levels=levels), training()) for levels in ((), (0.5,), (1.5, 0.5))]
    none, one, both = (pixels_of(picture, BLUE) for picture in lines)
    assert none == one < both


def test_a_column_that_the_curves_lack_is_named() -> None:
    with pytest.raises(FormatError, match=r"lacks the columns \['third'\]; has \['epoch', 'one', 'other'\]"):
        charts.curves(replace(TWO, lines={"third": ""}), training())


def test_a_picture_of_metrics_grows_with_their_number() -> None:
    one, five = (charts.metrics(measures()[:count], 1000) for count in (1, 5))
    assert five.height > one.height
