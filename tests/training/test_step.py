import numpy as np
import pytest
import tensorflow as tf

from mnistgan.errors import TrainingError
from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps, scaled
from tests.specs import MNIST
from tests.training.tiny import tiny


@pytest.fixture
def steps(common, data):
    """Makes the steps of a training that has not begun."""
    return lambda seed=0: Steps(tiny, common, TrainingState.start(tiny, common, MNIST, 0), seed, data)


def test_images_are_scaled_as_the_article_scales_them():
    pixels = np.array([0, 255], np.uint8).reshape(1, 1, 2)
    assert scaled(pixels).numpy().ravel().tolist() == [-1, 1]


def test_several_steps_a_call_equal_one_step_a_call(steps):
    together, apart = steps(), steps()
    scalars = together.run(0, 4)
    assert np.array_equal(scalars, np.concatenate([apart.run(place, 1) for place in range(4)]))
    for one, other in zip(together.state.arrays().items(), apart.state.arrays().items(), strict=True):
        assert np.array_equal(one[1], other[1]), one[0]


def test_replicas_that_would_not_be_kept_alike_are_refused(steps):
    started, strategy = steps(), tf.distribute.MirroredStrategy(["cpu:0"])
    with strategy.scope(), pytest.raises(TrainingError, match=r"MirroredStrategy.*syncs nothing"):
        started.run(0, 1)
    with pytest.raises(TrainingError, match="syncs nothing"):
        strategy.run(started.run, (0, 1))


def test_the_last_batch_of_an_epoch_is_short(steps):
    last = steps()
    assert last.phases[0].steps_per_epoch == 6  # 90 images by 16
    assert np.isfinite(last.run(5, 1)).all()
    assert last.state.arrays()["seen/0"] == 10


def test_what_is_drawn_differs_by_stream_by_step_and_by_seed(steps):
    seeds = [
        tuple(of_seed.draw(stream, tf.constant(step, tf.int64)).numpy())
        for of_seed in (steps(seed=0), steps(seed=1))
        for stream in (0, 1, 3, 4, 9)
        for step in (0, 1)
    ]
    assert len(set(seeds)) == len(seeds)
    assert seeds[:4] == [(0, 0), (0, 1), (1, 0), (1, 1)]
