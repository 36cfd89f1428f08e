"""What looks say: the best one, a collapse over several, and the table they are kept in."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnistgan.errors import FormatError
from mnistgan.metrics.class_balance import class_balance
from mnistgan.metrics.looks import (
    COLLAPSED_LOOKS,
    COLUMNS,
    Collapse,
    Look,
    best,
    divergence_without,
    parse,
    table,
)

ROOT = Path(__file__).resolve().parents[2]
HEALTHY = Look(
    epoch=1,
    step=100,
    fid=8.25,
    fid_pixels=1.5,
    class_divergence=0.004,
    missing_class=0.0947,
    smallest_ratio=0.83,
    dropped=0,
    dropped_classes="",
    coverage=0.91,
    repetition=0.02,
)
COLLAPSED = replace(HEALTHY, dropped=2, dropped_classes="4 9", class_divergence=0.31)


def looks(pattern):
    """Looks at epochs 1, 2, ...: collapsed where the pattern has an x."""
    kinds = [COLLAPSED if mark == "x" else HEALTHY for mark in pattern]
    return [replace(look, epoch=epoch, step=100 * epoch) for epoch, look in enumerate(kinds, start=1)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"class_divergence": 0.0947}, []),
        ({"class_divergence": 0.0948}, ["class divergence 0.095 nats (a missing class: 0.095)"]),
        ({"dropped": 1, "dropped_classes": "0"}, ["class 0 nearly gone (1 of 10)"]),
        ({"repetition": 0.209}, []),
        ({"repetition": 0.21}, ["21% of samples repeat (real images: 1%)"]),
        ({"fid": 900.0, "coverage": 0.0}, []),
    ],
)
def test_a_look_is_collapsed_by_its_classes_or_its_repetition_and_says_by_which(changes, said):
    look = replace(HEALTHY, **changes)
    assert look.evidence() == said
    assert look.is_collapsed == bool(said)


@pytest.mark.parametrize(
    ("pattern", "when"),
    [
        ("", None),
        ("..", None),
        (".xx", None),
        ("xx.xx", None),
        ("..xxx", "from epoch 3"),
        ("xxxxx", "from epoch 1"),
        (".xxx.", "epochs 2 to 4, then no more"),
        ("xxx.xx", "epochs 1 to 3, then no more"),
        ("xxx.xxxx", "from epoch 5"),
    ],
)
def test_three_collapsed_looks_in_a_row_are_a_collapse_and_two_are_none(pattern, when):
    assert COLLAPSED_LOOKS == 3
    found = Collapse.of(looks(pattern))
    if when is None:
        assert found is None
    else:
        assert str(found) == (
            f"{when}: classes 4, 9 nearly gone (2 of 10), class divergence 0.310 nats (a missing class: 0.095)"
        )
        assert found.lasts == when.startswith("from")


def test_a_missing_digits_divergence_is_what_class_balance_gives_for_it():
    # 1000 samples that lack class 9, of prior 0.2, and draw the other nine as often as one another.
    prior = np.array([0.8 / 9] * 9 + [0.2])
    samples = np.repeat(np.arange(9), 1000)
    assert divergence_without(0.2) == pytest.approx(class_balance(samples, prior).divergence)
    assert divergence_without(0.2) == pytest.approx(np.log(1.25))


def test_where_there_is_one_class_alone_none_can_be_missing():
    assert divergence_without(1.0) == np.inf


def test_the_best_look_has_the_lowest_fid_and_is_the_first_of_equals():
    found = [replace(HEALTHY, epoch=epoch, fid=fid) for epoch, fid in enumerate((9.0, 6.5, 7.0, 6.5), start=1)]
    assert best(found).epoch == 2
    assert best([]) is None


def test_a_table_gives_back_the_looks_that_it_was_made_of():
    kept = [*looks("x."), replace(HEALTHY, dropped=1, dropped_classes="0", fid=1.23457e-05, repetition=0.0)]
    text = table(kept)
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert parse(text) == kept
    assert parse(table([])) == []


def test_what_publishes_looks_loads_no_heavy_library():
    code = "import sys, pipeline.tracking.gathering; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "mnistgan" in loaded
    assert set(loaded) & {"numpy", "tensorflow", "keras", "pydantic", "pandas"} == set()


WHOLE = table(looks("x."))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with nothing; expected epoch, step, fid"),
        ("epoch,step\n1,2\n", "begins with epoch, step; expected epoch, step, fid"),
        (WHOLE[:-20], "line 3: 6 cells; expected 11"),
        (WHOLE.replace("8.25", "low", 1), "line 2: could not convert string to float: 'low'"),
        (WHOLE.replace("100", "1e2", 1), "line 2: invalid literal for int"),
        (WHOLE + "1,2,3\n", "line 4: 3 cells; expected 11"),
        (WHOLE + "x" * 200_000, "not a CSV: field larger than field limit"),
    ],
)
def test_text_that_is_no_table_of_looks_is_refused_with_its_line(text, message):
    with pytest.raises(FormatError, match=f"^metrics/looks.csv.*{message}"):
        parse(text)
