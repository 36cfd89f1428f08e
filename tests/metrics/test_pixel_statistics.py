import numpy as np
import pytest

from mnistgan.errors import MetricError
from mnistgan.metrics.pixel_statistics import pixels, spectrum_gap


def noise(seed=1, count=200):
    return np.random.default_rng(seed).integers(256, size=(count, 28, 28), dtype=np.uint8)


def board(images, amplitude):
    """A checkerboard of +-amplitude grey levels laid over the images."""
    y, x = np.mgrid[:28, :28]
    return (images + amplitude * (-1.0) ** (x + y)).clip(0, 255).astype(np.uint8)


def test_black_has_no_ink_all_background_and_no_power():
    found = pixels(np.zeros((5, 28, 28), np.uint8))
    assert (found.ink, found.background) == (0.0, 1.0)
    assert not found.spectrum.any()


def test_ink_is_the_mean_pixel_and_background_the_share_of_exact_zeros():
    images = np.zeros((2, 28, 28), np.uint8)
    images[0, :14] = 255  # a quarter of all pixels
    images[1, 0, 0] = 1
    found = pixels(images)
    assert found.ink == pytest.approx(0.25 + 1 / 255 / 1568, rel=1e-12)
    assert found.background == pytest.approx(0.75 - 1 / 1568, rel=1e-12)


def test_haze_leaves_no_background():
    images = noise() // 2
    assert pixels(images).background > 0
    assert pixels(images + 8).background == 0


def test_one_wave_has_all_its_power_at_its_own_frequency():
    # 0.5 + 0.25 cos(2 pi 5 x / 28): the constant has power 784 x 0.25 at frequency 0, where there is one term; the
    # wave's mean square 0.25² / 2, times 784, falls on the terms that lie about 5 cycles away, of which it fills two.
    wave = 127.5 + 63.75 * np.cos(2 * np.pi * 5 * np.arange(28) / 28)
    images = np.broadcast_to(np.rint(wave), (3, 28, 28)).astype(np.uint8)
    spectrum = pixels(images).spectrum
    cycles = np.fft.fftfreq(28, 1 / 28)
    terms = np.count_nonzero(np.rint(np.hypot(cycles[:, None], cycles)) == 5)
    assert spectrum[0] == pytest.approx(784 * 0.25, rel=0.01)
    assert spectrum[5] == pytest.approx(784 * 0.25**2 / 2 / terms, rel=0.01)
    assert spectrum[1:5].max() < 0.01 * spectrum[5]


def test_white_noise_has_its_variance_at_every_frequency():
    # Whole numbers 0..255 spread evenly have the variance (256² - 1) / 12 in grey levels.
    spectrum = pixels(noise(count=3000)).spectrum
    np.testing.assert_allclose(spectrum[1:], (256**2 - 1) / 12 / 255**2, rtol=0.1)


def test_the_checkerboard_lies_in_the_corner_alone_with_the_power_worked_out_by_hand():
    # (-1)^(x + y) is the one term at (14, 14), 19.8 cycles: power 784 a² for an amplitude of a = 8 / 255.
    grey = np.full((4, 28, 28), 100, np.uint8)
    spectrum = pixels(board(grey, 8)).spectrum
    assert len(spectrum) == 21
    assert spectrum[20] == pytest.approx(784 * (8 / 255) ** 2, rel=1e-9)
    np.testing.assert_allclose(spectrum[1:20], 0, atol=1e-12)


def test_the_gap_is_zero_to_itself_symmetric_and_ten_decibels_for_ten_times_the_power():
    real = pixels(noise())
    assert spectrum_gap(real, real) == 0
    other = pixels(noise(2) // 2)
    assert spectrum_gap(real, other) == pytest.approx(spectrum_gap(other, real), rel=1e-12)
    # Half the amplitude is a quarter of the power: 6.02 dB at every frequency.
    assert spectrum_gap(other, real) == pytest.approx(20 * np.log10(2), rel=0.03)


def test_a_checkerboard_too_faint_to_see_opens_the_gap_and_black_images_keep_it_finite():
    smooth = np.broadcast_to(np.rint(100 + 50 * np.cos(np.arange(28) / 4)), (4, 28, 28)).astype(np.uint8)
    assert spectrum_gap(pixels(board(smooth, 8)), pixels(smooth)) > 5
    assert np.isfinite(spectrum_gap(pixels(np.zeros((4, 28, 28), np.uint8)), pixels(smooth)))


def test_order_leaves_it():
    images = noise(count=1500)
    first, second = pixels(images), pixels(images[::-1])
    assert (first.ink, first.background) == (second.ink, second.background)
    np.testing.assert_allclose(first.spectrum, second.spectrum, rtol=1e-10)


@pytest.mark.parametrize(
    "images", [np.zeros((3, 28, 28)), np.zeros((28, 28), np.uint8), np.zeros((0, 28, 28), np.uint8)]
)
def test_it_refuses_what_are_no_images(images):
    with pytest.raises(MetricError, match=r"images: got .*; expected images uint8 \[N, 28, 28\]"):
        pixels(images)
