"""Trains the classifier ruler on the training images alone; the epoch is chosen on validation.

Every draw is stateless, keyed by (seed, step), so that the same data, recipe and machine give the same bytes.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from mnistgan import files
from mnistgan.datasets.arrays import Images
from mnistgan.errors import DataError
from mnistgan.progress import Progress, silent
from mnistgan.rulers import classifier
from mnistgan.rulers.classifier import Classifier, features_graph, logits_graph, scaled


@dataclass(frozen=True)
class Settings:
    """Knobs of the classifier's training; its card repeats them."""

    epochs: int
    batch_size: int
    learning_rate: float  # Adam's; a cosine to 0 after a linear warm-up
    shift: float  # pixels, to any side
    rotation: float  # degrees, either way
    seed: int = 0
    warmup_steps: int = 200
    average_decay: float = 0.995  # of the weights that are kept
    dropout: float = 0.3  # of the penultimate layer, while training
    threads: int = 2  # TensorFlow's; another number may sum in another order


@dataclass(frozen=True)
class Epoch:
    """How well one epoch's averaged weights do on validation."""

    number: int
    accuracy: float
    cross_entropy: float


@dataclass(frozen=True)
class Fit:
    """The chosen epoch's weights, its number, and the results of every epoch."""

    arrays: dict[str, np.ndarray]
    chosen: Epoch
    epochs: tuple[Epoch, ...]


def make_deterministic(recipe: Settings) -> None:
    """Makes TensorFlow give the same bytes each time, for the whole process; must run before its first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(recipe.threads)
    tf.config.experimental.enable_op_determinism()


def fit(
    train: Images, validation: Images, recipe: Settings, progress: Progress = silent, state: Path | None = None
) -> Fit:
    """Trains the classifier on ``train``; keeps the epoch with the best accuracy on ``validation``.

    Of equal ones that of the lower cross-entropy. Test images are no argument, and can't be looked at. ``state``: a
    file that is written after each epoch; of this very data and recipe, it is gone on from, to the same bytes.
    """
    step, variables = _trainer(train, recipe)
    averages = {name: variables[f"average/{name}"] for name in classifier.SHAPES}
    steps_an_epoch = len(train.images) // recipe.batch_size
    total = recipe.epochs * steps_an_epoch
    of = f"{train.digest} {validation.digest} {recipe}"
    epochs, kept = _restored(state, of, variables) if state else ([], {})
    for number in range(len(epochs) + 1, recipe.epochs + 1):
        order = np.random.Generator(np.random.Philox(key=[recipe.seed, number])).permutation(len(train.images))
        for index in range(steps_an_epoch):
            batch = order[index * recipe.batch_size : (index + 1) * recipe.batch_size]
            done = (number - 1) * steps_an_epoch + index
            step(tf.constant(batch, tf.int32), tf.constant(done, tf.int32))
            if done % 50 == 0:
                progress("classifier", done, total, _note(epochs))
        arrays = {name: average.numpy() for name, average in averages.items()}
        epochs.append(_judge(arrays, validation, number))
        if min(epochs, key=_rank) is epochs[-1]:
            kept = arrays
        if state:
            _save(state, of, variables, epochs, kept)
    progress("classifier", total, total, _note(epochs))
    return Fit(kept, min(epochs, key=_rank), tuple(epochs))


def _save(
    state: Path, of: str, variables: Mapping[str, tf.Variable], epochs: list[Epoch], kept: Mapping[str, np.ndarray]
) -> None:
    told = np.array([astuple(epoch) for epoch in epochs])
    named = {name: variable.numpy() for name, variable in variables.items()}
    files.write_arrays(state, {"of": np.array(of), "epochs": told, **named, **{f"kept/{n}": kept[n] for n in kept}})


def _restored(state: Path, of: str, variables: Mapping[str, tf.Variable]) -> tuple[list[Epoch], dict[str, np.ndarray]]:
    """Puts the variables back; returns the epochs done and the best one's weights; none where the file is of others."""
    try:
        named = files.read_arrays(state)
    except DataError:
        return [], {}
    if str(named.get("of")) != of:
        return [], {}
    for name, variable in variables.items():
        variable.assign(named[name])
    epochs = [Epoch(int(number), float(accuracy), float(loss)) for number, accuracy, loss in named["epochs"]]
    return epochs, {name: named[f"kept/{name}"] for name in classifier.SHAPES}


def _rank(epoch: Epoch) -> tuple[float, float]:
    return -epoch.accuracy, epoch.cross_entropy


def _note(epochs: list[Epoch]) -> str:
    return f"validation {epochs[-1].accuracy:.2%}" if epochs else ""


