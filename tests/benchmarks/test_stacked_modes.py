from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import stacked_modes
from mnistgan.errors import UsageError
from tests.rows import asked, make


@pytest.mark.parametrize(
    ("shares", "draws", "expected"),
    [
        ([0.0, 1.0], 26_000, 1.0),  # one class, one mode
        ([0.5, 0.5], 1, 1.0),
        ([0.5, 0.5], 2, 1.875),  # 8 (1 - (7 / 8)^2)
        ([0.1] * 10, 26_000, 1000.0),  # each is missed with a chance of 0.999^26,000
        ([0.0, *[1 / 9] * 9], 26_000, 729.0),  # without one class
        ([0.9, 0.1], 1000, 7.631949),  # of 8, three at .009 and one at .001: 8 - 3 x .991^1000 - .999^1000
    ],
)
def test_modes_are_those_that_shares_let_expect(shares: list[float], draws: int, expected: float) -> None:
    assert stacked_modes.modes(shares, draws) == pytest.approx(expected, abs=1e-5)


def test_what_is_drawn_comes_to_the_same() -> None:
    shares, draws, rng = [0.7, 0.25, 0.05], 200, np.random.default_rng(0)
    seen = [len(np.unique(rng.choice(3, (draws, 3), p=shares), axis=0)) for _ in range(200)]
    assert stacked_modes.modes(shares, draws) == pytest.approx(np.mean(seen), abs=4 * np.std(seen) / 200**0.5)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    def write(shares: str, **more: Any) -> Path:
        folder = make(tmp_path, "mnist/gan-fast", 0, 2.0, classes={"divergence": 0.01, "expected": 0.0005}, **more)
        (folder / "metrics" / "classes.csv").write_text(f"class,share,prior\n{shares}")
        return folder

    return write


def test_a_run_is_told_beside_its_data(run: Callable[..., Path]) -> None:
    folder = run("0,1,0.5\n1,0,0.5\n")
    said = f"{folder}: 1.0 of 8 modes expected in 26,000 stacks (by the data's shares 8.0); KL 0.0300 nats"
    assert stacked_modes.worded(str(folder)).startswith(said)


def test_shares_that_were_asked_for_and_data_without_classes_are_refused(run: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="the asker's"):
        stacked_modes.worded(str(run("0,0.5,0.5\n1,0.5,0.5\n", as_asked=asked(0.9))))
    with pytest.raises(UsageError, match="no shares of classes"):
        stacked_modes.worded(str(run("")))
