"""A convolutional variational autoencoder, whose prior may be learned (Kingma and Welling, arXiv 1312.6114)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnistgan.families.contract import At, Batch, Chart, Draw, Family, Phase, Scalar, Spec
from mnistgan.families.vae.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from mnistgan.families.pictures import Given, Strips
    from mnistgan.families.vae.step import Autoencoder

BOUND = Chart(
    "bound",
    "The bound while training",
    "What an image costs: to name its latents, then its pixels given those",
    "nats an image",
    {
        "negative_elbo": "negative ELBO",
        "reconstruction_loss": "reconstruction",
        "latent_divergence": "KL of the latents from N(0, I)",
    },
    limits=(0, None),
)
PRIOR = Chart(
    "prior",
    "The prior while training",
    "Of the velocity between noise and latents; flat until its epochs begin",
    "mean square",
    {"prior_loss": "prior"},
    limits=(0, None),
)


class VAE(Family[Recipe]):
    """An encoder gives each image a Gaussian of latents, a decoder gives latents the brightness of each pixel.

    Both learn to make the negative ELBO small: the reconstruction, minus the log-probability of the pixels given the
    latents, plus the KL of the latents' Gaussian from N(0, I). Of black and white pixels it is a bound on minus the
    log-likelihood. On grey ones the reconstruction is the cross-entropy of the brightness: no likelihood, since the
    Bernoulli distribution gives grey pixels no probability; only recipes that are alike in ``binarised`` compare.

    The latents of all images together are not quite N(0, I), so what is decoded from N(0, I) is often no digit. A
    recipe with ``prior_epochs`` goes on to learn their distribution, with the encoder as it then is: the second stage
    of Dai and Wipf, arXiv 1903.05789, here by a flow.
    """

    recipe = Recipe
    scalars = (
        Scalar("negative_elbo", "nats an image", "negative ELBO"),
        Scalar("reconstruction_loss", "nats an image", "reconstruction"),
        Scalar("latent_divergence", "nats an image", "KL"),
        Scalar("prior_loss", "mean square", "prior's loss"),
    )
    latent_size = 32

    def charts(self) -> tuple[Chart, ...]:
        """The bound with its two parts, and the prior's loss."""
        return BOUND, PRIOR

    def phases(self, recipe: Recipe) -> tuple[Phase, ...]:
        """Encoder and decoder first, then the prior, where the recipe learns one."""
        first = Phase(recipe.epochs - recipe.prior_epochs, recipe.batch_size, recipe.learning_rate)
        if not recipe.prior_epochs:
            return (first,)
        return first, Phase(recipe.prior_epochs, recipe.prior_batch_size, recipe.prior_rate)

    def build_sampled(self, spec: Spec, seed: int, *, plain: bool = False) -> keras.Model:  # noqa: ARG002 - always is
        """The prior and the decoder as one; all of it is Keras's own layers."""
        from mnistgan.families.vae.networks import sampled

        return sampled(spec, seed)

    def build(self, recipe: Recipe, spec: Spec, seed: int) -> Autoencoder:
        """The encoder, the prior with the decoder, and their moments."""
        from mnistgan.families.vae.step import Autoencoder

        return Autoencoder.start(recipe, spec, seed)

    def step(self, parts: Autoencoder, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
        """Updates encoder and decoder once, or the prior."""
        from mnistgan.families.vae.step import step

        return step(parts, batch, at, draw)

    def takes_classes(self, sampled: keras.Model) -> bool:
        """Where its recipe learned a prior: the classes' table is at 0 until it is trained."""
        (table,) = sampled.get_layer("velocity").get_layer("of_class").get_weights()
        return bool(table.any())

    def sample(
        self,
        sampled: keras.Model,
        latents: np.ndarray,
        classes: np.ndarray,
        sources: np.ndarray | None,  # noqa: ARG002 - it translates nothing
    ) -> tf.Tensor:
        """Draws images float32 [N, side, side, channels] in [-1, 1]: the mean brightness of each pixel."""
        from mnistgan.families.vae.networks import draw

        return draw(sampled, latents, classes)

    def pictures(self, given: Given) -> dict[str, Strips]:
        """Held-out images beside their reconstructions."""
        from mnistgan.families.vae.pictures import reconstructions

        return {"reconstructions": reconstructions(given)}


family = VAE()
