"""Measures a generator on validation images while it trains."""

import numpy as np

from mnistgan.datasets.arrays import Images
from mnistgan.families.contract import Ask
from mnistgan.families.sampling import Sampler
from mnistgan.metrics.checks import DIGITS
from mnistgan.metrics.class_balance import class_balance, class_prior
from mnistgan.metrics.fid import frechet_distance, gaussian
from mnistgan.metrics.looks import Look, divergence_without
from mnistgan.metrics.manifold import manifold
from mnistgan.metrics.repetition import repetition
from mnistgan.metrics.rounding import rounded
from mnistgan.rulers.classifier import Classifier
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import subset

LOOK_SAMPLES = 2000
LOOK_STREAM = 8  # sets a look's latents apart from BatchNorm's, every grid's and evaluation's


class Validation:
    """The validation images that looks compare with: 2,000, always the same ones, or all where there are fewer.

    ``train`` gives the classes' prior. ``seed`` draws the latents, as many as there are images, the same each time:
    what changes from look to look is the generator alone. Raises MetricError where there are too few images of a class
    for a look.
    """

    def __init__(self, train: Images, validation: Images, classifier: Classifier, pixels: PixelRuler, seed: int):
        count = min(LOOK_SAMPLES, len(validation))
        self.real = validation[subset(len(validation), count, "validation")]
        self.names = DIGITS[: classifier.classes]
        self.prior = class_prior(train.labels, classifier.classes)
        self.classifier = classifier
        self.pixels = pixels
        self.seed = seed
        self._features = classifier.features(self.real.images).penultimate
        self._gaussian = gaussian(self._features, "validation")
        self._pixels_gaussian = gaussian(pixels.features(self.real.images), "validation")
        # What these images can't measure is said now, not after the first epoch.
        class_balance(self.real.labels, self.prior, self.names)
        repetition(self._features, self.real.labels, self._features, self.real.labels, self.names)

    def look(self, sampler: Sampler, epoch: int, step: int) -> Look:
        """Looks at what a network draws."""
        return self.measure(sampler.images(Ask(len(self.real), [self.seed, LOOK_STREAM])), epoch, step)

    def measure(self, samples: np.ndarray, epoch: int, step: int) -> Look:
        """Measures samples uint8 [N, 28, 28], N as of validation; rounded. Raises MetricError for another N."""
        features = self.classifier.features(samples)
        classes = features.logits.argmax(axis=1)
        balance = class_balance(classes, self.prior, self.names)
        repeating = repetition(features.penultimate, classes, self._features, self.real.labels, self.names)
        within = manifold(features.penultimate, self._features)
        return Look(
            epoch=epoch,
            step=step,
            fid=rounded(frechet_distance(gaussian(features.penultimate, "samples"), self._gaussian)),
            fid_pixels=rounded(
                frechet_distance(gaussian(self.pixels.features(samples), "samples"), self._pixels_gaussian)
            ),
            class_divergence=rounded(balance.divergence),
            missing_class=rounded(divergence_without(self.prior.min())),
            smallest_ratio=rounded(balance.smallest_ratio),
            dropped=len(balance.dropped),
            dropped_classes=" ".join(balance.dropped),
            coverage=rounded(within.coverage),
            repetition=rounded(repeating.share),
        )
