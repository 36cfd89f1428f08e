import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mnistgan.datasets.own.pictures import grey_pixels
from mnistgan.errors import FormatError

PIXELS = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (28, 28, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def png_of(width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG whose header says this; its pixels are all 0."""

    def chunk(name: bytes, held: bytes) -> bytes:
        return struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))

    row = 1 + width * depth // 8 * {0: 1, 2: 3}[colour]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(bytes(row * min(height, 28)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


GREY = encoded(Image.fromarray(PIXELS))


def test_a_grey_png_gives_its_very_pixels():
    np.testing.assert_array_equal(grey_pixels(GREY, "x", grey=False), PIXELS)


def test_a_grey_jpeg_is_taken_too():
    flat = np.full((28, 28), 90, np.uint8)
    np.testing.assert_array_equal(grey_pixels(encoded(Image.fromarray(flat), "JPEG"), "x", grey=False), flat)


def test_colour_becomes_grey_by_the_weights_of_its_channels_once_that_is_asked_for():
    red, green, blue = (COLOUR[..., channel].astype(float) for channel in range(3))
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(grey_pixels(encoded(Image.fromarray(COLOUR)), "x", grey=True) - expected).max() <= 0.51


def test_a_photograph_stands_upright_as_its_camera_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    turned = encoded(Image.fromarray(PIXELS[:, :14]), exif=exif)
    assert grey_pixels(turned, "x", grey=False).shape == (14, 28)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a whole picture: neither PNG nor JPEG"),
        (encoded(Image.fromarray(PIXELS), "GIF"), "not a whole picture: neither PNG nor JPEG"),
        (GREY[: len(GREY) // 2], "not a whole picture: image file is truncated"),
        (encoded(Image.fromarray(PIXELS), "JPEG")[:300], "not a whole picture: "),
        (encoded(Image.fromarray(COLOUR)), r"in colour \(mode RGB\); --grey makes all grey"),
        (encoded(Image.fromarray(PIXELS).convert("P")), r"in colour \(mode P\)"),
        (encoded(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), "of mode CMYK; takes grey or RGB"),
        (encoded(Image.fromarray(PIXELS).convert("LA")), "has an alpha channel"),
        (encoded(Image.fromarray(COLOUR).convert("RGBA")), "has an alpha channel"),
        (encoded(Image.fromarray(PIXELS), transparency=0), "has an alpha channel"),
        (encoded(Image.fromarray(PIXELS.astype(np.uint16) * 257)), "16 bits a pixel"),
        (png_of(28, 28, 16, 2), "16 bits a pixel"),  # Pillow reads it as if it had 8
        (png_of(60_000, 60_000, 8, 0), "not a whole picture: Image size .* bomb"),
        (png_of(5000, 28, 8, 0), "5000 x 28 pixels; takes 4096 a side at most"),
        (
            encoded(Image.fromarray(PIXELS), save_all=True, append_images=[Image.fromarray(PIXELS.T)]),
            "an animation; takes single pictures",
        ),
    ],
)
def test_what_is_not_one_whole_plain_picture_is_refused(content, said):
    with pytest.raises(FormatError, match=f"^x: {said}"):
        grey_pixels(content, "x", grey=False)
