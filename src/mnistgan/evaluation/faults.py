"""Makes controls: sets of real images with a known fault, and doses of four faults, that an evaluation must see.

Every set is made of real images, so what is wrong with it is known. All but the copies are made of validation, which
the rulers never trained on. That leaves novelty no fresh images of the same writers (MNIST's test images are by other
people): here a part of the training images stands for the fresh ones, and copies are of the other part.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mnistgan.datasets.arrays import Images
from mnistgan.datasets.contract import DataSet
from mnistgan.errors import DataError
from mnistgan.rulers.real import RealData, fixed_order, subset, without_class

SHIFT, STEP = 2, 8  # pixels; grey levels of 255


def haze(images: np.ndarray) -> np.ndarray:
    """Makes every pixel lighter by 8 grey levels."""
    return _grey(images.astype(np.int16) + STEP)


def checkerboard(images: np.ndarray) -> np.ndarray:
    """Makes every other pixel lighter by 8 grey levels, the rest darker."""
    rows, columns = np.indices((28, 28))
    return _grey(images + np.where((rows + columns) % 2, STEP, -STEP).astype(np.int16))


def shifted(images: np.ndarray) -> np.ndarray:
    """Moves images by 2 pixels to the right, where the margin is black."""
    return np.roll(images, SHIFT, axis=2)


def thickened(images: np.ndarray) -> np.ndarray:
    """Dilates strokes: each pixel becomes the lightest of its 3 x 3 neighbours."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    lightest: np.ndarray = np.max([padded[:, y : y + 28, x : x + 28] for y in range(3) for x in range(3)], axis=0)
    return lightest


def blurred(images: np.ndarray) -> np.ndarray:
    """Blurs: each pixel becomes the mean of its 3 x 3 neighbours."""
    padded = np.pad(images.astype(np.float32), ((0, 0), (1, 1), (1, 1)))
    return _grey(np.rint(sum(padded[:, y : y + 28, x : x + 28] for y in range(3) for x in range(3)) / 9.0))


SPOILED: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "untouched": lambda images: images,  # the floor
    "haze_8": haze,
    "checkerboard_8": checkerboard,
    "shifted_2_pixels": shifted,
    "thickened": thickened,
    "blurred": blurred,
    "first_1000_repeated": lambda images: _repeat(images[:1000], len(images)),  # no picture is wrong, variety is gone
}
"""Ways that a ruler may not see, to measure what it forgives."""


def _grey(images: np.ndarray) -> np.ndarray:
    grey: np.ndarray = np.clip(images, 0, 255).astype(np.uint8)
    return grey


DOSES = (0.01, 0.05, 0.2, 0.5)
FEW = 100  # images that a repeating generator knows
SPREAD_SETS = 4  # fewer where the training images have room for fewer
SEEN = 0.8  # of the training images, the first ones: those that copies are of; the rest is fresh
_SEED = 0


@dataclass(frozen=True)
class Control:
    """A set of images with a known fault: ``make`` builds uint8 [count, 28, 28], ``what`` names the fault.

    ``{missing}`` in it, and in a control's name, stands for the name of the missing class, ``{noise}`` for the noise.
    """

    what: str
    make: Callable[[RealData, int], np.ndarray]

    @property
    def needs_classes(self) -> bool:
        """Whether it is about one of the classes."""
        return "{missing}" in self.what


def seen(real: RealData) -> int:
    """Number of training images, the first ones, that copies are taken from."""
    return int(SEEN * len(real.train))


def validation(real: RealData, count: int) -> np.ndarray:
    """Returns validation images as they are, which a perfect generator would draw."""
    images: np.ndarray = real.validation.images[subset(len(real.validation), count, "validation")]
    return images


def training(real: RealData, count: int, place: int = 0) -> np.ndarray:
    """Copies ``count`` of the seen training images; each ``place`` from 0 gives other ones."""
    images: np.ndarray = real.train.images[fixed_order(seen(real))[place * count : (place + 1) * count]]
    return images


def noised(images: np.ndarray, levels: int) -> np.ndarray:
    """Adds normal noise of so many grey levels to every pixel."""
    drawn = np.random.Generator(np.random.PCG64(_SEED)).standard_normal(images.shape, np.float32)
    return _grey(np.rint(images + levels * drawn))


def one_digit(real: RealData, count: int) -> np.ndarray:
    """Repeats the missing class alone: as many images as there are in validation and train, over and over."""
    images = np.concatenate([part.images[part.labels == real.missing] for part in (real.validation, real.train)])
    return _repeat(images, count)


def few_repeated(real: RealData, count: int, few: int) -> np.ndarray:
    """Repeats ``few`` validation images over and over."""
    return _repeat(validation(real, count)[fixed_order(count)[:few]], count)


def _spoiled(spoil: Callable[[np.ndarray], np.ndarray]) -> Callable[[RealData, int], np.ndarray]:
    return lambda real, count: spoil(validation(real, count))


