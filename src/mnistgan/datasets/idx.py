"""Parses the IDX format, that of the MNIST files, strictly.

A header (two zero bytes, a type code, the number of dimensions, each dimension as a big-endian uint32) and the raw
values, nothing after them. http://yann.lecun.com/exdb/mnist/ describes it.
"""

import math

import numpy as np

from mnistgan.errors import FormatError

IMAGE_SHAPE = (28, 28)
CLASSES = 10
_UINT8 = 0x08
_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}


def parse_images(content: bytes, name: str) -> np.ndarray:
    """Parses images uint8 [N, 28, 28], read-only, 0 background. Raises FormatError unless all is exactly so, N >= 1."""
    images = _parse(content, name, dimensions=3)
    if images.shape[1:] != IMAGE_SHAPE:
        raise FormatError(f"{name}: images of {images.shape[1]}x{images.shape[2]} pixels; should be 28x28")
    return images


def parse_labels(content: bytes, name: str) -> np.ndarray:
    """Parses labels uint8 [N], read-only, 0 to 9. Raises FormatError as :func:`parse_images`, and on one above 9."""
    labels = _parse(content, name, dimensions=1)
    wrong = np.flatnonzero(labels >= CLASSES)
    if wrong.size:
        first = int(wrong[0])
        raise FormatError(f"{name}: label {first} is {labels[first]} ({wrong.size} such); labels are 0 to 9")
    return labels


def _parse(content: bytes, name: str, dimensions: int) -> np.ndarray:
    header = 4 + 4 * dimensions
    if len(content) < 4:
        raise FormatError(f"{name}: truncated: {len(content)} bytes; an IDX header is {header}")
    if content[:2] != b"\0\0":
        raise FormatError(f"{name}: not an IDX file: starts with {content[:4]!r}, not with two zero bytes")
    if content[2] != _UINT8:
        got = _TYPES.get(content[2], "unknown")
        raise FormatError(f"{name}: holds values of type {got} (code 0x{content[2]:02x}); should be uint8 (0x08)")
    if content[3] != dimensions:
        raise FormatError(f"{name}: an array of {content[3]} dimensions; should have {dimensions}")
    if len(content) < header:
        raise FormatError(f"{name}: truncated: {len(content)} bytes; its header alone is {header}")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", count=dimensions, offset=4))
    if 0 in shape:
        raise FormatError(f"{name}: holds nothing: its header says {'x'.join(map(str, shape))}")
    size = header + math.prod(shape)
    if len(content) < size:
        raise FormatError(f"{name}: truncated: {len(content)} bytes, where its header promises {size}")
    if len(content) > size:
        raise FormatError(f"{name}: {len(content) - size} trailing bytes after the {size} that its header promises")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
