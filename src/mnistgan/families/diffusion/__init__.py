"""A rectified flow from noise to images, by a small U-Net that is told the class.

Liu et al., arXiv 2209.03003; Lipman et al., arXiv 2210.02747; a diffusion model whose noise goes in straight lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnistgan.families.contract import At, Batch, Draw, Family, Scalar, Spec
from mnistgan.families.diffusion.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from mnistgan.families.diffusion.step import Flow
    from mnistgan.families.pictures import Given, Strips


class Diffusion(Family[Recipe]):
    """A network guesses the image at the end of a line from a noisy point on it, and so which way the point moves.

    Its loss is the mean square error of that velocity, a value of a pixel; it can't reach 0, since many images may lie
    at the end of lines through one point. An image is drawn from noise by eight steps along the velocities.
    """

    recipe = Recipe
    scalars = (
        Scalar("velocity_loss", "mean square", "velocity's loss"),
        Scalar("gradient_norm", "norm", "gradient's norm, before it is clipped"),
    )
    latent_size = 784

    def build_sampled(self, spec: Spec, seed: int, *, plain: bool = False) -> keras.Model:  # noqa: ARG002 - always is
        """The network and its steps from noise to images as one; all of it is Keras's own layers."""
        from mnistgan.families.diffusion.networks import sampled

        return sampled(spec, seed)

    def build(self, recipe: Recipe, spec: Spec, seed: int) -> Flow:
        """The network and its moments."""
        from mnistgan.families.diffusion.step import Flow

        return Flow.start(recipe, spec, seed)

    def step(self, parts: Flow, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
        """Updates the network once."""
        from mnistgan.families.diffusion.step import step

        return step(parts, batch, at, draw)

    def takes_classes(self, sampled: keras.Model) -> bool:
        """Where its recipe had labels: the classes' table is at 0 until it is trained."""
        (table,) = sampled.get_layer("guesser").get_layer("of_class").get_weights()
        return bool(table.any())

    def sample(
        self,
        sampled: keras.Model,
        latents: np.ndarray,
        classes: np.ndarray,
        sources: np.ndarray | None,  # noqa: ARG002 - it translates nothing
    ) -> tf.Tensor:
        """Draws images float32 [N, side, side, channels] in [-1, 1], each of its class."""
        from mnistgan.families.diffusion.networks import draw

        return draw(sampled, latents, classes)

    def pictures(self, given: Given) -> dict[str, Strips]:
        """The way from noise to images."""
        from mnistgan.families.diffusion.pictures import from_noise

        return {"from_noise": from_noise(given)}


family = Diffusion()
