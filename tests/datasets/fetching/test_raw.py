import gzip

import numpy as np
import pytest

from mnistgan.errors import DigestError, OtherDataError
from tests.specs import FILES


def test_the_table_has_the_sizes_that_the_published_files_have():
    assert [file.size for file in FILES] == [47_040_016, 60_008, 7_840_016, 10_008]


def test_the_pinned_bytes_pass(small):
    for file in small.files:
        file.verify(small.contents[file.name])


def test_one_changed_pixel_is_refused_though_the_file_is_well_formed(small):
    images = small.files[0]
    changed = bytearray(small.contents[images.name])
    changed[500] ^= 1
    with pytest.raises(OtherDataError, match=r"whole, but other images, 30 of them; .*sha256 .*should be"):
        images.verify(bytes(changed))


def test_a_wrong_file_is_refused_with_the_reason_that_helps(small, make_idx):
    images, labels = small.files[0], small.files[1]
    short = small.contents[images.name][:-1]
    other_shape = make_idx(np.zeros((30, 32, 32), np.uint8))
    floats = make_idx(np.zeros((30, 28, 28), np.float32))
    out_of_range = make_idx(np.full(30, 10, np.uint8))
    fewer = make_idx(np.zeros(29, np.uint8))
    packed = gzip.compress(small.contents[labels.name])
    for file, content, reason in (
        (images, short, "truncated"),
        (images, other_shape, "32x32 pixels"),
        (images, floats, "type float32"),
        (labels, out_of_range, "label 0 is 10"),
        (labels, fewer, "other labels, 29 of them"),
        (labels, packed, "not an IDX file"),
    ):
        with pytest.raises(DigestError, match=f"^{file.name}: .*{reason}.*not the pinned file"):
            file.verify(content)
