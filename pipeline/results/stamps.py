"""Reads out of a picture the digest of the weights that drew it."""

import warnings
from typing import BinaryIO


def digest_of_weights(picture: BinaryIO) -> str | None:
    """Reads the sha256 of the weights that a PNG or GIF says it was drawn by; None for any other file."""
    from PIL import Image

    from mnistgan.drawing.pictures.encoding import DIGEST_KEY

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its size: only its texts are read
            with Image.open(picture, formats=("PNG", "GIF")) as image:
                texts = dict(image.info)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    comment = texts.get("comment", b"")
    found = texts.get(DIGEST_KEY)
    if isinstance(comment, bytes) and comment.startswith(f"{DIGEST_KEY} ".encode()):
        found = comment.decode("ascii", "replace").split()[1]
    return found if isinstance(found, str) else None
