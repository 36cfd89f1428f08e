"""Turns what draws into one graph of TensorFlow, and writes that as a SavedModel with facts beside it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from mnistgan.families.sampling import Sampler
from mnistgan.files import write_json

FACTS = Path("assets.extra/mnistgan.json")
"""Of a SavedModel: its folder assets.extra is left to whoever writes one."""
Facts = Mapping[str, Any]


def facts(sampler: Sampler, told: Facts) -> dict[str, Any]:
    """Adds to what is ``told`` of a model what it takes: numbers in a latent, each class's share where it takes any."""
    prior = sampler.spec.prior if sampler.takes_classes else ()
    return {**told, "latent_size": sampler.latent_size, "prior": list(prior)}


def drawing(sampler: Sampler) -> tuple[Callable[..., dict[str, Any]], list[tf.TensorSpec]]:
    """Gives the function that draws, and what it takes, to be traced.

    Latents float32 [N, size], and classes int32 [N] where the weights take any, become ``images`` float32
    [N, side, side, channels] in [-1, 1]. All that is random is in the latents.
    """
    network, taken = sampler.network, [tf.TensorSpec((None, sampler.latent_size), tf.float32, "latents")]
    if sampler.takes_classes:
        taken.append(tf.TensorSpec((None,), tf.int32, "classes"))
    for layer in network.layers:
        if isinstance(layer, keras.Model):  # a flow calls it at each step: traced once, it loads five times as fast
            layer.call = tf.function(layer.call)

    def draw(latents: Any, *classes: Any) -> dict[str, Any]:
        inputs = [latents, *(classes or [tf.zeros(tf.shape(latents)[:1], tf.int32)])][: len(network.inputs)]
        drawn = network(inputs if len(inputs) > 1 else latents, training=False)
        return {"images": sampler.family.images(drawn)}

    return draw, taken


def write_saved_model(sampler: Sampler, folder: Path, told: Facts) -> None:
    """Writes a SavedModel whose ``serve`` draws."""
    draw, taken = drawing(sampler)
    archive = keras.export.ExportArchive()
    archive.track(sampler.network)
    archive.add_endpoint("serve", draw, input_signature=taken)
    archive.write_out(str(folder), verbose=False)
    write_json(folder / FACTS, facts(sampler, told))
