import numpy as np

from mnistgan.families.contract import Phase
from mnistgan.training.batches import Batches, of_phases


def batches(count, size, seed=0):
    return Batches(count, Phase(epochs=2, batch_size=size, rate=1.0), seed)


def test_an_epoch_shows_every_image_once():
    assert np.array_equal(np.sort(batches(103, 10).order(4)), np.arange(103))


def test_the_order_is_a_function_of_seed_and_epoch():
    first = batches(1000, 10)
    assert np.array_equal(first.order(1), batches(1000, 10).order(1))
    assert not np.array_equal(first.order(1), first.order(2))
    assert not np.array_equal(first.order(1), batches(1000, 10, seed=1).order(1))


def test_the_short_last_batch_counts_as_a_step():
    assert batches(60_000, 256).steps_per_epoch == 235
    assert batches(512, 256).steps_per_epoch == 2


def test_the_images_of_some_steps_are_counted_with_the_epochs_short_batch():
    few = batches(10, 4)
    assert [few.images_of(step, 1) for step in range(6)] == [4, 4, 2, 4, 4, 2]
    assert [few.images_of(0, 2), few.images_of(1, 2), few.images_of(3, 3)] == [8, 6, 10]


def test_phases_follow_each_other_by_step_and_by_epoch():
    first, second = of_phases([Phase(3, 4, 1.0), Phase(2, 5, 0.1)], count=10, seed=0)
    assert (first.first_step, first.first_epoch, first.end_step, first.end_epoch) == (0, 0, 9, 3)
    assert (second.first_step, second.first_epoch, second.end_step, second.end_epoch) == (9, 3, 13, 5)
    assert [second.step_of(epoch) for epoch in (3, 4, 5)] == [9, 11, 13]
    assert [second.epoch_of(step) for step in (9, 10, 13)] == [3, 3.5, 5]
