"""Writes what draws as a file that runs without this project, and demands that the file draws the same."""

import json
import zipfile
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnistgan.errors import DifferenceError, UsageError
from mnistgan.families import sampling
from mnistgan.families.sampling import Sampler
from mnistgan.files import read_arrays, write_arrays, write_json

OPSET = 18
FACTS, FACTS_FILE = "mnistgan", Path("assets.extra/mnistgan.json")
"""Where the facts lie: a key of an ONNX file's metadata; a SavedModel's folder assets.extra is left to its writer."""
SAMPLES = 64
TOLERANCE = 1e-4
"""Between two pixels in [-1, 1]: an eightieth of a grey level. Sums in another order were seen to differ by 5e-6."""
Facts = Mapping[str, Any]


class Format(StrEnum):
    """A kind of file; an NPZ is the weights alone, which `generate --weights` takes."""

    ONNX = "onnx"
    SAVED_MODEL = "savedmodel"
    NPZ = "npz"


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


def write(chosen: Format, weights: Path, counts: list[int], path: Path, told: Facts) -> None:
    """Writes what ``weights`` draw, with the facts in the file. Raises DataError as :func:`sampling.load`, and
    UsageError where a library is missing."""
    sampler = sampling.load(weights, counts, plain=True)
    if chosen is Format.NPZ:
        write_arrays(path, read_arrays(weights))
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = json.dumps(facts(sampler, told)).encode()
    else:
        {Format.ONNX: _write_onnx, Format.SAVED_MODEL: write_saved_model}[chosen](sampler, path, told)


def _write_onnx(sampler: Sampler, path: Path, told: Facts) -> None:
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise UsageError(f"--format onnx: {error}; `make venv-onnx` adds what it takes") from error
    draw, taken = drawing(sampler)
    function = tf.function(draw, input_signature=taken)
    model, _ = tf2onnx.convert.from_function(function, input_signature=taken, opset=OPSET)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "count"
    model.metadata_props.add(key=FACTS, value=json.dumps(facts(sampler, told)))
    onnx.save(model, str(path))


def write_saved_model(sampler: Sampler, folder: Path, told: Facts) -> None:
    """Writes a SavedModel whose ``serve`` draws."""
    draw, taken = drawing(sampler)
    archive = keras.export.ExportArchive()
    archive.track(sampler.network)
    archive.add_endpoint("serve", draw, input_signature=taken)
    archive.write_out(str(folder), verbose=False)
    write_json(folder / FACTS_FILE, facts(sampler, told))


def demand(chosen: Format, path: Path, weights: Path, counts: list[int]) -> float:
    """Draws the same latents and classes by both; returns the largest difference of a pixel in [-1, 1].

    Raises DifferenceError where it is more than the tolerance, or no number.
    """
    latent_size = sampling.load(weights, counts).latent_size
    latents = sampling.latents(0, SAMPLES, latent_size)
    classes = np.arange(SAMPLES, dtype=np.int32) % max(len(counts), 1)
    expected = drawn_by(Format.NPZ, weights, counts, latents, classes)
    apart = float(np.abs(drawn_by(chosen, path, counts, latents, classes) - expected).max())
    if not apart <= TOLERANCE:
        raise DifferenceError(
            f"{path}: of {SAMPLES} samples a pixel in [-1, 1] is {apart:.2g} from what {weights} draws; "
            f"takes {TOLERANCE:.0g} at most"
        )
    return apart


def drawn_by(chosen: Format, path: Path, counts: list[int], latents: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Draws images float32 [N, side, side, channels] in [-1, 1] by a written file."""
    return np.asarray(_DRAW[chosen](path, counts, latents, classes))


def _by_weights(path: Path, counts: list[int], latents: np.ndarray, classes: np.ndarray) -> np.ndarray:
    sampler = sampling.load(path, counts)
    return np.asarray(sampler.family.images(sampler.family.sample(sampler.network, latents, classes, None)))


def _by_saved_model(path: Path, _: list[int], latents: np.ndarray, classes: np.ndarray) -> np.ndarray:
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    given = {"latents": tf.constant(latents), "classes": tf.constant(classes)}
    taken = serve.structured_input_signature[1]
    return np.asarray(serve(**{name: given[name] for name in taken})["images"])


def _by_onnx(path: Path, _: list[int], latents: np.ndarray, classes: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {"latents": latents, "classes": classes}
    return np.asarray(session.run(["images"], {value.name: given[value.name] for value in session.get_inputs()})[0])


_DRAW: dict[Format, Callable[..., Any]] = {
    Format.ONNX: _by_onnx,
    Format.SAVED_MODEL: _by_saved_model,
    Format.NPZ: _by_weights,
}
