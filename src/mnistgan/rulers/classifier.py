"""The classifier ruler: a small CNN whose penultimate layer and logits are the features of FID and its kin.

It trained on the 50,000 training images alone, so that neither validation nor test is known to it; a network that
has trained on the images it measures inflates the real-data floor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from mnistgan.datasets.idx import CLASSES as MOST_CLASSES
from mnistgan.errors import RulerError
from mnistgan.progress import Progress, silent
from mnistgan.rulers import cards
from mnistgan.rulers.pixels import PixelRuler

NAME = "classifier"
LAYERS = ("penultimate", "logits")
CLASSES = "classes"  # how many it has learned, on the card; all that it has logits for where it does not say
# One shape for every call: another batch size may pick another kernel, which sums in another order.
CHUNK = 500

SHAPES: dict[str, tuple[int, ...]] = {
    "conv_1/kernel": (3, 3, 1, 32),
    "conv_1/bias": (32,),
    "conv_2/kernel": (3, 3, 32, 64),
    "conv_2/bias": (64,),
    "conv_3/kernel": (3, 3, 64, 64),
    "conv_3/bias": (64,),
    "penultimate/kernel": (576, 64),
    "penultimate/bias": (64,),
    "logits/kernel": (64, MOST_CLASSES),
    "logits/bias": (MOST_CLASSES,),
}

Weights = Mapping[str, Any]


@dataclass(frozen=True)
class Features:
    """The classifier's features of N images: ``penultimate`` float32 [N, 64]; ``logits`` float32 [N, C]."""

    penultimate: np.ndarray
    logits: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """p(class | image), float64 [N, C]."""
        return probabilities(self.logits)

    def take(self, rows: np.ndarray) -> "Features":
        """Selects some of the images, by index or by mask."""
        return Features(self.penultimate[rows], self.logits[rows])


def features_graph(weights: Weights, images: tf.Tensor) -> tf.Tensor:
    """Computes the penultimate layer, float32 [N, 64], of float32 images [N, 28, 28, 1] in [0, 1]."""
    x = images
    for layer in ("conv_1", "conv_2", "conv_3"):
        x = tf.nn.conv2d(x, weights[f"{layer}/kernel"], strides=1, padding="SAME")
        x = tf.nn.relu(tf.nn.bias_add(x, weights[f"{layer}/bias"]))
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    x = tf.reshape(x, [tf.shape(x)[0], SHAPES["penultimate/kernel"][0]])
    x = tf.nn.bias_add(tf.matmul(x, weights["penultimate/kernel"]), weights["penultimate/bias"])
    return tf.nn.leaky_relu(x, 0.1)  # no unit can die, so no feature is constant


def logits_graph(weights: Weights, penultimate: tf.Tensor) -> tf.Tensor:
    """Computes the logits, float32 [N, 10], from the penultimate layer."""
    return tf.nn.bias_add(tf.matmul(penultimate, weights["logits/kernel"]), weights["logits/bias"])


def scaled(images: tf.Tensor) -> tf.Tensor:
    """Scales images uint8 [N, 28, 28] to float32 [N, 28, 28, 1] in [0, 1]."""
    return tf.cast(images, tf.float32)[..., tf.newaxis] / 255.0


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax in float64: [N, C] of logits [N, C]."""
    logits = logits.astype(np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def _layers(weights: Weights, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    penultimate = features_graph(weights, scaled(images))
    return penultimate, logits_graph(weights, penultimate)


_forward = tf.function(
    _layers,
    autograph=False,
    input_signature=[
        {name: tf.TensorSpec(shape, tf.float32) for name, shape in SHAPES.items()},
        tf.TensorSpec([CHUNK, 28, 28], tf.uint8),
    ],
)


class Classifier:
    """The network with its weights; ``digest`` is the sha256 of the file that holds them.

    It has learned the first ``classes`` of its logits; the others say nothing, and are left out.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], digest: str, classes: int = MOST_CLASSES) -> None:
        cards.demand(dict(arrays), SHAPES, "the classifier's arrays")
        self.digest = digest
        self.classes = classes
        self._weights = {name: tf.constant(array) for name, array in arrays.items()}

    def features(self, images: np.ndarray, progress: Progress = silent, task: str = "features") -> Features:
        """Computes both layers' features of images uint8 [N, 28, 28].

        An image's features have the same bytes alone and in a batch, since every call is one padded chunk; in another
        place of a chunk some processors round its sums otherwise.
        Raises RulerError for images of another shape or dtype.
        """
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
            raise RulerError(f"images are {images.dtype} {list(images.shape)}; the classifier takes uint8 [N, 28, 28]")
        count = len(images)
        penultimate = np.empty((count, SHAPES["penultimate/bias"][0]), np.float32)
        logits = np.empty((count, SHAPES["logits/bias"][0]), np.float32)
        chunk = np.zeros((CHUNK, 28, 28), np.uint8)
        for start in range(0, count, CHUNK):
            progress(task, start, count)
            part = images[start : start + CHUNK]
            chunk[: len(part)] = part
            rows = slice(start, start + len(part))
            penultimate[rows], logits[rows] = (layer.numpy()[: len(part)] for layer in _forward(self._weights, chunk))
        progress(task, count, count)
        return Features(penultimate, logits[:, : self.classes])


class Unlabelled(Classifier):
    """What stands in the classifier's place where images bear no labels: the pixel ruler, and one class for all."""

    def __init__(self, arrays: Mapping[str, np.ndarray], digest: str) -> None:
        self.digest = digest
        self.classes = 1
        self._components = PixelRuler(dict(arrays), digest)

    def features(self, images: np.ndarray, progress: Progress = silent, task: str = "features") -> Features:  # noqa: ARG002 - quick
        """Computes the components as the penultimate layer, float64 [N, 64], beside logits [N, 1] that say nothing."""
        return Features(self._components.features(images), np.zeros((len(images), 1), np.float32))


def load(folder: Path) -> Classifier:
    """Loads the pinned classifier from ``folder``, or what stands in its place.

    Raises RulerError where it is not whole and as on its card.
    """
    arrays, card = cards.read(folder, NAME)
    if card.get(CLASSES) == 0:
        return Unlabelled(arrays, card[cards.DIGEST])
    cards.demand(arrays, SHAPES, str(cards.arrays_path(folder, NAME)))
    classes = card.get(CLASSES, MOST_CLASSES)
    if not isinstance(classes, int) or not 2 <= classes <= MOST_CLASSES:
        raise RulerError(f"{cards.card_path(folder, NAME)}: {CLASSES} is {classes!r}; should be 2 to {MOST_CLASSES}")
    return Classifier(arrays, card[cards.DIGEST], classes)
