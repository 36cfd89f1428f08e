import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistgan.datasets import idx
from mnistgan.errors import FormatError

IMAGES = np.arange(2 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28)
LABELS = np.array([9, 0, 3], np.uint8)


def test_images_come_back_as_they_were_written(make_idx):
    images = idx.parse_images(make_idx(IMAGES), "images")
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, IMAGES)


def test_labels_come_back_as_they_were_written(make_idx):
    labels = idx.parse_labels(make_idx(LABELS), "labels")
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (IMAGES.astype(np.float32), r"type float32 \(code 0x0d\)"),
        (IMAGES.astype(np.int32), r"type int32"),
        (np.zeros((2, 32, 32), np.uint8), "images of 32x32 pixels; should be 28x28"),
        (np.zeros((2, 784), np.uint8), "2 dimensions; should have 3"),
        (LABELS, "1 dimensions; should have 3"),
        (np.zeros((0, 28, 28), np.uint8), "holds nothing: its header says 0x28x28"),
    ],
)
def test_images_of_another_shape_or_type_are_refused_and_named(make_idx, array, message):
    with pytest.raises(FormatError, match=f"^some-file: .*{message}"):
        idx.parse_images(make_idx(array), "some-file")


@pytest.mark.parametrize("length", [0, 3, 4, 10, 15, 16, 17, 16 + 2 * 784 - 1])
def test_a_truncated_file_is_refused_wherever_it_stops(make_idx, length):
    with pytest.raises(FormatError, match=f"truncated: {length} bytes"):
        idx.parse_images(make_idx(IMAGES)[:length], "images")


def test_trailing_bytes_are_refused(make_idx):
    with pytest.raises(FormatError, match="1 trailing bytes after the 11"):
        idx.parse_labels(make_idx(LABELS) + b"\0", "labels")


def test_a_file_with_another_magic_is_refused():
    with pytest.raises(FormatError, match=r"not an IDX file: starts with b'\\x1f\\x8b"):
        idx.parse_labels(b"\x1f\x8b\x08\x00rest", "labels")


def test_an_unknown_type_code_is_refused():
    with pytest.raises(FormatError, match=r"type unknown \(code 0x07\)"):
        idx.parse_labels(b"\0\0\x07\x01\0\0\0\x01\0", "labels")


def test_a_label_out_of_range_is_named_with_its_place(make_idx):
    labels = np.array([0, 10, 1, 255], np.uint8)
    with pytest.raises(FormatError, match=r"label 1 is 10 \(2 such\); labels are 0 to 9"):
        idx.parse_labels(make_idx(labels), "labels")


_HEADERS = st.tuples(
    st.sampled_from([b"\0\0\x08\x03", b"\0\0\x08\x01", b"\0\0\x0d\x03"]),
    st.lists(st.sampled_from([0, 1, 2, 28, 2**31, 2**32 - 1]), max_size=3),
    st.binary(max_size=40) | st.sampled_from([bytes(784), bytes(1568)]),
).map(lambda parts: parts[0] + np.array(parts[1], ">u4").tobytes() + parts[2])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | _HEADERS)
def test_any_bytes_give_images_and_labels_or_a_format_error(content):
    for parse, shape in ((idx.parse_images, (28, 28)), (idx.parse_labels, ())):
        try:
            array = parse(content, "fuzz")
        except FormatError:
            continue
        assert array.dtype == np.uint8
        assert array.shape[1:] == shape
        assert len(array) > 0
