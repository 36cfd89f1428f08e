"""The one table from a recipe's ``kind`` to its networks."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from mnistgan.families.dcgan import networks as dcgan


@dataclass(frozen=True)
class Architecture:
    """How to build a pair of networks from a seed (int); the discriminator also from its dropout rate and how many
    logits it has: one, or one a class. Called, it gives these and the ``feature_count`` features that its last layer
    takes.
    """

    latent_size: int
    generator: Callable[[int], keras.Model]
    discriminator: Callable[[int, float, int], keras.Model]
    feature_count: int
    plain_generator: Callable[[int], keras.Model]


KINDS = {
    "dcgan": Architecture(
        latent_size=dcgan.LATENT_SIZE,
        generator=dcgan.generator,
        discriminator=dcgan.Discriminator,
        feature_count=dcgan.FEATURES,
        plain_generator=lambda seed: dcgan.generator(seed, plain=True),
    )
}
