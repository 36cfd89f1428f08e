import numpy as np
import pytest
import tensorflow as tf

from mnistgan.families.dcgan.networks import generator
from mnistgan.training.state import Average
from mnistgan.training.step import Schedule


def test_the_learning_rate_rises_holds_and_falls_to_nothing():
    schedule = Schedule(peak=0.4, warmup_steps=4, decay_from=0.5, total_steps=20)
    rates = [float(schedule.at(tf.constant(now, tf.int64))) for now in (0, 3, 9, 10, 15, 20)]
    assert rates == pytest.approx([0.1, 0.4, 0.4, 0.4, 0.2, 0.0])


def test_a_rate_without_warmup_or_decay_is_constant():
    schedule = Schedule(peak=1e-4, warmup_steps=0, decay_from=1.0, total_steps=20)
    assert {float(schedule.at(tf.constant(now, tf.int64))) for now in range(20)} == {np.float32(1e-4)}


def test_the_average_follows_its_formula_by_hand():
    network = generator(0)
    average = Average(network, decay=0.3)
    weight = network.trainable_variables[0]
    first = weight.numpy()
    weight.assign(first + 1)
    average.update(tf.constant(0, tf.int64))  # keeps (1 + 0) / (10 + 0) = 0.1
    np.testing.assert_allclose(average.weights[0], first + 0.9, rtol=1e-5)
    average.update(tf.constant(1000, tf.int64))  # keeps the decay, 0.3: of the 0.1 still missing 0.03 is left
    np.testing.assert_allclose(average.weights[0], first + 0.97, rtol=1e-5)
