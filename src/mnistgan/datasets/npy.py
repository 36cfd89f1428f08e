"""Reads the header of an NPY array, within bounds and never unpickling."""

import io
from typing import IO

import numpy as np

from mnistgan.errors import FormatError

LARGEST_HEADER = 20_000  # bytes; that of three numbers has 128


def header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype, int]:
    """Reads a stream's header: shape, dtype, and the offset of the first row. ``where`` stands in messages.

    Raises FormatError where it is none, too long, of a later version, or of an array in Fortran order.
    """
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    stream.seek(0)
    head = io.BytesIO(stream.read(LARGEST_HEADER))
    try:
        version = np.lib.format.read_magic(head)
        if version not in readers:
            raise ValueError(f"version {version} of the format")
        shape, fortran, dtype = readers[version](head)
    except ValueError as error:
        said = "a header far too long" if "max_header_size" in str(error) else error
        raise FormatError(f"{where}: not an NPY array: {said}") from error
    if fortran:
        raise FormatError(f"{where}: is in Fortran order; save np.ascontiguousarray(images)")
    return shape, dtype, head.tell()
