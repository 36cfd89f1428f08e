"""Shows held-out images beside what the decoder makes of their latents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from mnistgan.families.vae.networks import brightness, load_encoder

if TYPE_CHECKING:
    from mnistgan.families.pictures import Given, Strips

PAIRS, ROWS = 6, 10  # pairs in a row; rows where there are no classes to have one each


def reconstructions(given: Given) -> Strips:
    """Pairs the first images of each class with their reconstructions: the decoder's of their latents' mean.

    The encoder gets the grey of each pixel, also where the recipe trained it on pixels drawn black or white.
    """
    spec, labels = given.sampler.spec, np.asarray(given.held_out.labels)
    each = PAIRS if spec.classes > 1 else PAIRS * ROWS
    first = np.concatenate([np.flatnonzero(labels == place)[:each] for place in range(spec.classes)])
    images = np.asarray(given.held_out.images)[first]
    mean, _ = tf.split(load_encoder(given.parts, spec)((images + 1) / 2), 2, axis=1)
    decoded = brightness(given.sampler.network.get_layer("decoder")(mean))
    return {
        "title": "Held-out images and their reconstructions",
        "caption": "Left in each pair an image that no training saw, right what is left of it in "
        f"{mean.shape[1]} numbers: the mean of its latents, decoded. The first of each class; none was chosen.",
        "images": np.stack([images, decoded], axis=1),
        "classes": labels[first],
    }
