"""Tries an idea for the training step at a short budget, on validation; docs/recipes.md was screened with it.

Changes to the recipe are given as params.yaml has them, and the pipeline's own step trains by them; ideas that it does
not hold are options here. Prints a line an epoch: FID of 10,000 samples against the validation images, relative,
and what goes with it. Never reads the test images.

    .venv/bin/python benchmarks/screen.py --set epochs=2 --set feature_weight=0
    .venv/bin/python benchmarks/screen.py --set epochs=1 --loss hinge --spectral-norm
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from ruamel.yaml import YAML  # noqa: E402

from benchmarks.mnist import RULERS, SPEC  # noqa: E402
from mnistgan import params  # noqa: E402
from mnistgan.datasets import contract  # noqa: E402
from mnistgan.datasets.arrays import Images, load  # noqa: E402
from mnistgan.datasets.idx import CLASSES  # noqa: E402
from mnistgan.families.contract import Ask, At, Batch, Draw, Spec  # noqa: E402
from mnistgan.families.dcgan import DCGAN  # noqa: E402
from mnistgan.families.dcgan.losses import (  # noqa: E402
    balance_loss,
    feature_loss,
    gradient_penalty,
    label_loss,
    realness,
    shares,
)
from mnistgan.families.dcgan.networks import SLOPE, Discriminator  # noqa: E402
from mnistgan.families.dcgan.recipe import Recipe  # noqa: E402
from mnistgan.families.dcgan.step import NOISE, STEPS_A_PENALTY, Pair  # noqa: E402
from mnistgan.families.sampling import Sampler, latents  # noqa: E402
from mnistgan.metrics.class_balance import class_balance, class_prior  # noqa: E402
from mnistgan.metrics.fid import fid  # noqa: E402
from mnistgan.metrics.manifold import manifold  # noqa: E402
from mnistgan.nn.layers import recompute_batchnorm  # noqa: E402
from mnistgan.rulers import classifier, pixels  # noqa: E402
from mnistgan.rulers.real import RealData, without_class  # noqa: E402
from mnistgan.training.loop import STATISTICS_LATENTS, STATISTICS_STREAM  # noqa: E402
from mnistgan.training.state import TrainingState  # noqa: E402
from mnistgan.training.step import Steps  # noqa: E402
from pipeline import runtime  # noqa: E402

SAMPLES, SAMPLES_SEED, CALL = 10_000, 99, 50
Losses = tuple[tf.Tensor, tf.Tensor]
Judge = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def saturating_free(real: tf.Tensor, fake: tf.Tensor) -> Losses:
    """The article's: of the generator, of the discriminator."""
    return tf.reduce_mean(tf.nn.softplus(-fake)), tf.reduce_mean(tf.nn.softplus(-real) + tf.nn.softplus(fake))


def hinge(real: tf.Tensor, fake: tf.Tensor) -> Losses:
    """Lim and Ye, arXiv 1705.02894."""
    return -tf.reduce_mean(fake), tf.reduce_mean(tf.nn.relu(1 - real) + tf.nn.relu(1 + fake))


def relativistic(real: tf.Tensor, fake: tf.Tensor) -> Losses:
    """Real and generated in pairs: Huang et al. (R3GAN), arXiv 2501.05441."""
    return tf.reduce_mean(tf.nn.softplus(real - fake)), tf.reduce_mean(tf.nn.softplus(fake - real))


def least_squares(real: tf.Tensor, fake: tf.Tensor) -> Losses:
    """Mao et al., arXiv 1611.04076."""
    return tf.reduce_mean((fake - 1) ** 2), tf.reduce_mean((real - 1) ** 2 + fake**2)


LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], Losses]] = {
    "article": saturating_free,
    "hinge": hinge,
    "relativistic": relativistic,
    "least-squares": least_squares,
}


