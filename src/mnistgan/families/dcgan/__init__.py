"""The DCGAN of the TensorFlow article, and what it takes to train it better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnistgan.families.contract import At, Batch, Draw, Family, Scalar, Spec
from mnistgan.families.dcgan.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from mnistgan.families.dcgan.step import Pair


class DCGAN(Family[Recipe]):
    """A generator and a discriminator that learn against each other.

    The losses reported are those of telling real from generated alone, so that recipes with and without labels
    compare.
    """

    recipe = Recipe
    scalars = (
        Scalar("generator_loss", "nats", "generator loss"),
        Scalar("discriminator_loss", "nats", "discriminator loss"),
        Scalar("probability_real", "probability", "D(real)"),
        Scalar("probability_fake", "probability", "D(fake)"),
    )
    latent_size = 100

    def build_sampled(self, spec: Spec, seed: int, *, plain: bool = False) -> keras.Model:  # noqa: ARG002
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
