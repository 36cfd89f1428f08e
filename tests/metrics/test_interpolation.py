"""An even path is told from a jump."""

import numpy as np
import pytest

from mnistgan.errors import MetricError
from mnistgan.metrics.interpolation import interpolation


def path(*levels: int) -> np.ndarray:
    return np.stack([np.full((28, 28), level, np.uint8) for level in levels])


def test_even_steps_have_the_share_of_one_step() -> None:
    found = interpolation(path(0, 10, 20, 30, 40)[None])
    assert found.largest_step == pytest.approx(found.even)
    assert found.even == pytest.approx(1 / 4)


def test_one_jump_has_all_of_the_path() -> None:
    assert interpolation(path(0, 0, 0, 200, 200)[None]).largest_step == 1


def test_uneven_steps_have_the_share_worked_out_by_hand() -> None:
    paths = np.stack([path(0, 10, 40), path(0, 20, 40)])  # 30 of 40, and 20 of 40
    assert interpolation(paths).largest_step == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_a_path_that_never_moves_is_left_out_and_paths_that_never_move_have_no_step() -> None:
    still, moving = path(5, 5, 5), path(0, 10, 20)
    assert interpolation(np.stack([still, moving])).largest_step == pytest.approx(1 / 2)
    assert interpolation(still[None]).largest_step == 0


def test_a_lookup_table_jumps_where_a_blend_does_not() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    ends = rng.integers(0, 256, (20, 2, 28, 28)).astype(np.float64)
    along = np.linspace(0, 1, 12)
    blend = np.stack([ends[:, 0] * (1 - t) + ends[:, 1] * t for t in along], axis=1)
    lookup = np.stack([ends[:, round(t)] for t in along], axis=1)
    assert interpolation(np.rint(blend).astype(np.uint8)).largest_step == pytest.approx(1 / 11, rel=0.01)
    assert interpolation(lookup.astype(np.uint8)).largest_step == 1


@pytest.mark.parametrize("shape", [(3, 28, 28), (1, 2, 28, 28), (1, 3, 27, 28)])
def test_it_refuses_what_are_no_paths(shape: tuple[int, ...]) -> None:
    with pytest.raises(MetricError, match="got"):
        interpolation(np.zeros(shape, np.uint8))