def _judge(arrays: Mapping[str, np.ndarray], validation: Images, number: int) -> Epoch:
    shares = Classifier(arrays, "in training").features(validation.images).probabilities
    of_label = shares[np.arange(len(shares)), validation.labels]
    return Epoch(
        number,
        accuracy=float(np.mean(shares.argmax(axis=1) == validation.labels)),
        cross_entropy=float(-np.log(np.maximum(of_label, 1e-12)).mean()),
    )


def _trainer(train: Images, recipe: Settings) -> tuple[Callable[[tf.Tensor, tf.Tensor], None], dict[str, tf.Variable]]:
    """Builds one training step (of image indices and the step's number), and all that it moves, by name."""
    images, labels = tf.constant(train.images), tf.constant(train.labels, tf.int32)
    weights = {name: tf.Variable(array) for name, array in _initial(recipe.seed).items()}
    averages = {name: tf.Variable(weight) for name, weight in weights.items()}
    moments = {name: [tf.Variable(tf.zeros_like(weight)) for _ in range(2)] for name, weight in weights.items()}
    total = recipe.epochs * (len(train.images) // recipe.batch_size)

    def step(batch: tf.Tensor, number: tf.Tensor) -> None:
        seeds = tf.random.experimental.stateless_split(tf.stack([recipe.seed, number]), 2)
        augmented = _augmented(scaled(tf.gather(images, batch)), recipe, seeds[0])
        with tf.GradientTape() as tape:
            penultimate = features_graph(weights, augmented)
            penultimate = tf.nn.experimental.stateless_dropout(penultimate, recipe.dropout, seeds[1])
            logits = logits_graph(weights, penultimate)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(labels, batch), logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, weights)
        rate, count = _rate(number, total, recipe), tf.cast(number, tf.float32) + 1.0
        decay = tf.minimum(recipe.average_decay, count / (count + 9.0))
        for name, weight in weights.items():
            _adam(weight, gradients[name], moments[name], rate, count)
            averages[name].assign(decay * averages[name] + (1.0 - decay) * weight)

    held = {f"weight/{name}": weight for name, weight in weights.items()}
    held |= {f"average/{name}": average for name, average in averages.items()}
    held |= {f"moment_{place}/{name}": each for name, pair in moments.items() for place, each in enumerate(pair)}
    return tf.function(step, autograph=False), held


def _initial(seed: int) -> dict[str, np.ndarray]:
    """He-normal kernels and zero biases (arXiv 1502.01852)."""
    arrays = {}
    for index, (name, shape) in enumerate(classifier.SHAPES.items()):
        scale = math.sqrt(2.0 / math.prod(shape[:-1])) if name.endswith("kernel") else 0.0
        arrays[name] = scale * tf.random.stateless_normal(shape, [seed, index]).numpy()
    return arrays


def _rate(number: tf.Tensor, total: int, recipe: Settings) -> tf.Tensor:
    done = tf.cast(number, tf.float32)
    warm = tf.minimum(1.0, (done + 1.0) / recipe.warmup_steps)
    return recipe.learning_rate * warm * 0.5 * (1.0 + tf.cos(math.pi * done / total))


def _adam(weight: tf.Variable, gradient: tf.Tensor, moments: list[tf.Variable], rate: tf.Tensor, t: tf.Tensor) -> None:
    """One step of Adam with its usual beta_1 .9, beta_2 .999 and epsilon 1e-8 (arXiv 1412.6980)."""
    first, second = moments
    first.assign(0.9 * first + 0.1 * gradient)
    second.assign(0.999 * second + 0.001 * tf.square(gradient))
    rate = rate * tf.sqrt(1.0 - tf.pow(0.999, t)) / (1.0 - tf.pow(0.9, t))
    weight.assign_sub(rate * first / (tf.sqrt(second) + 1e-8))


def _augmented(images: tf.Tensor, recipe: Settings, seed: tf.Tensor) -> tf.Tensor:
    """Turns images about their centre and shifts them, each by its own draw; bilinear, black outside."""
    draws = tf.random.stateless_uniform([recipe.batch_size, 3], seed, -1.0, 1.0)
    angle = draws[:, 0] * math.radians(recipe.rotation)
    cosine, sine, centre = tf.cos(angle), tf.sin(angle), 13.5
    shift_x = centre - centre * (cosine - sine) + recipe.shift * draws[:, 1]
    shift_y = centre - centre * (sine + cosine) + recipe.shift * draws[:, 2]
    zero = tf.zeros_like(angle)
    transforms = tf.stack([cosine, -sine, shift_x, sine, cosine, shift_y, zero, zero], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=[28, 28],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
