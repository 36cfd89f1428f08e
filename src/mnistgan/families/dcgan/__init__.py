"""The DCGAN of the TensorFlow article, and what it takes to train it better."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mnistgan.families.contract import At, Batch, Chart, Draw, Family, Scalar, Spec
from mnistgan.families.dcgan.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from mnistgan.families.dcgan.step import Pair


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


class DCGAN(Family[Recipe]):
    """A generator and a discriminator that learn against each other.

    Its scalars are of telling real from generated alone, so that recipes with and without labels compare. The
    generator's loss is the cross-entropy of passing its images off as real; it rises when the discriminator wins. The
    discriminator's is that of calling real images real plus that of calling generated ones generated: 1.39 (2 log 2)
    when it can't tell, 0 when it always can. D(real) and D(fake) are the probability that it gives real and generated
    images of being real: both near 0.5 when the two are matched, far apart when the discriminator wins.
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

    def build_sampled(self, spec: Spec, seed: int, *, plain: bool = False) -> keras.Model:  # noqa: ARG002 - one size
        """The generator; the article's layers make 28x28 images of one channel and no other."""
        from mnistgan.families.dcgan.networks import generator

        return generator(seed, plain=plain)

    def build(self, recipe: Recipe, spec: Spec, seed: int) -> Pair:
        """Both networks, their moments, and what is followed of shares and features."""
        from mnistgan.families.dcgan.step import Pair

        return Pair.start(recipe, spec.classes, seed)

    def step(self, parts: Pair, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
        """Updates both networks once."""
        from mnistgan.families.dcgan.step import step

        return step(parts, batch, at, draw)


family = DCGAN()