class Trial(DCGAN):
    """The pipeline's step with an idea added."""

    def __init__(self, idea: argparse.Namespace):
        self.idea = idea

    def build(self, recipe: Recipe, spec: Spec, seed: int) -> Pair:
        """As the DCGAN's, and what the spectral norm follows."""
        parts = super().build(recipe, spec, seed)
        layers = (parts.discriminator.conv14, parts.discriminator.conv7, parts.discriminator.dense)
        self.kernels = [layer.kernel for layer in layers]
        self.directions = [tf.Variable(tf.random.stateless_normal([1, k.shape[-1]], [1, 0])) for k in self.kernels]
        return parts

    def step(self, parts: Pair, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
        """As the DCGAN's, with the idea; without dropout."""
        idea, recipe, (real, labels) = self.idea, parts.recipe, batch
        for extra in range(1, idea.discriminator_steps):
            self._discriminator_alone(parts, batch, at, draw, extra)
        latents = self._latents(real, draw(NOISE))
        with tf.GradientTape() as of_generator, tf.GradientTape() as of_discriminator:
            fake = parts.generator(latents, training=True)
            judge = self._judge(parts)
            real_classes, real_features = judge(self._hazy(real, draw(200)))
            fake_classes, fake_features = judge(self._hazy(fake, draw(201)))
            real_logits, fake_logits = realness(real_classes), realness(fake_classes)
            to_generator, to_discriminator = LOSSES[idea.loss](real_logits, fake_logits)
            if idea.top_k < 1:
                count = tf.cast(idea.top_k * tf.cast(tf.shape(fake_logits)[0], tf.float32), tf.int32)
                kept = tf.math.top_k(fake_logits[:, 0], count).indices
                to_generator = LOSSES[idea.loss](real_logits, tf.gather(fake_logits, kept))[0]
            if parts.shares:
                of_batch = shares(fake_classes)
                parts.shares.update(shares(real_classes), of_batch)
                to_generator += idea.balance_weight * balance_loss(of_batch, parts.shares.prices())
                if idea.certainty_weight:
                    to_generator += idea.certainty_weight * doubt(fake_classes)
                to_discriminator += recipe.label_weight * label_loss(real_classes, labels, CLASSES)
            if parts.features:
                parts.features.update(real_features, fake_features)
                to_generator += recipe.feature_weight * feature_loss(fake_features, parts.features.prices())
            if recipe.gradient_penalty:
                to_discriminator += self._penalty(recipe, judge, real, at.step)
        pairs = ((of_generator, to_generator, "generator", 1.0),)
        pairs += ((of_discriminator, to_discriminator, "discriminator", recipe.discriminator_rate),)
        for tape, loss, name, factor in pairs:
            adam = parts.optimizers[name]
            adam.apply(tape.gradient(loss, adam.variables), at.step, at.rate * factor)
        probabilities = [tf.reduce_mean(tf.sigmoid(logits)) for logits in (real_logits, fake_logits)]
        return tf.stack([to_generator, to_discriminator, *probabilities])

    def _discriminator_alone(self, parts: Pair, batch: Batch, at: At, draw: Draw, extra: int) -> None:
        recipe, (real, labels) = parts.recipe, batch
        fake = parts.generator(self._latents(real, draw(100 + extra)), training=True)
        with tf.GradientTape() as tape:
            judge = self._judge(parts)
            classes = judge(real)[0]
            loss = LOSSES[self.idea.loss](realness(classes), realness(judge(fake)[0]))[1]
            if recipe.label_weight:
                loss += recipe.label_weight * label_loss(classes, labels, CLASSES)
        adam = parts.optimizers["discriminator"]
        adam.apply(tape.gradient(loss, adam.variables), at.step, at.rate * recipe.discriminator_rate)

    def _latents(self, real: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_normal([tf.shape(real)[0], self.latent_size], seed, alg="philox")

    def _hazy(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Images with noise, so that no exact white or black tells real from generated (arXiv 1610.04490)."""
        if not self.idea.instance_noise:
            return images
        return images + self.idea.instance_noise * tf.random.stateless_normal(tf.shape(images), seed, alg="philox")

    def _penalty(self, recipe: Recipe, judge: Judge, real: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
        """The pipeline's penalty, of the judge that the losses see."""

        def taken() -> tf.Tensor:
            slope = gradient_penalty(lambda images: realness(judge(images)[0]), real)
            return STEPS_A_PENALTY * recipe.gradient_penalty / 2 * slope

        return tf.cond(now % STEPS_A_PENALTY == 0, taken, lambda: 0.0)

    def _judge(self, parts: Pair) -> Judge:
        """The discriminator, its kernels divided by their largest singular value (arXiv 1802.05957) if asked for."""
        network = parts.discriminator
        if not self.idea.spectral_norm:
            return network
        kernels = [normalised(*pair) for pair in zip(self.kernels, self.directions, strict=True)]
        return lambda images: with_kernels(network, kernels, images)


def doubt(classes: tf.Tensor) -> tf.Tensor:
    """Mean entropy, in nats, of the digit that generated images pass for (Springenberg, arXiv 1511.06390)."""
    of_digits = tf.reduce_logsumexp(tf.reshape(classes, [tf.shape(classes)[0], CLASSES, -1]), axis=2)
    return -tf.reduce_mean(tf.reduce_sum(tf.nn.softmax(of_digits) * tf.nn.log_softmax(of_digits), axis=1))


def normalised(kernel: tf.Tensor, direction: tf.Variable) -> tf.Tensor:
    """A kernel over its largest singular value, by one step of the power iteration."""
    flat = tf.reshape(kernel, [-1, kernel.shape[-1]])
    left = tf.stop_gradient(tf.math.l2_normalize(direction @ tf.transpose(flat)))
    right = tf.stop_gradient(tf.math.l2_normalize(left @ flat))
    direction.assign(right)
    return kernel / (left @ flat @ tf.transpose(right))[0, 0]


def with_kernels(network: Discriminator, kernels: list[tf.Tensor], images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the discriminator's logits and features with other kernels in its layers."""
    x = tf.nn.leaky_relu(tf.nn.conv2d(images, kernels[0], 2, "SAME") + network.conv14.bias, SLOPE)
    x = tf.nn.leaky_relu(tf.nn.conv2d(x, kernels[1], 2, "SAME") + network.conv7.bias, SLOPE)
    features = tf.reshape(x, [tf.shape(x)[0], kernels[2].shape[0]])
    return features @ kernels[2] + network.dense.bias, features


def main() -> None:
    """Trains by the recipe with the changes, looking at validation after each epoch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a knob of the recipe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--loss", choices=LOSSES, default="article")
    parser.add_argument("--balance-weight", type=float, default=1.0, help="of the prices of digits and subclasses")
    parser.add_argument("--certainty-weight", type=float, default=0.0, help="of the digits' entropy; with labels")
    parser.add_argument("--instance-noise", type=float, default=0.0, help="its sd, on all that the discriminator sees")
    parser.add_argument("--spectral-norm", action="store_true")
    parser.add_argument("--discriminator-steps", type=int, default=1)
    parser.add_argument("--top-k", type=float, default=1.0, help="share of samples that teach the generator")
    idea = parser.parse_args()
    is_plain = all(
        value == parser.get_default(name) for name, value in vars(idea).items() if name not in ("set", "seed")
    )
    given = params.load(ROOT / "params.yaml")
    changes = {key: YAML(typ="safe").load(value) for key, value in (item.split("=") for item in idea.set)}
    recipe = Recipe.model_validate(given.recipe.model_dump() | changes)
    recipe = recipe.model_copy(update={"precision": runtime.precision(recipe.precision)[0]})
    tf.config.threading.set_intra_op_parallelism_threads(given.train.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    data, validation = load(ROOT / "data/train.npz"), load(ROOT / "data/validation.npz")
    report = Report(data, validation)
    family = DCGAN() if is_plain else Trial(idea)
    trial = Steps(family, recipe, TrainingState.start(family, recipe, SPEC, idea.seed), idea.seed, data)
    seconds = 0.0
    for epoch in range(recipe.epochs):
        began = time.monotonic()
        for scalars in epoch_of(trial, epoch):
            last = scalars
        seconds += time.monotonic() - began
        print(f"epoch {epoch + 1}, {seconds:.0f} s, {report(snapshot(trial))}, D(real) {last[2]:.2f}")


def epoch_of(trial: Steps, epoch: int) -> Iterator[np.ndarray]:
    """Runs an epoch; returns each call's last scalars."""
    begin, end = (trial.phases[0].step_of(each) for each in (epoch, epoch + 1))
    for place in range(begin, end, CALL):
        yield trial.run(place, min(CALL, end - place))[-1]


def snapshot(trial: Steps) -> Sampler:
    """Copies the generator with averaged weights and fresh statistics."""
    network = trial.family.build_sampled(SPEC, trial.seed)
    network.set_weights(trial.state.sampled.get_weights())
    trial.state.average.copy_to(network)
    seed = [trial.seed, STATISTICS_STREAM]
    recompute_batchnorm(network, latents(seed, STATISTICS_LATENTS, trial.family.latent_size))
    return Sampler(trial.family, network, SPEC)


class Report:
    """Figures of 10,000 samples beside the validation images."""

    def __init__(self, train: Images, validation: Images):
        self.rulers = classifier.load(RULERS), pixels.load(RULERS)
        self.prior = class_prior(train.labels)
        self.real = self._see(validation.images)
        real = RealData(train, validation, validation, contract.load("mnist", ROOT))
        lacking = without_class(real, len(validation)).images
        self.lacking = [fid(a, b) for a, b in zip(self._see(lacking)[:2], self.real[:2], strict=True)]

    def __call__(self, sampler: Sampler) -> str:
        seen = self._see(sampler.images(Ask(SAMPLES, SAMPLES_SEED)))
        both = zip(seen[:2], self.real[:2], self.lacking, strict=True)
        by_classifier, by_pixels = (fid(a, b) / unit for a, b, unit in both)
        near = manifold(seen[0], self.real[0])
        balance = class_balance(seen[2].argmax(axis=1), self.prior)
        return (
            f"relative FID {by_classifier:.3f}, in pixels {by_pixels:.2f}, coverage {near.coverage:.3f}, "
            f"recall {near.recall:.3f}, precision {near.precision:.3f}, smallest class {balance.smallest_ratio:.2f}"
        )

    def _see(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        features = self.rulers[0].features(images)
        return features.penultimate, self.rulers[1].features(images), features.logits


if __name__ == "__main__":
    main()
