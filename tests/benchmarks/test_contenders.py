"""The article's loop and ours do the same work; a contender that fails is told of."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.alternating import Contender, alternate
from benchmarks.article_loop import ArticleLoop, make_discriminator, make_generator
from benchmarks.ending import BenchmarkError
from benchmarks.step_profile import BACKWARD, FORWARD, OTHER, Row, row_of, table
from mnistgan import params
from mnistgan.datasets.arrays import Images
from mnistgan.families.contract import Batch
from mnistgan.families.dcgan import family
from mnistgan.families.dcgan.step import NOISE
from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps, scaled
from pipeline.runtime import load_tensorflow
from pipeline.stage import PARAMS
from tests.specs import MNIST

load_tensorflow(verbose=False, threads=2)  # before any test starts it with other threads

BATCH = 8


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return Images(rng.integers(0, 256, (BATCH, 28, 28), np.uint8), rng.integers(0, 10, BATCH, np.uint8))


def test_the_networks_that_we_are_timed_against_are_the_articles():
    assert make_generator().count_params() == 2_330_944
    assert make_discriminator().count_params() == 212_865
    dropout = [layer.rate for layer in make_discriminator().layers if hasattr(layer, "rate")]
    slopes = {layer.negative_slope for layer in make_generator().layers if hasattr(layer, "negative_slope")}
    assert dropout == [0.3, 0.3]
    assert slopes == {0.3}


def test_a_step_of_the_articles_loop_and_one_of_ours_from_the_same_weights_and_latents_agree(images):
    recipe = params.load(PARAMS).recipes["article"].model_copy(update={"dropout": 0.0, "batch_size": BATCH})
    ours = Steps(family, recipe, TrainingState.start(family, recipe, MNIST, 0), 0, images)
    networks, adams = ours.state.parts.networks, ours.state.parts.optimizers
    theirs = ArticleLoop(BATCH, dropout=0.0)
    pairs = (
        (theirs.generator, networks["generator"], theirs.generator_adam, adams["generator"]),
        (theirs.discriminator, networks["discriminator"], theirs.discriminator_adam, adams["discriminator"]),
    )
    for their_network, our_network, _, _ in pairs:
        their_network.set_weights(our_network.get_weights())
    now, real = tf.constant(0, tf.int64), scaled(images.images)
    latents = tf.random.stateless_normal([BATCH, 100], ours.draw(NOISE, now), alg="philox")

    ours.train(Batch(real, tf.constant(images.labels.astype(np.int32))), now)
    theirs.update(real, latents)

    for their_network, our_network, their_adam, our_adam in pairs:
        # Adam's first moment is a tenth of the gradient. Its step is the rate times the gradient's sign where that is
        # well above rounding, so the weights agree there.
        for momentum, first in zip(their_adam._momentums, our_adam.first, strict=True):
            np.testing.assert_allclose(momentum, first, rtol=1e-3, atol=1e-4 * float(np.abs(first).max()))
        for their, our, first in zip(
            their_network.trainable_variables, our_network.trainable_variables, our_adam.first, strict=True
        ):
            clear = np.abs(first) > 1e-2 * np.abs(first).max()
            np.testing.assert_allclose(np.asarray(their)[clear], np.asarray(our)[clear], atol=0.02 * 1e-4)
    for their, our in zip(theirs.generator.weights, networks["generator"].weights, strict=True):
        if "moving" in our.path:
            np.testing.assert_allclose(their, our, atol=1e-5)


def test_a_contender_that_fails_is_named_with_what_it_said_last():
    with pytest.raises(BenchmarkError, match=r"(?s)broken ended with exit code 1:.*No module named"):
        alternate([Contender("broken", "there_is_none", python=sys.executable)], rounds=1)


@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        ("while/body/_1/while/generator_1/conv7_1/MatMul_2", Row("generator", "conv7"), FORWARD),
        (
            "while/body/_1/gradient_tape/while/discriminator_3/conv14_1/convolution/Conv2DBackpropInput",
            Row("discriminator", "conv14"),
            BACKWARD,
        ),
        ("generator_1/leaky_re_lu_2_1/LeakyRelu", Row("generator", "LeakyReLU"), FORWARD),
        ("while/generator_1/dense_norm_1/moments/mean", Row("generator", "dense_norm"), FORWARD),
        ("while/body/_1/while/adam_1/ResourceApplyAdam_6", Row("adam"), FORWARD),
        ("adam/ResourceApplyAdam", Row("adam"), FORWARD),
        ("while/body/_1/while/average/sub_3", Row("average"), FORWARD),
        ("while/body/_1/while/AddN_6", Row(OTHER), FORWARD),
    ],
)
def test_an_operation_belongs_to_its_layer(name, row, column):
    assert row_of(name) == (row, column)


def test_a_profile_adds_up_to_the_step():
    lines = table({"generator_1/conv7_1/MatMul": 60.0, "gradient_tape/generator_1/conv7_1/MatMul": 30.0}, 100.0, 10)
    assert "| generator | conv7 | 6.00 | 3.00 | 90.0% |" in lines
    assert "| between operations |  | 1.00 |  | 10.0% |" in lines
    assert "**10.00**" in lines
