import json
from pathlib import Path

import numpy as np
import pytest

from mnistgan.drawing.pictures import tables
from mnistgan.drawing.pictures.charts import Measure
from mnistgan.errors import DataError, FormatError
from mnistgan.metrics.catalog import Better

PINS = "3f2a1c-91be00-77aa42-10000-1"
HEADER = "epoch,step,generator_loss,discriminator_loss,probability_real,probability_fake\n"


def classes(path: Path, digits: range) -> Path:
    path.write_text("class,share,prior\n" + "".join(f"{digit},0.1,0.1\n" for digit in digits))
    return path


def report(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_curves_are_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "training.csv"
    path.write_text(HEADER + "0.5,100,0.9,1.2,0.6,0.4\n1.0,200,0.8,1.3,0.5,0.5\n")
    training = tables.training(path)
    np.testing.assert_array_equal(training["epoch"], [0.5, 1.0])
    np.testing.assert_array_equal(training["probability_fake"], [0.4, 0.5])


def test_a_training_without_a_row_has_empty_curves(tmp_path: Path) -> None:
    path = tmp_path / "training.csv"
    path.write_text(HEADER)
    assert {len(column) for column in tables.training(path).values()} == {0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a CSV"),
        ("step\n1\n", "lacks the columns"),
        (HEADER + "0.5,100,lost,1.2,0.6,0.4\n", "holds what is no number"),
        (HEADER + "0.5,100,,1.2,0.6,0.4\n", "generator_loss holds a NaN"),
    ],
)
def test_curves_that_break_their_format_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "training.csv"
    path.write_text(content)
    with pytest.raises(FormatError, match=message):
        tables.training(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (tables.training, lambda path: tables.class_shares(path, 10), tables.metrics):
        with pytest.raises(DataError, match=r"none: no such file"):
            read(tmp_path / "none")


def test_class_shares_have_a_row_for_each_digit(tmp_path: Path) -> None:
    share, prior = tables.class_shares(classes(tmp_path / "classes.csv", range(10)), 10)
    assert share.shape == prior.shape == (10,)
    with pytest.raises(FormatError, match="should be 0 to 9 in order"):
        tables.class_shares(classes(tmp_path / "classes.csv", range(9)), 10)


def test_metrics_are_read_with_what_real_images_get_and_others_are_passed_over(tmp_path: Path) -> None:
    content = {
        "fid": {"value": 7.0, "low": 6.5, "high": 7.5, "floor": 0.5},
        "coverage": {"value": 0.8, "real": 0.97},
        "classes": {"divergence": 0.002, "expected": 0.0005},
        "novelty": {"excess": 0.1},
        "samples": 10000,
        "pins": PINS,
    }
    metrics = tables.metrics(report(tmp_path / "evaluation.json", content))
    assert metrics.samples == 10000
    assert metrics.measures == (
        Measure("FID", Better.LOWER, 7.0, 0.5, (6.5, 7.5)),
        Measure("class divergence (nats)", Better.LOWER, 0.002, 0.0005),
        Measure("coverage", Better.HIGHER, 0.8, 0.97),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "samples is None"),
        ({"samples": "many"}, "samples is 'many'"),
        ({"samples": 10, "fid": {"value": 1.0}}, "holds none of the metrics"),
        ({"samples": 10, "fid": {"value": 1.0, "floor": 0.5}}, "says not by what it was measured: pins 'None'"),
        (
            {"samples": 10, "fid": {"value": 1.0, "floor": 0.5}, "pins": PINS},
            "samples is 10, and its pins .* say 10000",
        ),
    ],
)
def test_a_report_without_samples_metrics_or_its_pins_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        tables.metrics(report(tmp_path / "evaluation.json", content))
