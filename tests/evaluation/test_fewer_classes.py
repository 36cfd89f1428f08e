"""A data set of five classes: looks and figures are of five, by a classifier that has learned five."""

from typing import Any

import numpy as np
import pytest

from mnistgan import files
from mnistgan.datasets.arrays import Images
from mnistgan.errors import RulerError
from mnistgan.evaluation.measuring import Reference, class_rows
from mnistgan.rulers import cards, classifier
from mnistgan.rulers.classifier import Classifier
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import RealData, subset
from mnistgan.training.validation import Validation
from tests.rulers.conftest import PINNED

FIVE, COUNT = 5, 1000


@pytest.fixture(scope="module")
def of_five() -> Classifier:
    """The pinned classifier, of which the first five logits alone are read."""
    arrays, card = cards.read(PINNED, classifier.NAME)
    return Classifier(arrays, card[cards.DIGEST], FIVE)


@pytest.fixture(scope="module")
def five(real: RealData) -> RealData:
    """The digits 0 to 4 of MNIST, some of each split."""

    def some(part: Images, count: int) -> Images:
        few = part[np.flatnonzero(part.labels < FIVE)]
        return few[subset(len(few), count, "five")]

    names = {"classes": real.facts.classes[:FIVE], "counts": real.facts.counts[:FIVE], "missing_class": 3}
    parts = some(real.train, 4000), some(real.validation, 1600), some(real.test, 1600)
    return RealData(*parts, facts=real.facts.model_copy(update=names))


@pytest.mark.slow
def test_figures_are_of_five_classes(five: RealData, of_five: Classifier, components: PixelRuler) -> None:
    reference = Reference(five, of_five, components, COUNT)
    rows = subset(len(five.train), COUNT, "fresh")
    found = reference.measure(five.train.images[rows], asked=five.train.labels[rows])
    assert [name for name, _, _ in class_rows(found.balance)] == list(range(FIVE))
    assert found.balance.smallest_ratio > 0.8
    assert found.report["as_asked"]["value"] > 0.98
    assert found.report["fid"]["relative"] < 0.5


def test_a_look_is_of_five_classes(five: RealData, of_five: Classifier, components: PixelRuler) -> None:
    validation = Validation(five.train, five.validation, of_five, components, seed=0)
    look = validation.measure(five.train.images[:1600], epoch=1, step=1)
    assert look.evidence() == []
    gone = five.train.images[five.train.labels != 2][:1600]
    assert validation.measure(gone, epoch=1, step=1).dropped_classes == "2"


@pytest.mark.parametrize("classes", [1, 11, "five"])
def test_a_card_that_names_no_number_of_classes_is_refused(tmp_path: Any, classes: object) -> None:
    arrays, card = cards.read(PINNED, classifier.NAME)
    card.pop(cards.DIGEST)  # of the archive's earlier form
    cards.save(tmp_path, classifier.NAME, arrays, {**card, classifier.CLASSES: FIVE})
    assert classifier.load(tmp_path).features(np.zeros((1, 28, 28), np.uint8)).logits.shape == (1, FIVE)
    path = cards.card_path(tmp_path, classifier.NAME)
    files.write_json(path, {**files.read_json(path), classifier.CLASSES: classes})
    with pytest.raises(RulerError, match=r"classes is .*; should be 2 to 10"):
        classifier.load(tmp_path)
