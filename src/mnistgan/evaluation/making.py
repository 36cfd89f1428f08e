"""Makes both rulers from the data, each with a card that says how far it can be trusted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from mnistgan.datasets.arrays import Images
from mnistgan.evaluation import fitting
from mnistgan.evaluation.faults import SPOILED
from mnistgan.metrics.fid import fid
from mnistgan.metrics.intervals import wilson
from mnistgan.metrics.rounding import rounded
from mnistgan.progress import Progress, silent
from mnistgan.rulers import cards, classifier, pixels
from mnistgan.rulers.classifier import Classifier
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import RealData, fixed_order, subset, without_class

ARCHITECTURE = [
    "pixels / 255",
    *(f"conv 3x3, {width}, same, ReLU, max-pool 2" for width in (32, 64, 64)),
    "dense 64, leaky ReLU of slope 0.1 (penultimate)",
    "dense 10 (logits)",
]

SPOILT = "validation images spoiled on purpose"


@dataclass(frozen=True)
class Ruler:
    """A ruler before it is saved."""

    name: str
    arrays: cards.Arrays
    card: cards.Card


@dataclass(frozen=True)
class Comparison:
    """Rulers just made beside the pinned ones, and whether each one's arrays are the same."""

    pinned_accuracy: float  # on test
    agreement: float  # share of test images that both classifiers call the same
    same_classifier: bool
    same_pixels: bool


def stand_in(real: RealData) -> Ruler:
    """Makes what stands in the classifier's place where images bear no labels, which is the pixel ruler; its card."""
    card = {
        classifier.CLASSES: 0,
        "what": "no classifier, for the images bear no labels: the pixel ruler's components are its penultimate layer",
        "layers": {"penultimate": pixels.COMPONENTS, "logits": 1},
        "data": _data(real),
    }
    return Ruler(classifier.NAME, pixels.fit(real.train.images), card)


def make_classifier(
    real: RealData, recipe: fitting.Settings, progress: Progress = silent, state: Path | None = None
) -> Ruler:
    """Trains the classifier and writes its card; test is measured once, after the epoch was chosen.

    ``state``: as :func:`fitting.fit`.
    """
    noun = real.facts.noun
    fit = fitting.fit(real.train, real.validation, recipe, progress, state)
    network = Classifier(fit.arrays, "not saved yet", len(real.facts.classes))
    absent = absences(network, real)
    if real.facts.missing_class is None:
        real = with_missing_class(real, absent)
    card = {
        classifier.CLASSES: len(real.facts.classes),
        "what": f"a small {noun} classifier; FID and its kin read its penultimate layer and its logits",
        "layers": {layer: classifier.SHAPES[f"{layer}/bias"][0] for layer in classifier.LAYERS},
        "architecture": ARCHITECTURE,
        "data": _data(real),
        "training": {**asdict(recipe), "chosen_epoch": fit.chosen.number},
        "validation_by_epoch": {str(epoch.number): rounded(epoch.accuracy) for epoch in fit.epochs},
        "accuracy": {"validation": _accuracy(network, real.validation), "test": _accuracy(network, real.test)},
        "confusion": {
            "what": f"of the test images: key, the true {noun}; position, the {noun} that the classifier says",
            **_confusion(network, real.test, real.facts.classes),
        },
        "absences": {
            "what": f"FID of training images without one {noun} against validation, by the penultimate layer",
            **rounded(absent),
        },
        "blind_spots": {
            "what": f"{SPOILT}: accuracy, and FID against test in {_units(real)}",
            **_blind_spots(real, lambda images: network.features(images).penultimate, network),
        },
        "made_with": {"tensorflow": tf.__version__, "numpy": np.__version__},
    }
    return Ruler(classifier.NAME, fit.arrays, card)


def absences(network: Classifier, real: RealData) -> dict[str, float]:
    """FID against validation of as many training images without a class; of each class."""
    truth = network.features(real.validation.images).penultimate
    rows = fixed_order(len(real.train))[: 2 * len(real.validation)]
    features, labels = network.features(real.train.images[rows]).penultimate, real.train.labels[rows]
    return {name: fid(features[labels != place][: len(truth)], truth) for place, name in enumerate(real.facts.classes)}


