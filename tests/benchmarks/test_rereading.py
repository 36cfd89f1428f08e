import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import rereading
from benchmarks.ending import BenchmarkError
from mnistgan.files import write_arrays


def test_an_epoch_is_read_at_the_first_checkpoint_that_has_seen_all_of_it() -> None:
    assert list(rereading.chosen([90, 110, 150, 199, 310, 420], of_epoch=100)) == [(1, 110), (3, 310), (4, 420)]


def test_weights_are_the_generators_alone_and_average_by_name(tmp_path: Path) -> None:
    for step, value in ((100, 1.0), (150, 4.0)):
        progress = np.array(json.dumps({"step": step, "looks": [{"epoch": 2, "step": 80}]}))
        named = {"generator/dense/kernel": np.full(3, value, np.float32), "discriminator/dense/bias": np.zeros(2)}
        named["progress"] = progress
        write_arrays(tmp_path / f"step_{step:09d}.npz", named)
    (tmp_path / "grid_000001.npz").touch()
    paths = rereading.steps_of(tmp_path)
    assert list(paths) == [100, 150]
    assert rereading.steps_per_epoch(paths[150]) == 40
    mean = rereading.mean([rereading.generator_weights(path) for path in paths.values()])
    assert mean.keys() == {"dense/kernel"}
    np.testing.assert_array_equal(mean["dense/kernel"], np.full(3, 2.5, np.float32))


def test_where_nothing_was_kept_it_says_how(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no checkpoint; `keep` links them"):
        rereading.steps_of(tmp_path)
