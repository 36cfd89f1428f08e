"""The registered model, as MLflow keeps it: this file and a graph. It draws what it is asked for.

It runs where there is no more than MLflow, TensorFlow and NumPy, so it imports nothing of this project. An input holds
latents, or is empty: then they are drawn by the seed, as `python -m pipeline generate --seed` draws them.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel
from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

MOST = 10_000
"""Images a request."""
MOST_SEED = 2**31 - 1
CHUNK = 256  # images a pass
FORMATS = ("array", "png")
PARAMS = (
    ParamSpec("count", DataType.long, None),  # as many as latents or classes are given, else one
    ParamSpec("seed", DataType.long, 0),
    ParamSpec("classes", DataType.long, [], shape=(-1,)),  # one for all, or one for each; else drawn by the seed
    ParamSpec("format", DataType.string, FORMATS[0]),
)
SIGNATURE = ModelSignature(
    inputs=None,  # MLflow's own check of latents would refuse an empty input, and put all of a wrong one in its message
    outputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, 28, 28), "images")]),
    params=ParamSchema([*PARAMS]),
)
FACTS = Path("assets.extra/mnistgan.json")
_CLASSES_STREAM = 11


class Refused(MlflowException):
    """A bad request, a 400. Its message stays as it is: MLflow's server would put the whole input before it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, INVALID_PARAMETER_VALUE)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "message" or "message" not in self.__dict__:
            super().__setattr__(name, value)


class Generator(PythonModel):
    """Draws images uint8 [N, 28, 28], or one PNG of them all."""

    def load_context(self, context: Any) -> None:
        """Loads the graph that MLflow keeps beside this file."""
        self.load(Path(context.artifacts["graph"]))

    def load(self, folder: Path) -> "Generator":
        """Loads a SavedModel as `python -m pipeline model export` writes it."""
        self.graph = tf.saved_model.load(str(folder))
        self.facts = json.loads((folder / FACTS).read_text("utf-8"))
        return self

    def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        """Draws; an array, or as ``png`` a grid without borders in base64. Raises Refused on a bad request."""
        asked = {param.name: param.default for param in PARAMS} | dict(params or {})
        if asked["format"] not in FORMATS:
            raise Refused(f"format: got {asked['format'][:40]!r}; takes {' or '.join(FORMATS)}")
        if not 0 <= asked["seed"] <= MOST_SEED:
            raise Refused(f"seed: got {asked['seed']}; takes 0 to {MOST_SEED}")
        latents, classes = self._latents(model_input), self._classes(asked["classes"])
        count = _count(asked["count"], latents, classes)
        wanted = _drawn(asked["seed"], count, self.facts["latent_size"]) if latents is None else latents
        images = self._images(wanted, self._shown(asked["seed"], count, classes))
        return images if asked["format"] == "array" else _png(images)

    def _latents(self, given: Any) -> np.ndarray | None:
        """Checks latents [N, size]; none where the input is empty."""
        size = self.facts["latent_size"]
        try:
            latents = np.asarray([] if given is None else given)
        except ValueError:
            raise Refused(f"latents: rows of different lengths; takes [N, {size}]") from None
        if latents.size == 0:
            return None
        if latents.dtype.kind not in "fiu":
            raise Refused(f"latents: hold what is no number; takes [N, {size}], or [] for latents drawn by the seed")
        if latents.ndim != 2 or latents.shape[1] != size:
            raise Refused(f"latents: shape {list(latents.shape)}; takes [N, {size}]")
        with np.errstate(over="ignore"):  # an infinite one is refused here
            latents = latents.astype(np.float32)
        if broken := int((~np.isfinite(latents)).sum()):
            raise Refused(f"latents: {broken} of {latents.size} numbers are NaN or infinite; takes finite float32")
        return latents

    def _classes(self, given: Any) -> np.ndarray:
        classes, known = np.asarray(given, np.int64), len(self.facts["prior"])
        if classes.size and not known:
            raise Refused(f"classes: these weights of the family {self.facts['family']} can't be asked for a class")
        for wrong in classes[(classes < 0) | (classes >= known)][:1]:
            raise Refused(f"classes: got {wrong}; takes 0 to {known - 1}")
        return classes

    def _shown(self, seed: int, count: int, classes: np.ndarray) -> np.ndarray | None:
        """Gives each image its class, int32 [count]; None of weights that take none."""
        if not (prior := self.facts["prior"]):
            return None
        if classes.size:
            return np.broadcast_to(classes, count).astype(np.int32)
        chosen = np.random.Generator(np.random.PCG64([seed, _CLASSES_STREAM])).choice(len(prior), count, p=prior)
        return chosen.astype(np.int32)

    def _images(self, latents: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        chunks = []
        for begin in range(0, len(latents), CHUNK):
            rows = slice(begin, begin + CHUNK)
            inputs = [latents[rows]] if classes is None else [latents[rows], classes[rows]]
            drawn = self.graph.serve(*inputs)["images"].numpy()
            if not np.isfinite(drawn).all():
                raise Refused("latents: so far from 0 that pixels became NaN or infinite; takes draws of N(0, 1)")
            chunks.append(np.rint((drawn[..., 0] + 1) * 127.5).astype(np.uint8))
        return np.concatenate(chunks)


def _count(asked: int | None, latents: np.ndarray | None, classes: np.ndarray) -> int:
    """Settles how many images; raises Refused where they are too many, or not as many as what is given with them."""
    count = (max(len(classes), 1) if latents is None else len(latents)) if asked is None else asked
    if not 1 <= count <= MOST:
        raise Refused(f"count: {count} images; takes 1 to {MOST}")
    if latents is not None and len(latents) != count:
        raise Refused(f"count: got {count} with {len(latents)} latents; leave it out, or give as many")
    if len(classes) not in (0, 1, count):
        raise Refused(f"classes: got {len(classes)} for {count} images; takes one for all, or one for each")
    return count


def _drawn(seed: int, count: int, size: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((count, size), np.float32)


def _png(images: np.ndarray) -> str:
    """Encodes a grid as near to a square as can be, the places after the last image black."""
    side = images.shape[1]
    columns = int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    padded = np.pad(images, [(0, rows * columns - len(images)), (0, 0), (0, 0)])
    grid = padded.reshape(rows, columns, side, side).swapaxes(1, 2).reshape(rows * side, columns * side, 1)
    return base64.b64encode(tf.io.encode_png(grid).numpy()).decode()


set_model(Generator())
