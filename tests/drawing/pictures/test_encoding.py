import io

import numpy as np
import pytest
from PIL import Image

from mnistgan.drawing.pictures import digits, encoding

DIGEST = "0123456789abcdef" * 4


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, 28, 28), np.uint8)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_a_png_names_the_weights_that_drew_it_and_nothing_else() -> None:
    picture = opened(encoding.png(Image.fromarray(noise(1)[0]), DIGEST))
    assert picture.info == {"generator-sha256": DIGEST}


def test_a_png_keeps_every_grey() -> None:
    image = noise(1)[0]
    np.testing.assert_array_equal(np.asarray(opened(encoding.png(Image.fromarray(image), DIGEST))), image)


def test_the_same_picture_gives_the_same_bytes() -> None:
    picture = digits.samples(noise(64), 8, 2)
    assert encoding.png(picture, DIGEST) == encoding.png(picture, DIGEST)
    assert encoding.small_png(picture, DIGEST, 100_000) == encoding.small_png(picture, DIGEST, 100_000)


def test_a_small_png_has_sixteen_greys_with_black_and_white_and_is_named_too() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).repeat(4).reshape(32, 32))
    picture = opened(encoding.small_png(ramp, DIGEST, 10_000))
    greys = np.unique(np.asarray(picture.convert("L")))
    np.testing.assert_array_equal(greys, np.arange(16) * 17)
    assert picture.info["generator-sha256"] == DIGEST


def test_grey_is_rounded_to_the_nearest_of_the_sixteen() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    drawn = np.asarray(opened(encoding.small_png(Image.fromarray(ramp), DIGEST, 10_000)).convert("L"))
    assert np.abs(drawn.astype(int) - ramp).max() <= 8


def test_pure_noise_fits_all_the_same_with_fewer_greys() -> None:
    picture = digits.samples(noise(256), 16, 2)
    content = encoding.small_png(picture, DIGEST, 100_000)
    assert len(content) <= 100_000
    assert 2 <= len(np.unique(np.asarray(opened(content).convert("L")))) < 16


def test_what_fits_at_no_number_of_greys_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not fit 1000 bytes"):
        encoding.small_png(digits.samples(noise(256), 16, 2), DIGEST, 1000)