def with_missing_class(real: RealData, absent: Mapping[str, Any]) -> RealData:
    """Chooses the class whose absence is the unit: that of the upper median FID, so that no odd class decides.

    ``absent``: :func:`absences`, or what the card has of them.
    """
    classes = real.facts.classes
    missing = sorted(range(len(classes)), key=lambda place: absent[classes[place]])[len(classes) // 2]
    chosen = "the upper median of the FIDs of each class's absence, by the classifier ruler on validation"
    return replace(real, facts=real.facts.model_copy(update={"missing_class": missing, "missing_class_chosen": chosen}))


def make_pixels(real: RealData) -> Ruler:
    """Fits the pixel ruler and writes its card."""
    arrays = pixels.fit(real.train.images)
    ruler = PixelRuler(arrays, "not saved yet")
    card = {
        "what": "the first principal components of the training images' pixels in [0, 1]",
        "layers": {"components": pixels.COMPONENTS},
        "data": _data(real),
        "explained_variance": rounded(
            {name: pixels.explained(getattr(real, name).images, ruler) for name in ("train", "validation", "test")}
        ),
        "blind_spots": {
            "what": f"{SPOILT}: FID against test in {_units(real)}",
            **_blind_spots(real, ruler.features),
        },
        "made_with": {"numpy": np.__version__},
    }
    return Ruler(pixels.NAME, arrays, card)


def _units(real: RealData) -> str:
    return f"no-{real.missing_name} units" if real.facts.classes else "floors"


def compare(made: Path, pinned: Path, test: Images) -> Comparison:
    """Compares the rulers in one folder with those in another. Raises RulerError where one is not as on its card."""
    new, old = classifier.load(made), classifier.load(pinned)
    said, said_before = (network.features(test.images).logits.argmax(axis=1) for network in (new, old))
    return Comparison(
        pinned_accuracy=float(np.mean(said_before == test.labels)),
        agreement=float(np.mean(said == said_before)),
        same_classifier=_same_arrays(made, pinned, classifier.NAME),
        same_pixels=_same_arrays(made, pinned, pixels.NAME),
    )


def _same_arrays(made: Path, pinned: Path, name: str) -> bool:
    """Whether the arrays are the same; their archives' headers may differ, the pinned ones' are of an earlier form."""
    (new, _), (old, _) = (cards.read(folder, name) for folder in (made, pinned))
    return new.keys() == old.keys() and all(np.array_equal(new[key], old[key]) for key in new)


def _data(real: RealData) -> cards.Card:
    names = ("train", "validation", "test")
    splits = {name: getattr(real, name) for name in names}
    return {name: {"images": len(split), "sha256": split.digest} for name, split in splits.items()}


def _accuracy(network: Classifier, images: Images) -> cards.Card:
    share = float(np.mean(network.features(images.images).logits.argmax(axis=1) == images.labels))
    interval = wilson(share, len(images))
    card: cards.Card = rounded({"value": share, "low": interval.low, "high": interval.high})
    return card


def _confusion(network: Classifier, images: Images, names: Sequence[str]) -> dict[str, str]:
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (images.labels, network.features(images.images).logits.argmax(axis=1)), 1)
    return {name: " ".join(map(str, row)) for name, row in zip(names, counts, strict=True)}


def _blind_spots(
    real: RealData, features: Callable[[np.ndarray], np.ndarray], network: Classifier | None = None
) -> dict[str, cards.Card]:
    count = min(len(real.validation), len(real.test))
    validation = real.validation[subset(len(real.validation), count, "validation")]
    truth = features(real.test.images)
    lacking = without_class(real, count) if real.facts.classes else validation
    unit = fid(features(lacking.images), truth)
    found = {}
    for name, spoil in SPOILED.items():
        images = spoil(validation.images)
        row = {"units": fid(features(images), truth) / unit}
        if network and name != "first_1000_repeated":
            row["accuracy"] = _accuracy(network, Images(images, validation.labels))["value"]
        found[name] = rounded(row)
    return found
