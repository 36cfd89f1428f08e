"""The fully connected GAN of Goodfellow et al., arXiv 1406.2661, and what it takes to train it better."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mnistgan.families.contract import At, Batch, Chart, Draw, Family, Scalar, Spec
from mnistgan.families.gan.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from mnistgan.families.gan.step import Pair


LOSSES = Chart(
    "losses",
    "Losses while training",
    "Binary cross-entropy; dashed: a discriminator that always says 1/2",
    "loss (nats)",
    {"discriminator_loss": "discriminator (real + generated)", "generator_loss": "generator"},
    levels=(2 * math.log(2), math.log(2)),
    limits=(0, None),
)
PROBABILITIES = Chart(
    "probabilities",
    "What the discriminator believes",
    "Mean probability that an image is real; dashed: can't tell",
    "probability of “real”",
    {"probability_real": "real images", "probability_fake": "generated images"},
    levels=(0.5,),
    limits=(0, 1),
)


class GAN(Family[Recipe]):
    """A generator and a discriminator of dense layers that learn against each other; neither sees a label.

    The generator's loss is the cross-entropy of passing its images off as real, the discriminator's that of calling
    real images real plus that of calling generated ones generated: 1.39 (2 log 2) when it can't tell. Both are of what
    the networks are shown, noise and dropout included, and without the gradient penalty.
    """

    recipe = Recipe
    scalars = (
        Scalar("generator_loss", "nats", "generator loss"),
        Scalar("discriminator_loss", "nats", "discriminator loss"),
        Scalar("probability_real", "probability", "D(real)"),
        Scalar("probability_fake", "probability", "D(fake)"),
    )
    latent_size = 100

    def charts(self) -> tuple[Chart, ...]:
        """Both losses, and what the discriminator believes."""
        return LOSSES, PROBABILITIES

    def build_sampled(self, spec: Spec, seed: int, *, plain: bool = False) -> keras.Model:  # noqa: ARG002 - Keras's own
        """The generator, whose layers are Keras's own either way."""
        from mnistgan.families.gan.networks import generator

        return generator(spec.side, spec.channels, seed)

    def build(self, recipe: Recipe, spec: Spec, seed: int) -> Pair:
        """Both networks and their moments."""
        from mnistgan.families.gan.step import Pair

        return Pair.start(recipe, spec, seed)

    def step(self, parts: Pair, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
        """Updates both networks once."""
        from mnistgan.families.gan.step import step

        return step(parts, batch, at, draw)


family = GAN()
