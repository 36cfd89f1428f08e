"""Limits of a download: of time, and of what it may unpack to."""

import zlib
from dataclasses import dataclass

from mnistgan.errors import FormatError


@dataclass(frozen=True)
class Patience:
    """Limits in seconds, and how many times a host is asked."""

    connect: float = 5.0  # one address of a host
    answer: float = 8.0  # from the name look-up to the answer's headers, over all of a host's addresses
    client: float = 10.0  # a package client's first answer, its own start included
    silence: float = 10.0  # between two pieces of a file
    file: float = 300.0  # a whole file or package
    tries: int = 3
    unanswered: float = 8.0  # a host that was silent for so long is not asked again
    pause: float = 0.5  # before the second try; doubles from there


PATIENCE = Patience()
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_GZIP_OVERHEAD = 64 * 1024


def packed_limit(size: int) -> int:
    """The most bytes that a file of ``size`` bytes can take, packed or not."""
    return size + _GZIP_OVERHEAD


def gunzip(content: bytes, name: str, limit: int) -> bytes:
    """Unpacks one .gz file. Raises FormatError where it is broken or goes on, and at one byte past ``limit``."""
    if not content.startswith(_GZIP_MAGIC):
        raise FormatError(_not_gzip(content, name))
    stream = zlib.decompressobj(wbits=_GZIP_WINDOW)
    try:
        unpacked = stream.decompress(content, limit + 1)
    except zlib.error as error:
        raise FormatError(f"{name}: corrupt gzip data: {error}") from error
    if len(unpacked) > limit:
        raise FormatError(f"{name}: unpacks to more than the {limit:,} bytes that belong in it")
    if not stream.eof:
        raise FormatError(f"{name}: truncated gzip data: its {len(content):,} bytes stop before the end")
    if stream.unused_data:
        raise FormatError(f"{name}: {len(stream.unused_data):,} trailing bytes after the gzip data")
    return unpacked


def is_html(content: bytes) -> bool:
    """Whether the bytes begin like a web page, as sign-in pages and error pages of proxies do."""
    head = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<!--", b"<?xml"))


def _not_gzip(content: bytes, name: str) -> str:
    if not content:
        return f"{name}: an empty file"
    if is_html(content):
        return f"{name}: an HTML page instead of a .gz file: a sign-in or error page, or not the files' own folder"
    return f"{name}: not gzip data: starts with {content[:4]!r}"
