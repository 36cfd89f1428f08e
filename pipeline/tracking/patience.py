"""Bounds how long and how much a tracking server may answer. MLflow's own timeout is of each read alone."""

import http.client
import io
import time
from typing import Any

from mnistgan.errors import TrackingError

ANSWER_SECONDS = 30.0
"""How long one answer may take, headers and all; longer only while it comes at ``BYTES_A_SECOND``."""
BYTES_A_SECOND = 50_000
ANSWER_BYTES = 256 * 1024**2


def bound_answers() -> None:
    """Bounds every answer that MLflow's client reads in this process; beyond is a TrackingError."""
    from urllib3.connection import HTTPConnection

    HTTPConnection.response_class = _Answer  # http.client's own hook, which urllib3 2.8 keeps


class _Answer(http.client.HTTPResponse):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fp: io.BufferedReader = io.BufferedReader(_Bounded(self.fp.detach()))


class _Bounded(io.RawIOBase):
    """Reads from a socket within the bounds."""

    def __init__(self, socket: io.RawIOBase) -> None:
        self._socket = socket
        self._deadline = time.monotonic() + ANSWER_SECONDS
        self._received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._deadline + self._received / BYTES_A_SECOND:
            raise TrackingError(f"too slow: of an answer {self._received:,} bytes within {ANSWER_SECONDS:g} s")
        if self._received > ANSWER_BYTES:
            raise TrackingError(f"an answer of more than {ANSWER_BYTES:,} bytes")
        count: int | None = self._socket.readinto(buffer)
        self._received += count or 0
        return count

    def close(self) -> None:
        self._socket.close()
        super().close()
