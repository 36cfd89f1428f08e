"""Decodes one PNG or JPEG to grey pixels, and refuses what a person may not know of it."""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from mnistgan.errors import FormatError

ENDINGS = (".png", ".jpg", ".jpeg")
LARGEST_FILE = 64_000_000  # bytes
LONGEST_SIDE = 4096  # pixels; the photograph of a telephone has 4,032
_BIT_DEPTH = 24  # where a PNG says it
_GREY, _COLOUR = ("1", "L"), ("P", "RGB")


def grey_pixels(content: bytes, name: str, grey: bool) -> np.ndarray:
    """Decodes a picture to uint8 [H, W], upright as its EXIF says; colour only with ``grey``, by ITU-R 601's weights.

    ``name`` stands in messages. Raises FormatError for a torn file, colour that is not asked to be made grey, an alpha
    channel, 16 bits a pixel, an animation, or more pixels than a picture has.
    """
    try:
        with warnings.catch_warnings(action="error"), Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as image:
            _demand_plain(image, content, name, grey)
            return np.asarray(ImageOps.exif_transpose(image).convert("L"))
    except FormatError:
        raise
    except Exception as error:  # Pillow's own dozen kinds: on a torn file, one bomb or another
        said = "neither PNG nor JPEG" if "cannot identify" in str(error) else error
        raise FormatError(f"{name}: not a whole picture: {said}") from error


def _demand_plain(image: Image.Image, content: bytes, name: str, grey: bool) -> None:
    """Raises FormatError unless the picture, of which the header alone was read, is opaque, of 8 bits and not large."""
    is_png = image.format == "PNG"
    if max(image.size) > LONGEST_SIDE:
        raise FormatError(f"{name}: {image.width} x {image.height} pixels; takes {LONGEST_SIDE} a side at most")
    if (is_png and content[_BIT_DEPTH] == 16) or image.mode.startswith(("I", "F")):
        raise FormatError(f"{name}: 16 bits a pixel; takes 8: which of them count is for you to say")
    if image.mode.endswith(("A", "a")) or "transparency" in image.info:
        raise FormatError(f"{name}: has an alpha channel; takes opaque pictures: lay it on the background you mean")
    if is_png and getattr(image, "n_frames", 1) > 1:
        raise FormatError(f"{name}: an animation; takes single pictures")
    if image.mode not in _GREY + _COLOUR:
        raise FormatError(f"{name}: of mode {image.mode}; takes grey or RGB")
    if image.mode in _COLOUR and not grey:
        raise FormatError(f"{name}: in colour (mode {image.mode}); --grey makes all grey")
