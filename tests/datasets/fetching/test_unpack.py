import contextlib
import gzip
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistgan.datasets.fetching.limits import gunzip, is_html
from mnistgan.errors import FormatError

CONTENT = bytes(range(256)) * 20


def test_a_gz_file_unpacks_to_what_was_packed_at_exactly_the_limit():
    assert gunzip(gzip.compress(CONTENT), "file.gz", len(CONTENT)) == CONTENT


def test_a_file_that_unpacks_past_the_limit_is_stopped_there():
    bomb = gzip.compress(bytes(64 * 1024**2))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=r"file\.gz: unpacks to more than the 1,000 bytes"):
            gunzip(bomb, "file.gz", 1000)
        assert tracemalloc.get_traced_memory()[1] < 1024**2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (CONTENT, "not gzip data: starts with"),
        (b"<!DOCTYPE html><title>Sign in</title>", "an HTML page instead of a .gz file"),
        (gzip.compress(CONTENT)[:-9], "truncated gzip data"),
        (gzip.compress(CONTENT) + b"more", "4 trailing bytes after the gzip data"),
        (gzip.compress(CONTENT)[:-8] + bytes(8), "corrupt gzip data"),
        (b"\x1f\x8b" + bytes(40), "corrupt gzip data"),
    ],
)
def test_what_is_no_whole_gz_file_is_refused_and_said(content, message):
    with pytest.raises(FormatError, match=f"^file.gz: {message}"):
        gunzip(content, "file.gz", len(CONTENT))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60).map(lambda tail: gzip.compress(b"x")[:10] + tail))
def test_any_bytes_unpack_or_give_a_format_error(content):
    with contextlib.suppress(FormatError):
        assert len(gunzip(content, "fuzz", 100)) <= 100


@pytest.mark.parametrize("page", [b"<html>", b"\n  <!doctype HTML>", b"\xef\xbb\xbf<HTML lang=en>", b"<?xml?><html>"])
def test_a_web_page_is_recognised_however_it_begins(page):
    assert is_html(page)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08", b"\0\0\x08\x03", b"plain text"])
def test_what_is_no_web_page_is_not_taken_for_one(content):
    assert not is_html(content)
