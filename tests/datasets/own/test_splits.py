import numpy as np
import pytest

from mnistgan.datasets.own.taking import Survey, drawn
from mnistgan.errors import DataError

LABELS = np.repeat(np.arange(4, dtype=np.uint8), 100)  # sorted by class, as folders are
GIVEN = np.repeat(np.array([0, 1, 2], np.uint8), [200, 100, 100])


def survey(labels: np.ndarray | None = LABELS, given: np.ndarray | None = None) -> Survey:
    return Survey(400, labels, ("a", "b", "c", "d") if labels is not None else (), given)


@pytest.mark.parametrize("labels", [LABELS, None])
def test_every_image_is_in_one_split_and_sizes_are_exact(labels):
    parts = drawn(survey(labels), (80, 0), (40, 0))
    assert [len(part) for part in parts] == [280, 40, 80]
    assert sorted(np.concatenate(parts)) == list(range(400))


def test_each_class_is_in_each_split_in_its_proportion():
    for part, share in zip(drawn(survey(), (80, 0), (40, 0)), (70, 10, 20), strict=True):
        assert np.bincount(LABELS[part]).tolist() == [share] * 4


def test_the_first_images_of_a_split_are_of_all_classes():
    assert all(len(set(LABELS[part[:40]])) == 4 for part in drawn(survey(), (80, 0), (40, 0)))


def test_given_splits_stay_and_are_mixed_only():
    parts = drawn(survey(given=GIVEN), (80, 0), (40, 0))
    assert [sorted(part) for part in parts] == [np.flatnonzero(number == GIVEN).tolist() for number in range(3)]
    assert parts[0].tolist() != sorted(parts[0])


def test_validation_is_drawn_of_train_where_train_and_test_are_given():
    train, validation, test = drawn(survey(given=np.where(GIVEN == 1, 0, GIVEN)), (80, 0), (40, 0))
    assert (len(train), len(validation), sorted(test)) == (260, 40, list(range(300, 400)))
    assert max(validation) < 300


def test_seeds_of_test_and_validation_draw_each_by_itself():
    first, again, other_validation, other_test = (
        drawn(survey(), (80, test), (40, validation)) for test, validation in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert all((one == same).all() for one, same in zip(first, again, strict=True))
    assert set(first[2]) == set(other_validation[2])
    assert set(first[1]) != set(other_validation[1])
    assert set(first[2]) != set(other_test[2])


def test_a_size_that_leaves_nothing_is_refused():
    with pytest.raises(DataError, match="can't set 400 of 400 images aside"):
        drawn(survey(), (400, 0), (40, 0))
