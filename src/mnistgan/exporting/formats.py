"""Writes what draws as ONNX, SavedModel or NPZ, and draws by such a file again, each by its own runtime."""

import json
import zipfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from mnistgan.errors import UsageError
from mnistgan.exporting.graph import Facts, drawing, facts, write_saved_model
from mnistgan.families import sampling
from mnistgan.families.sampling import Sampler
from mnistgan.files import read_arrays, write_arrays

OPSET = 18
FACTS = "mnistgan"
"""The key of the facts in an ONNX file's metadata."""


class Format(StrEnum):
    """A kind of file; an NPZ is the weights alone, which `generate --weights` takes."""

    ONNX = "onnx"
    SAVED_MODEL = "savedmodel"
    NPZ = "npz"


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
    import tensorflow as tf

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


def drawn_by(chosen: Format, path: Path, counts: list[int], latents: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Draws images float32 [N, side, side, channels] in [-1, 1] by a written file."""
    return np.asarray(_DRAW[chosen](path, counts, latents, classes))


def _by_weights(path: Path, counts: list[int], latents: np.ndarray, classes: np.ndarray) -> np.ndarray:
    sampler = sampling.load(path, counts)
    return np.asarray(sampler.family.images(sampler.family.sample(sampler.network, latents, classes, None)))


def _by_saved_model(path: Path, _: list[int], latents: np.ndarray, classes: np.ndarray) -> np.ndarray:
    import tensorflow as tf

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
