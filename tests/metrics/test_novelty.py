import numpy as np
import pytest

from mnistgan.errors import MetricError
from mnistgan.metrics.novelty import novelty_in_features, novelty_in_pixels


def drawings(seed, count):
    """Soft random strokes, uint8 [count, 28, 28], a background of 0 about them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28]
    images = np.zeros((count, 28, 28))
    for _ in range(3):
        cy, cx = rng.uniform(8, 20, size=(2, count, 1, 1))
        angle, length = rng.uniform(0, np.pi, size=(count, 1, 1)), rng.uniform(2, 5, size=(count, 1, 1))
        along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        images += 200 * np.exp(-((along / length) ** 4) - (across / 1.3) ** 2)
    return np.clip(images, 0, 255).astype(np.uint8)


TRAIN, HELD_OUT, FRESH = drawings(1, 2500), drawings(2, 500), drawings(3, 1000)


def test_fresh_images_are_nearest_to_training_images_as_often_as_chance_has_it():
    found = novelty_in_pixels(FRESH, TRAIN, HELD_OUT)
    assert found.null_share == 5 / 6
    assert abs(found.excess) < 3
    assert found.copied.low < 0 < found.copied.high
    assert found.excess == pytest.approx((found.train_share - 5 / 6) / found.null_deviation)


def test_the_null_holds_over_many_draws_with_the_deviation_that_is_given():
    rng = np.random.default_rng(7)
    excess = []
    for _ in range(400):
        samples, train, held_out = np.split(rng.normal(size=(800, 3)), [200, 700])
        excess.append(novelty_in_features(samples, train, held_out).excess)
    assert abs(np.mean(excess)) < 4 / np.sqrt(400)
    assert np.std(excess) == pytest.approx(1, abs=0.15)


def moved(images, down, right):
    return np.roll(images, (down, right), axis=(1, 2))


def noised(images):
    noise = np.random.default_rng(8).normal(0, 25, size=images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "copies",
    [TRAIN[:300], *(moved(TRAIN[:300], *by) for by in [(0, 1), (1, 1), (-1, 0), (-1, 1)]), noised(TRAIN[:300])],
    ids=["plain", "right", "down right", "up", "up right", "noised"],
)
def test_copies_of_training_images_are_all_found_also_moved_by_a_pixel_or_noised(copies):
    found = novelty_in_pixels(copies, TRAIN, HELD_OUT)
    assert found.train_share > 0.995
    assert found.copied.high > 0.97
    assert found.copied.low > 0.9


def test_copies_of_held_out_images_are_no_copies_of_training_images():
    found = novelty_in_pixels(HELD_OUT, TRAIN, HELD_OUT)
    assert found.train_share == 0
    assert found.copied.value == pytest.approx(-5)  # (0 - 5/6) / (1 - 5/6)


def test_the_share_of_copies_is_found_within_its_interval():
    mixed = np.concatenate([TRAIN[:500], FRESH[:500]])
    found = novelty_in_pixels(mixed, TRAIN, HELD_OUT)
    assert found.copied.low < 0.5 < found.copied.high
    assert found.excess > 4


def test_one_image_a_hundred_times_is_one_draw_and_proves_nothing():
    found = novelty_in_pixels(np.repeat(FRESH[:1], 100, axis=0), TRAIN, HELD_OUT)
    assert found.null_deviation == pytest.approx(np.sqrt(5 / 36))
    assert found.copied.low < 0


def test_black_images_and_noise_give_an_answer_too():
    noise = np.random.default_rng(1).integers(256, size=(100, 28, 28), dtype=np.uint8)
    for images in (np.zeros_like(noise), noise):
        found = novelty_in_pixels(images, TRAIN, HELD_OUT)
        assert 0 <= found.train_share <= 1
        assert found.copied.low <= found.copied.value <= found.copied.high


def test_order_leaves_it():
    rng = np.random.default_rng(1)
    shuffled = novelty_in_pixels(rng.permutation(FRESH[:200]), rng.permutation(TRAIN), rng.permutation(HELD_OUT))
    found = novelty_in_pixels(FRESH[:200], TRAIN, HELD_OUT)
    assert shuffled.train_share == pytest.approx(found.train_share, abs=5e-3)  # one sample between near ties
    assert shuffled.null_deviation == pytest.approx(found.null_deviation, rel=1e-2)


def test_in_features_scale_and_shift_leave_it():
    rng = np.random.default_rng(2)
    sets = rng.normal(size=(300, 6)), rng.normal(size=(1000, 6)), rng.normal(size=(200, 6))
    expected = novelty_in_features(*sets)
    for factor, offset in ((1e-6, 0), (1e6, 0), (1, 50)):
        found = novelty_in_features(*(values * factor + offset for values in sets))
        assert found.train_share == pytest.approx(expected.train_share, abs=1e-3)


def test_a_tie_between_a_training_and_a_held_out_image_is_not_taken_for_a_copy():
    found = novelty_in_pixels(TRAIN[:100], TRAIN, TRAIN[:500])
    assert found.train_share < found.null_share  # 0 where equal images get equal scores; some processors round apart
    assert found.copied.high < 0


def test_progress_ends_at_its_total():
    seen = []
    novelty_in_pixels(FRESH[:100], TRAIN, HELD_OUT, progress=lambda *call: seen.append(call))
    assert seen[-1] == ("nearest images", 100, 100)


@pytest.mark.parametrize(
    ("generated", "train", "message"),
    [
        (FRESH[0], TRAIN, r"generated: got uint8 \[28, 28\]; expected images uint8 \[N, 28, 28\]"),
        (FRESH / 255, TRAIN, "generated: got float64"),
        (FRESH, TRAIN[:0], r"train: got uint8 \[0, 28, 28\]"),
        (FRESH, TRAIN[:, 2:26, 2:26], r"train: got uint8 \[2500, 24, 24\]"),
    ],
    ids=["one image", "floats", "none", "size"],
)
def test_it_refuses_what_are_no_images(generated, train, message):
    with pytest.raises(MetricError, match=message):
        novelty_in_pixels(generated, train, HELD_OUT)


def test_it_refuses_references_that_are_all_the_same_and_features_without_measure():
    black = np.zeros((10, 28, 28), np.uint8)
    with pytest.raises(MetricError, match="all images are the same"):
        novelty_in_pixels(FRESH, black, black)
    varied = np.random.default_rng(1).normal(size=(50, 3))
    with pytest.raises(MetricError, match="features never vary"):
        novelty_in_features(varied, np.ones((5, 3)), np.ones((5, 3)))
    with pytest.raises(MetricError, match="generated has 3 features, train has 2"):
        novelty_in_features(varied, varied[:, :2], varied)
    with pytest.raises(MetricError, match="times the real ones"):
        novelty_in_features(varied * 1e9, varied, varied)
