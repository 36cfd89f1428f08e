"""Holds a flow's network and moments, and makes one step of training."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from mnistgan.families.contract import At, Batch, Draw, Parts, Spec
from mnistgan.families.diffusion.flow import flow_loss
from mnistgan.families.diffusion.networks import fold, sampled
from mnistgan.families.diffusion.recipe import Recipe
from mnistgan.nn.adam import Adam

NOISE, TIME = range(2)  # what a draw is for; each has its own stream
LARGEST_GRADIENT = 1.0  # its norm over all weights; a larger one is made that long


@dataclass(kw_only=True)
class Flow(Parts):
    """What draws, with the network in it that learns."""

    guesser: keras.Model

    @classmethod
    def start(cls, recipe: Recipe, spec: Spec, seed: int) -> "Flow":
        """The parts before the first step. Without labels the classes' table is left out of what learns."""
        drawing = sampled(spec, seed)
        network = drawing.get_layer("guesser")
        untold = () if recipe.labels else network.get_layer("of_class").trainable_variables
        left_out = {id(weight) for weight in untold}
        learning = [weight.value for weight in network.trainable_variables if id(weight) not in left_out]
        return cls(
            networks={"flow": drawing},
            sampled="flow",
            optimizers={"flow": Adam(learning, recipe.beta_1, recipe.beta_2)},
            guesser=network,
        )


def step(parts: Flow, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
    """Updates the network once, at times that are most often near the middle; the family's scalars, float32 [2].

    The time is the logistic function of N(0, 1) (Esser et al., arXiv 2403.03206, section 3.1).
    """
    data = fold(batch.images)
    noise = tf.random.stateless_normal(tf.shape(data), draw(NOISE), alg="philox")
    time = tf.sigmoid(tf.random.stateless_normal(tf.shape(batch.labels), draw(TIME), alg="philox"))
    with tf.GradientTape() as tape:
        loss = flow_loss(lambda there, when: parts.guesser([there, when, batch.labels]), noise, data, time)
    (adam,) = parts.optimizers.values()
    gradients, norm = tf.clip_by_global_norm(tape.gradient(loss, adam.variables), LARGEST_GRADIENT)
    adam.apply(gradients, at.step, at.rate)
    return tf.stack([loss, norm])