CONTROLS: Mapping[str, Control] = {
    "real": Control("real validation images: the floor", validation),
    "uniform_noise": Control(
        "every pixel drawn evenly from 0 to 255",
        lambda _real, n: np.random.Generator(np.random.PCG64(_SEED)).integers(0, 256, (n, 28, 28), np.uint8),
    ),
    "black": Control("black images", lambda _real, count: np.zeros((count, 28, 28), np.uint8)),
    "no_{missing}": Control("no {missing} among them", lambda real, count: without_class(real, count).images),
    "one_digit": Control("{missing}s alone", one_digit),
    "repeated_100": Control("100 images repeated", lambda real, count: few_repeated(real, count, 100)),
    "repeated_1000": Control("1,000 images repeated", lambda real, count: few_repeated(real, count, 1000)),
    "repeated_2000": Control("2,000 images repeated", lambda real, count: few_repeated(real, count, 2000)),
    "blur": Control("blurred, 3x3 mean", _spoiled(blurred)),
    "noise": Control(
        "normal noise, {noise} of 255", lambda real, n: noised(validation(real, n), real.facts.controls.noise)
    ),
    "binarised": Control(
        "every pixel black or white", _spoiled(lambda images: np.where(images > 127, 255, 0).astype(np.uint8))
    ),
    "inverted": Control("black on white", _spoiled(lambda images: 255 - images)),
    "shifted": Control("moved by 2 px", _spoiled(shifted)),
    "haze": Control("every pixel 8 lighter", _spoiled(haze)),
    "checkerboard": Control("checkerboard of +8 and -8", _spoiled(checkerboard)),
    "dilated": Control("strokes thicker by 1 px", _spoiled(thickened)),
    "eroded": Control("strokes thinner by 1 px", _spoiled(lambda images: 255 - thickened(255 - images))),
    "copies": Control("training images", training),
    "copies_shifted": Control("training images moved by 1 px", lambda real, n: np.roll(training(real, n), 1, axis=2)),
    "copies_noised": Control("training images, noise of 8", lambda real, n: noised(training(real, n), 8)),
}


def controls(facts: DataSet) -> dict[str, Control]:
    """Lists the controls of a data set by name; without classes, those that are about none."""
    missing = "" if facts.missing_class is None else facts.classes[facts.missing_class]
    words = {"missing": missing, "noise": facts.controls.noise}
    return {
        name.format(**words): Control(control.what.format(**words), control.make)
        for name, control in CONTROLS.items()
        if missing or not control.needs_classes
    }


def copied(real: RealData, count: int, dose: float) -> np.ndarray:
    """Replaces a share ``dose`` of the images by training images."""
    return _dosed(real, count, dose, lambda some: training(real, count)[: len(some)])


def repeated(real: RealData, count: int, dose: float) -> np.ndarray:
    """Replaces a share ``dose`` of the images by others of the set, 100 of them over and over."""
    kept = validation(real, count)[fixed_order(count)[-FEW:]]
    return _dosed(real, count, dose, lambda some: _repeat(kept, len(some)))


def class_removed(real: RealData, count: int, dose: float) -> np.ndarray:
    """Replaces a share ``dose`` of the missing class by others, of validation and then of train."""
    rows = subset(len(real.validation), count, "validation")
    images, labels = real.validation.images[rows], real.validation.labels[rows]
    members = np.flatnonzero(labels == real.missing)
    gone = members[: round(dose * len(members))]
    left = Images(np.delete(images, gone, axis=0), np.delete(labels, gone))
    others = real.train.images[real.train.labels != real.missing][: len(gone)]
    return np.concatenate([left.images, others])


DOSED: Mapping[str, Callable[[RealData, int, float], np.ndarray]] = {
    "copied": copied,
    "repeated": repeated,
    "noised": lambda real, count, dose: _dosed(real, count, dose, lambda some: noised(some, real.facts.controls.noise)),
    "class_removed": class_removed,
}


def dosed(facts: DataSet) -> list[str]:
    """Lists the faults that a data set is given in doses."""
    return [fault for fault in DOSED if facts.classes or DOSED[fault] is not class_removed]


def dosed_name(fault: str, dose: float) -> str:
    """Name of the set with a dose of a fault."""
    return f"{fault} {dose:g}"


def spread_sets(real: RealData, count: int) -> list[str]:
    """Names of the sets of training images that show how far chance moves a metric.

    Raises DataError where there is room for one alone, which has no spread.
    """
    room = min(SPREAD_SETS, seen(real) // count)
    if room < 2:
        raise DataError(
            f"{real.facts.title}: {len(real.train)} training images hold no two sets of {count}, by which it is told "
            f"how far chance moves a figure; make evaluate.samples {seen(real) // 2} or less"
        )
    return [f"training {place}" for place in range(room)]


def every_set(real: RealData, count: int) -> dict[str, Callable[[RealData, int], np.ndarray]]:
    """Lists all sets by name, each made from the real images and a count: controls, doses, and those of chance."""
    sets = {name: control.make for name, control in controls(real.facts).items()}
    faults = [(fault, DOSED[fault]) for fault in dosed(real.facts)]
    sets |= {dosed_name(fault, dose): partial(_at, make, dose) for fault, make in faults for dose in DOSES}
    return sets | {name: partial(training, place=place) for place, name in enumerate(spread_sets(real, count))}


def _at(make: Callable[[RealData, int, float], np.ndarray], dose: float, real: RealData, count: int) -> np.ndarray:
    return make(real, count, dose)


def _dosed(real: RealData, count: int, dose: float, spoil: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    images = validation(real, count).copy()
    rows = fixed_order(count)[: round(dose * count)]
    images[rows] = spoil(images[rows])
    return images


def _repeat(images: np.ndarray, count: int) -> np.ndarray:
    return images[np.arange(count) % len(images)]
