"""Generated images against real ones: every metric, beside what real data gets for it.

N generated images stand against N test images. A floor, or a real value, is what N validation images get in the
generated images' place. The no-8 unit is the FID of N real images without a single 8, the same under any ruler: a
generator at 0.5 units is half a missing digit away.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mnistgan.metrics import fid, kid, novelty, repetition
from mnistgan.metrics import pixels as pixel_statistics
from mnistgan.metrics.class_balance import ClassBalance, class_balance, class_prior, highest_share, lowest_share
from mnistgan.metrics.classifier_score import classifier_score, unsure, unsure_share
from mnistgan.metrics.manifold import Manifold, expected_coverage, manifold
from mnistgan.progress import Progress, silent
from mnistgan.rulers.classifier import Classifier, Features
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import MISSING_DIGIT, RealData, fixed_order, subset, without_digit
from mnistgan.rulers.rounding import rounded

# Repetition needs 100 real images of each class; the rarest has 1 in 11.
LEAST_FOR_REPETITION = 1500

Report = dict[str, Any]


Seen = Literal["all", "train"] | int
"""The real images that a generator has seen, and so could copy: ``train``, the 50,000, or the first so many of them;
validation is fresh to it. ``all``: all 60,000; only test is fresh to it."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """``report``: nested numbers, rounded, as metrics/evaluation.json holds them; ``balance``: the classes."""

    report: Report
    balance: ClassBalance


@dataclass(frozen=True, eq=False)
class _Measured:
    """A set of images and what both rulers see in it."""

    images: np.ndarray
    classifier: Features
    pixels: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        digits: np.ndarray = self.classifier.logits.argmax(axis=1)
        return digits

    def take(self, rows: np.ndarray) -> "_Measured":
        return _Measured(self.images[rows], self.classifier.take(rows), self.pixels[rows])


def evaluate(
    generated: np.ndarray,
    real: RealData,
    classifier: Classifier,
    pixels: PixelRuler,
    trained_on: Seen = "train",
    progress: Progress = silent,
) -> Evaluation:
    """Measure generated images uint8 [N, 28, 28], N at most the number of test and of validation images.

    Raises MetricError where N is too large, or too small for a metric.
    """
    count = len(generated)
    # Intervals come from blocks of neighbours, and other people's samples may be sorted by class.
    generated = generated[fixed_order(count)]
    test_rows = subset(len(real.test), count, "test")
    validation_rows = subset(len(real.validation), count, "validation")

    def measured(images: np.ndarray, name: str) -> _Measured:
        return _Measured(images, classifier.features(images, progress, f"features of {name}"), pixels.features(images))

    samples = measured(generated, "samples")
    test, validation = measured(real.test.images, "test"), measured(real.validation.images, "validation")
    truth, floor = test.take(test_rows), validation.take(validation_rows)
    no_8 = measured(without_digit(real, count).images, f"real without {MISSING_DIGIT}")
    balance = class_balance(samples.predicted, class_prior(real.train.labels))
    report = {
        **_distances(samples, truth, floor, no_8, progress),
        **_manifolds(samples, truth, floor, real.test.labels[test_rows], progress),
        **_scores(samples, floor),
        "classes": _classes(balance),
        **_novelties(samples, measured(real.train.images, "train"), validation, test, trained_on, progress),
        "repetition": _repetition(samples, test, real.test.labels),
        "pixels": _pixels(samples, truth, floor),
        "samples": count,
    }
    return Evaluation(rounded(report), balance)


def _distances(
    samples: _Measured, truth: _Measured, floor: _Measured, no_8: _Measured, progress: Progress
) -> dict[str, Report]:
    layers = {
        "fid": lambda of: of.classifier.penultimate,
        "fid_logits": lambda of: of.classifier.logits,
        "fid_pixels": lambda of: of.pixels,
    }
    sets = (samples, truth, floor, no_8)
    report = {name: _fid(*map(layer, sets), progress=_of(name, progress)) for name, layer in layers.items()}
    found = kid.kid(samples.classifier.penultimate, truth.classifier.penultimate, progress=progress)
    report["kid"] = {
        "value": found.value,
        "standard_error": found.standard_error,
        "floor": kid.kid(floor.classifier.penultimate, truth.classifier.penultimate).value,
    }
    return report


def _of(name: str, progress: Progress) -> Progress:
    """Progress that tells whose task it is."""

    def report(task: str, done: int, total: int, note: str = "") -> None:
        progress(f"{name}: {task}", done, total, note)

    return report


def _fid(samples: np.ndarray, truth: np.ndarray, floor: np.ndarray, no_8: np.ndarray, *, progress: Progress) -> Report:
    interval = fid.fid_interval(samples, truth, progress=progress)
    unit = fid.fid(no_8, truth)
    return {
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "floor": fid.fid(floor, truth),
        "no_8": unit,
        "units": interval.value / unit,
        "infinity": fid.fid_infinity(samples, truth, progress=progress),
    }


def _manifolds(
    samples: _Measured, truth: _Measured, floor: _Measured, test_labels: np.ndarray, progress: Progress
) -> dict[str, Report]:
    found = manifold(samples.classifier.penultimate, truth.classifier.penultimate, progress=progress)
    real = manifold(floor.classifier.penultimate, truth.classifier.penultimate, progress=progress)
    report: dict[str, Report] = {
        name: {"value": getattr(found, name), "real": getattr(real, name)}
        for name in ("precision", "recall", "density", "coverage")
    }
    report["coverage"] |= _worst_coverage(found, real, test_labels, len(samples.images))
    return report


def _worst_coverage(found: Manifold, real: Manifold, labels: np.ndarray, count: int) -> Report:
    worst = lowest_share(found.covered, labels)
    return {
        "expected": expected_coverage(count),
        "worst_digit": int(worst.name),
        "worst": worst.share,
        "worst_real": lowest_share(real.covered, labels).share,
    }


def _scores(samples: _Measured, floor: _Measured) -> dict[str, Report]:
    generated, real = samples.classifier.probabilities, floor.classifier.probabilities
    worst = highest_share(unsure(generated), samples.predicted)
    return {
        "classifier_score": {"value": classifier_score(generated), "real": classifier_score(real)},
        "unsure": {
            "value": unsure_share(generated),
            "real": unsure_share(real),
            "worst_digit": int(worst.name),
            "worst": worst.share,
            "worst_real": highest_share(unsure(real), floor.predicted).share,
        },
    }


def _classes(balance: ClassBalance) -> Report:
    return {
        "divergence": balance.divergence,
        "expected": balance.expected_divergence,
        "smallest_digit": int(balance.smallest),
        "smallest_ratio": balance.smallest_ratio,
        "dropped": len(balance.dropped),
    }


def _novelties(
    samples: _Measured,
    train: _Measured,
    validation: _Measured,
    test: _Measured,
    trained_on: Seen,
    progress: Progress,
) -> dict[str, Report]:
    if isinstance(trained_on, int):
        train = train.take(np.arange(trained_on))
    seen, fresh = ([train, validation], test) if trained_on == "all" else ([train], validation)
    seen_images = np.concatenate([part.images for part in seen])
    seen_features = np.concatenate([part.classifier.penultimate for part in seen])
    pixels = novelty.novelty_in_pixels(samples.images, seen_images, fresh.images, progress=progress)
    features = novelty.novelty_in_features(
        samples.classifier.penultimate, seen_features, fresh.classifier.penultimate, progress=progress
    )
    return {"novelty_pixels": _novelty(pixels), "novelty_features": _novelty(features)}


def _novelty(found: novelty.Novelty) -> Report:
    return {
        "train_share": found.train_share,
        "null": found.null_share,
        "null_deviation": found.null_deviation,
        "excess": found.excess,
        "copied": found.copied.value,
        "copied_low": found.copied.low,
        "copied_high": found.copied.high,
    }


def _repetition(samples: _Measured, test: _Measured, test_labels: np.ndarray) -> Report:
    rows = subset(len(test_labels), max(len(samples.images), LEAST_FOR_REPETITION), "test")
    found = repetition.repetition(
        samples.classifier.penultimate, samples.predicted, test.classifier.penultimate[rows], test_labels[rows]
    )
    return {
        "value": found.share,
        "expected": found.expected,
        "worst_digit": int(found.worst.name),
        "worst": found.worst.share,
    }


def _pixels(samples: _Measured, truth: _Measured, floor: _Measured) -> Report:
    generated, real, fresh = (
        pixel_statistics.pixels(of.images, name)
        for of, name in ((samples, "samples"), (truth, "test"), (floor, "validation"))
    )
    return {
        "ink": generated.ink,
        "ink_real": real.ink,
        "background": generated.background,
        "background_real": real.background,
        "spectrum_gap": pixel_statistics.spectrum_gap(generated, real),
        "spectrum_gap_floor": pixel_statistics.spectrum_gap(fresh, real),
    }


def class_rows(balance: ClassBalance) -> Iterable[tuple[int, float, float]]:
    """Each digit with its share among the samples and among the training images, rounded."""
    for digit, (share, prior) in enumerate(zip(balance.shares, balance.prior, strict=True)):
        yield digit, rounded(share), rounded(prior)
