"""Measures generated images against real ones: every metric, beside what real images get for it.

N generated images stand against N test images. A floor, or a real value, is what N validation images get in the
generated images' place. A relative FID is FID over that of N real images without one class, the same under any
ruler: at 0.5 a generator is half a missing class away. Of data without classes it is FID over its floor, and all images
are one class, whose figures are left out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mnistgan.errors import MetricError
from mnistgan.families.sampling import Sampler, latents
from mnistgan.metrics import catalog, fid, kid, novelty, pixel_statistics, repetition
from mnistgan.metrics.as_asked import as_asked, expected_divergence
from mnistgan.metrics.checks import DIGITS
from mnistgan.metrics.class_balance import ClassBalance, class_balance, class_prior, highest_share, lowest_share
from mnistgan.metrics.classifier_score import classifier_score, unsure, unsure_share
from mnistgan.metrics.interpolation import interpolation
from mnistgan.metrics.manifold import expected_coverage, manifold
from mnistgan.metrics.rounding import rounded
from mnistgan.progress import Progress, silent
from mnistgan.rulers.classifier import Classifier, Features
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import RealData, fixed_order, subset, without_class

# Repetition needs 100 real images of each class; the rarest has 1 in 11.
LEAST_FOR_REPETITION = 1500

Report = dict[str, Any]
Fresh = Literal["validation", "train"]
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
    images: np.ndarray
    classifier: Features
    pixels: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        digits: np.ndarray = self.classifier.logits.argmax(axis=1)
        return digits

    def take(self, rows: np.ndarray) -> "_Measured":
        return _Measured(self.images[rows], self.classifier.take(rows), self.pixels[rows])


# What each FID is taken on.
LAYERS: Mapping[str, Callable[[_Measured], np.ndarray]] = {
    "fid": lambda of: of.classifier.penultimate,
    "fid_logits": lambda of: of.classifier.logits,
    "fid_pixels": lambda of: of.pixels,
}
OF_LOGITS = "fid_logits"  # which data without classes lacks


class Reference:
    """The real images that sets of ``count`` images are measured against, with both rulers' features of them.

    It is made once; each :meth:`measure` then costs its own set alone. Raises MetricError where there are fewer than
    ``count`` test or validation images.
    """

    def __init__(
        self, real: RealData, classifier: Classifier, pixels: PixelRuler, count: int, progress: Progress = silent
    ):
        self.real = real
        self.count = count
        self._rulers = classifier, pixels
        self._test_rows = subset(len(real.test), count, "test")
        validation_rows = subset(len(real.validation), count, "validation")
        self._names = DIGITS[: classifier.classes]
        self._prior = class_prior(real.train.labels, classifier.classes)
        self._test = self._see(real.test.images, "test", progress)
        self._validation = self._see(real.validation.images, "validation", progress)
        self._train = self._see(real.train.images[:0], "train", silent)
        self._truth, self._floor = self._test.take(self._test_rows), self._validation.take(validation_rows)
        layers = {name: of for name, of in LAYERS.items() if real.facts.classes or name != OF_LOGITS}
        self._fids = {name: {"floor": fid.fid(of(self._floor), of(self._truth))} for name, of in layers.items()}
        if real.facts.classes:
            lacking = self._see(without_class(real, count).images, f"real without {real.missing_name}", progress)
            for name, of in layers.items():
                self._fids[name]["missing_class"] = fid.fid(of(lacking), of(self._truth))
        floor, truth = self._floor.classifier.penultimate, self._truth.classifier.penultimate
        self._kid_floor = kid.kid(floor, truth, progress=_of("floor", progress)).value
        self._real_manifold = manifold(floor, truth, progress=_of("floor", progress))

    def measure(
        self,
        generated: np.ndarray,
        seen: Seen = "train",
        fresh: Fresh = "validation",
        asked: np.ndarray | None = None,
        progress: Progress = silent,
    ) -> Evaluation:
        """Measures images uint8 [count, 28, 28] of a generator that has seen the images ``seen``.

        ``fresh`` are those held beside them to see whether samples stand nearer to what was seen: validation, or the
        training images past the first so many that were seen, or test for one that has seen all others. ``asked``
        [count]: the classes that the images should show, where they were asked for by the training set's shares
        exactly. Raises MetricError for another number of images.
        """
        if len(generated) != self.count:
            raise MetricError(f"got {len(generated)} images; expected the {self.count} that the real ones were cut to")
        # Intervals come from blocks of neighbours, and other people's samples may be sorted by class.
        order = fixed_order(self.count)
        samples = self._see(generated[order], "samples", progress)
        balance = class_balance(samples.predicted, self._prior, self._names)
        report: Report = {
            **self._distances(samples, progress),
            **self._manifolds(samples, progress),
            **_scores(samples, self._floor, self._names),
            "classes": {
                "divergence": balance.divergence,
                "expected": balance.expected_divergence,
                "smallest_class": int(balance.smallest),
                "smallest_ratio": balance.smallest_ratio,
                "dropped": len(balance.dropped),
            },
            **self._novelties(samples, seen, fresh, progress),
            "repetition": self._repetition(samples),
            "pixels": _pixels(samples, self._truth, self._floor),
            "samples": self.count,
        }
        if asked is not None:
            report["as_asked"] = self._as_asked(samples, asked[order])
            report["classes"]["expected"] = expected_divergence(*self._read_and_labels, self._prior)
        return Evaluation(rounded(report if self.real.facts.classes else _without_classes(report)), balance)

    def _see(self, images: np.ndarray, name: str, progress: Progress) -> _Measured:
        classifier, pixels = self._rulers
        return _Measured(images, classifier.features(images, progress, f"features of {name}"), pixels.features(images))

    def _first_of_train(self, count: int, progress: Progress) -> _Measured:
        """Sees the first ``count`` training images at least, once: what a model never saw costs nothing."""
        if len(self._train.images) < count:
            self._train = self._see(self.real.train.images[:count], "train", progress)
        return self._train

    def _distances(self, samples: _Measured, progress: Progress) -> dict[str, Report]:
        report = {name: self._fid(name, samples, _of(name, progress)) for name in self._fids}
        found = kid.kid(samples.classifier.penultimate, self._truth.classifier.penultimate, progress=progress)
        report["kid"] = {"value": found.value, "standard_error": found.standard_error, "floor": self._kid_floor}
        return report

    def _fid(self, name: str, samples: _Measured, progress: Progress) -> Report:
        features, truth = LAYERS[name](samples), LAYERS[name](self._truth)
        interval = fid.fid_interval(features, truth, progress=progress)
        beside = self._fids[name]
        return {
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
            **beside,
            "relative": interval.value / beside.get("missing_class", beside["floor"]),
            "infinity": fid.fid_infinity(features, truth, progress=progress),
        }

    def _manifolds(self, samples: _Measured, progress: Progress) -> dict[str, Report]:
        real = self._real_manifold
        found = manifold(samples.classifier.penultimate, self._truth.classifier.penultimate, progress=progress)
        report: dict[str, Report] = {
            name: {"value": getattr(found, name), "real": getattr(real, name)}
            for name in ("precision", "recall", "density", "coverage")
        }
        labels = self.real.test.labels[self._test_rows]
        worst = lowest_share(found.covered, labels, self._names)
        report["coverage"] |= {
            "expected": expected_coverage(self.count),
            "worst_class": int(worst.name),
            "worst": worst.share,
            "worst_real": lowest_share(real.covered, labels, self._names).share,
        }
        return report

    @property
    def _read_and_labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Of validation: the classes that are read in it, and those that it has."""
        return self._validation.predicted, self.real.validation.labels

    def _as_asked(self, samples: _Measured, asked: np.ndarray) -> Report:
        found = as_asked(samples.predicted, asked, self._names)
        real = as_asked(*self._read_and_labels, self._names)
        return {
            "value": found.share.value,
            "low": found.share.low,
            "high": found.share.high,
            "real": real.share.value,
            "worst_class": int(found.worst.name),
            "worst": found.worst.share,
            "worst_real": real.worst.share,
        }

    def _novelties(self, samples: _Measured, seen: Seen, fresh: Fresh, progress: Progress) -> dict[str, Report]:
        total = len(self.real.train)
        count = seen if isinstance(seen, int) else total
        measured = self._first_of_train(total if fresh == "train" else count, progress)
        train = measured.take(np.arange(count))
        known = [train, self._validation] if seen == "all" else [train]
        unseen = measured.take(np.arange(count, total)) if fresh == "train" else self._validation
        held_out = self._test if seen == "all" else unseen
        images = np.concatenate([part.images for part in known])
        features = np.concatenate([part.classifier.penultimate for part in known])
        in_pixels = novelty.novelty_in_pixels(samples.images, images, held_out.images, progress=progress)
        in_features = novelty.novelty_in_features(
            samples.classifier.penultimate, features, held_out.classifier.penultimate, progress=progress
        )
        return {"novelty_pixels": _novelty(in_pixels), "novelty_features": _novelty(in_features)}

    def _repetition(self, samples: _Measured) -> Report:
        labels = self.real.test.labels
        rows = subset(len(labels), min(len(labels), max(self.count, LEAST_FOR_REPETITION)), "test")
        found = repetition.repetition(
            samples.classifier.penultimate,
            samples.predicted,
            self._test.classifier.penultimate[rows],
            labels[rows],
            self._names,
        )
        return {
            "value": found.share,
            "expected": found.expected,
            "worst_class": int(found.worst.name),
            "worst": found.worst.share,
        }


