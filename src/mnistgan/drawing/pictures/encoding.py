"""Encodes pictures: the same picture gives the same bytes, stamped with the digest of the weights that drew it."""

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image, PngImagePlugin

DIGEST_KEY = "generator-sha256"
_GREYS = (16, 8, 4, 2)


def png(image: Image.Image, digest: str) -> bytes:
    """Encodes as an optimised PNG whose text chunk ``generator-sha256`` holds ``digest``; no date, no software."""
    stamp = PngImagePlugin.PngInfo()
    stamp.add_text(DIGEST_KEY, digest)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=stamp, optimize=True)
    return buffer.getvalue()


def small_png(image: Image.Image, digest: str, limit: int) -> bytes:
    """Encodes mode L within ``limit`` bytes, by 16, 8, 4 or 2 greys. Raises ValueError where not even two fit."""
    for greys in _GREYS:
        content = png(with_greys(image, greys), digest)
        if len(content) <= limit:
            return content
    raise ValueError(f"a picture of {image.width} x {image.height} does not fit {limit} bytes")


def gif(frames: Iterable[Image.Image], durations: list[int], digest: str) -> bytes:
    """Encodes grey frames (mode L) as a GIF that loops; ``durations`` in milliseconds, one a frame.

    GIF counts hundredths of a second, so durations are rounded to 10 ms. The comment holds ``generator-sha256`` and
    the digest. Frames are taken one at a time.
    """
    greys = (with_greys(frame, _GREYS[0]) for frame in frames)
    buffer = io.BytesIO()
    next(greys).save(
        buffer,
        "GIF",
        save_all=True,
        append_images=greys,
        duration=[max(round(duration, -1), 20) for duration in durations],
        loop=0,
        comment=f"{DIGEST_KEY} {digest}".encode(),
    )
    return buffer.getvalue()


def with_greys(image: Image.Image, greys: int) -> Image.Image:
    """Rounds a grey picture to evenly spaced greys, black and white among them, as a palette picture."""
    levels = np.rint(np.asarray(image, np.float64) * ((greys - 1) / 255)).astype(np.uint8)
    reduced = Image.fromarray(levels).convert("P")
    palette = np.rint(np.linspace(0, 255, greys)).astype(int)
    reduced.putpalette([int(grey) for grey in palette for _ in range(3)])
    return reduced
