"""The article's training loop as its readers write it: Keras's layers and Adam, two tapes, tf.data.

Every number is the article's (docs/params.md has them). No thread is set, no operation made deterministic, and the
state lives in the layers and optimizers. It is what the pipeline's step is held against. Layers have names so that a
profile can tell them apart.
"""

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.alternating import IMAGES_A_ROUND, hold_to, serve

BATCH_SIZE = 256
LATENT_SIZE = 100
LEARNING_RATE = 1e-4
DROPOUT = 0.3


def make_generator() -> Any:
    """Latents [N, 100] -> images [N, 28, 28, 1] in [-1, 1]; 2,330,944 weights."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((LATENT_SIZE,)),
            layers.Dense(7 * 7 * 256, use_bias=False, name="dense"),
            layers.BatchNormalization(name="dense_norm"),
            layers.LeakyReLU(),
            layers.Reshape((7, 7, 256)),
            layers.Conv2DTranspose(128, 5, strides=1, padding="same", use_bias=False, name="conv7"),
            layers.BatchNormalization(name="conv7_norm"),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(64, 5, strides=2, padding="same", use_bias=False, name="conv14"),
            layers.BatchNormalization(name="conv14_norm"),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh", name="conv28"),
        ],
        name="generator",
    )


def make_discriminator(dropout: float = DROPOUT) -> Any:
    """Images [N, 28, 28, 1] -> logits [N, 1]; 212,865 weights."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((28, 28, 1)),
            layers.Conv2D(64, 5, strides=2, padding="same", name="conv14"),
            layers.LeakyReLU(),
            layers.Dropout(dropout),
            layers.Conv2D(128, 5, strides=2, padding="same", name="conv7"),
            layers.LeakyReLU(),
            layers.Dropout(dropout),
            layers.Flatten(),
            layers.Dense(1, name="dense"),
        ],
        name="discriminator",
    )


class ArticleLoop:
    """Both networks, their optimizers, and a step on a batch."""

    def __init__(self, batch_size: int = BATCH_SIZE, dropout: float = DROPOUT):
        import keras
        import tensorflow as tf

        self.batch_size = batch_size
        self.generator = make_generator()
        self.discriminator = make_discriminator(dropout)
        self.generator_adam = keras.optimizers.Adam(LEARNING_RATE)
        self.discriminator_adam = keras.optimizers.Adam(LEARNING_RATE)
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.train_step = tf.function(self._train_step)

    def _train_step(self, images: Any) -> None:
        import tensorflow as tf

        self.update(images, tf.random.normal([self.batch_size, LATENT_SIZE]))

    def update(self, images: Any, latents: Any) -> None:
        """One step on images [B, 28, 28, 1] and latents [B, 100]."""
        import tensorflow as tf

        with tf.GradientTape() as of_generator, tf.GradientTape() as of_discriminator:
            drawn = self.generator(latents, training=True)
            real, fake = self.discriminator(images, training=True), self.discriminator(drawn, training=True)
            generator_loss = self.cross_entropy(tf.ones_like(fake), fake)
            discriminator_loss = self.cross_entropy(tf.ones_like(real), real)
            discriminator_loss += self.cross_entropy(tf.zeros_like(fake), fake)
        for tape, loss, network, adam in (
            (of_generator, generator_loss, self.generator, self.generator_adam),
            (of_discriminator, discriminator_loss, self.discriminator, self.discriminator_adam),
        ):
            weights = network.trainable_variables
            adam.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))


def batches(images: np.ndarray, batch_size: int) -> Iterator[Any]:
    """Epoch after epoch of batches [B, 28, 28, 1] in [-1, 1] of images uint8 [N, 28, 28], shuffled whole."""
    import tensorflow as tf

    scaled = (images[..., None].astype(np.float32) - 127.5) / 127.5
    dataset = tf.data.Dataset.from_tensor_slices(scaled).shuffle(len(scaled)).batch(batch_size)
    while True:
        yield from dataset


def main() -> None:
    """Serves rounds of the loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    hold_to(options.threads)
    from benchmarks.mnist import training_images

    size: int = options.batch_size
    loop = ArticleLoop(size)
    feed = batches(training_images().images, size)
    steps = max(1, IMAGES_A_ROUND // size)

    def run() -> int:
        for _ in range(steps):
            loop.train_step(next(feed))
        loop.discriminator.trainable_variables[-1].numpy()  # waits for the last step
        return steps * size

    serve(run)


if __name__ == "__main__":
    main()
