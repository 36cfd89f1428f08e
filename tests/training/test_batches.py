import numpy as np

from mnistgan.training.batches import Batches


def test_an_epoch_shows_every_image_once():
    assert np.array_equal(np.sort(Batches(103, 10, seed=0).order(4)), np.arange(103))


def test_the_order_is_a_function_of_seed_and_epoch():
    first = Batches(1000, 10, seed=0)
    assert np.array_equal(first.order(1), Batches(1000, 10, seed=0).order(1))
    assert not np.array_equal(first.order(1), first.order(2))
    assert not np.array_equal(first.order(1), Batches(1000, 10, seed=1).order(1))


def test_the_short_last_batch_counts_as_a_step():
    assert Batches(60_000, 256, seed=0).steps_per_epoch == 235
    assert Batches(512, 256, seed=0).steps_per_epoch == 2


def test_images_are_counted_with_each_epochs_short_batch():
    batches = Batches(count=10, batch_size=4, seed=0)
    assert [batches.images_until(step) for step in range(8)] == [0, 4, 8, 10, 14, 18, 20, 24]
