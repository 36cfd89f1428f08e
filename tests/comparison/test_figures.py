import json
import math
from pathlib import Path

import pytest

from mnistgan.comparison.figures import Figures
from mnistgan.errors import FormatError, PinsError
from mnistgan.metrics import catalog as metrics
from mnistgan.metrics.catalog import KNOWN, PRIMARY, Better, Scale, metrics_in, sampling_interval
from tests.comparison.made_up import COLLAPSED, PINS, figures, report

COMMITTED = json.loads((Path(__file__).resolve().parents[2] / "metrics" / "evaluation.json").read_text("utf-8"))


def test_every_number_has_its_dotted_name_in_the_files_order() -> None:
    found = Figures.of({"b": {"y": 1, "x": [2.5, 3]}, "a": 4, "pins": PINS, "word": "no number"}, "it")
    assert list(found.leaves.items()) == [("b.y", 1.0), ("b.x.0", 2.5), ("b.x.1", 3.0), ("a", 4.0)]


def test_null_is_nan_and_not_missing() -> None:
    assert math.isnan(figures(kid={"value": None}).leaves["kid.value"])


@pytest.mark.parametrize("content", [[], {"fid": {"value": 1.0}}, {"pins": PINS}, "text"])
def test_what_is_no_metrics_file_is_refused(content: object) -> None:
    with pytest.raises(FormatError, match="it"):
        Figures.of(content, "it")


def test_pins_that_are_none_are_refused() -> None:
    with pytest.raises(PinsError, match="expected 5 parts"):
        Figures.of(report(pins="abc"), "it")


@pytest.mark.parametrize(
    ("verdict", "findings"),
    [
        ("healthy", ("healthy",)),
        (COLLAPSED, ("collapsed",)),
        ("memorised: 20% (5% or less); collapsed: class 8", ("memorised", "collapsed")),
    ],
)
def test_a_verdict_is_read_by_the_word_that_each_of_its_parts_begins_with(
    verdict: str, findings: tuple[str, ...]
) -> None:
    assert figures(verdict=verdict).findings == findings


def test_a_dropped_class_or_a_fifth_repeated_tell_a_collapse_and_the_verdicts_stricter_word_does_not() -> None:
    assert not figures(verdict="collapsed: class 6 at 0.85 of its share (0.88 or more)").collapsed
    assert figures(verdict=None, classes={"dropped": 1}).collapsed
    assert figures(repetition={"value": 0.21}).collapsed
    assert not figures(repetition={"value": 0.2}).collapsed


def test_the_signature_is_that_of_the_figures_and_pins() -> None:
    assert figures(kid={"value": math.nan}).signature == figures(kid={"value": math.nan}).signature
    assert figures(27.5).signature != figures(27.6).signature
    assert figures().signature != figures(pins=PINS.replace("10000", "2000")).signature


def test_every_figure_of_the_committed_file_is_a_known_metric_or_goes_with_one() -> None:
    leaves = Figures.of(COMMITTED, "committed").leaves
    assert [name for name in leaves if name not in KNOWN and name not in metrics.COMPANIONS] == []


def test_every_known_metric_with_a_real_value_finds_it_in_the_committed_file() -> None:
    leaves = Figures.of(COMMITTED, "committed").leaves
    assert [m.name for m in metrics_in(leaves) if m.real is not None and m.real not in leaves] == []


def test_the_primary_metric_comes_first_and_no_companion_is_a_metric() -> None:
    names = [metric.name for metric in metrics_in(["kid.value", "kid.standard_error", "samples", PRIMARY, "fid.low"])]
    assert names == [PRIMARY, "kid.value"]


def test_a_new_metric_is_taken_up_with_no_known_direction() -> None:
    assert metrics_in(["sharpness.value"]) == [metrics.Metric("sharpness.value", "sharpness.value", Better.UNKNOWN)]


def test_a_short_name_means_the_value() -> None:
    assert metrics.find("coverage", ["coverage.value", "coverage.real"]) == KNOWN["coverage.value"]
    assert metrics.find("classes.dropped", ["classes.dropped"]) == KNOWN["classes.dropped"]
    assert metrics.find("converage", ["coverage.value"]) is None


def test_the_interval_of_the_sampling_is_found_however_it_is_written() -> None:
    leaves = figures().leaves
    fid = sampling_interval(KNOWN[PRIMARY], leaves)
    assert fid is not None
    assert (fid.low, fid.high) == (leaves["fid.low"], leaves["fid.high"])
    kid = sampling_interval(KNOWN["kid.value"], leaves)
    assert kid is not None
    assert (kid.low, kid.high) == pytest.approx((14.9 - 1.96 * 2.4, 14.9 + 1.96 * 2.4), abs=1e-3)
    copied = {"novelty_pixels.copied": 0.01, "novelty_pixels.copied_low": -0.02, "novelty_pixels.copied_high": 0.04}
    assert sampling_interval(KNOWN["novelty_pixels.copied"], copied) is not None
    assert sampling_interval(KNOWN["precision.value"], leaves) is None


def test_a_logarithm_that_there_is_not_is_nan() -> None:
    assert math.isnan(Scale.LOG.of(0.0))
    assert Scale.LOG.back(Scale.LOG.of(27.5)) == pytest.approx(27.5)
    assert Scale.LINEAR.of(-1.0) == Scale.LINEAR.back(-1.0) == -1.0