def _of(name: str, progress: Progress) -> Progress:
    return lambda task, done, total, note="": progress(f"{name}: {task}", done, total, note)


def _without_classes(report: Report) -> Report:
    """Leaves out what only data with classes has."""
    held = {
        section: {name: figures[name] for name in figures if f"{section}.{name}" not in catalog.OF_CLASSES}
        for section, figures in report.items()
        if isinstance(figures, dict)
    }
    return {section: held.get(section, value) for section, value in report.items() if held.get(section) != {}}


def _scores(samples: _Measured, floor: _Measured, names: Sequence[str]) -> dict[str, Report]:
    generated, real = samples.classifier.probabilities, floor.classifier.probabilities
    worst = highest_share(unsure(generated), samples.predicted, names)
    return {
        "classifier_score": {"value": classifier_score(generated), "real": classifier_score(real)},
        "unsure": {
            "value": unsure_share(generated),
            "real": unsure_share(real),
            "worst_class": int(worst.name),
            "worst": worst.share,
            "worst_real": highest_share(unsure(real), floor.predicted, names).share,
        },
    }


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
    """Lists each class with its share among the samples and among the training images, rounded; none of one alone."""
    for name, (share, prior) in enumerate(zip(balance.shares, balance.prior, strict=True)):
        if len(balance.prior) > 1:
            yield name, rounded(share), rounded(prior)


PATHS, STEPS = 100, 16  # between pairs of latents
STREAM = 3  # sets their latents apart from the samples'


def smoothness(sampler: Sampler, seed: int) -> Report:
    """Reports the largest step of walks between latents of ``seed``, as shares of a walk, beside an even one's."""
    ends = latents([seed, STREAM], 2 * PATHS, sampler.latent_size).reshape(PATHS, 2, -1)
    found = interpolation(sampler.walks(ends, STEPS, [seed, STREAM]))
    report: Report = rounded({"largest_step": found.largest_step, "even": found.even})
    return report
