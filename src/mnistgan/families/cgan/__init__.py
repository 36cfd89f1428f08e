"""A DCGAN that is told which class to draw (Mirza and Osindero, arXiv 1411.1784)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mnistgan.families.cgan.recipe import Recipe
from mnistgan.families.contract import At, Batch, Chart, Draw, Family, Scalar, Spec

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from mnistgan.families.cgan.step import Pair


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
    "Mean probability that an image is a real one of its class; dashed: can't tell",
    "probability of “real”",
    {"probability_real": "real images", "probability_fake": "generated images"},
    levels=(0.5,),
    limits=(0, 1),
)


class ConditionalGAN(Family[Recipe]):
    """A generator that draws the class it is told, and a discriminator that is told it too.

    The generator's loss is the cross-entropy of passing its images off as real ones of their classes, the
    discriminator's that of calling real images real plus that of calling generated ones generated: 1.39 (2 log 2) when
    it can't tell. The gradient penalty is in neither.
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

    def build_sampled(self, spec: Spec, seed: int, *, plain: bool = False) -> keras.Model:
        """The generator; it takes latents and classes, and makes 28x28 images of one channel and no other."""
        from mnistgan.families.cgan.networks import generator

        return generator(spec.classes, seed, plain=plain)

    def build(self, recipe: Recipe, spec: Spec, seed: int) -> Pair:
        """Both networks and their moments."""
        from mnistgan.families.cgan.step import Pair

        return Pair.start(recipe, spec.classes, seed)

    def step(self, parts: Pair, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
        """Updates both networks once."""
        from mnistgan.families.cgan.step import step

        return step(parts, batch, at, draw)

    def takes_classes(self, sampled: keras.Model) -> bool:  # noqa: ARG002 - all of them do
        """Always."""
        return True

    def sample(
        self,
        sampled: keras.Model,
        latents: np.ndarray,
        classes: np.ndarray,
        sources: np.ndarray | None,  # noqa: ARG002 - it starts from noise
    ) -> tf.Tensor:
        """Draws images float32 [N, 28, 28, 1] of the classes int32 [N] that are asked for."""
        return sampled([latents, classes], training=False)


family = ConditionalGAN()
