"""Bounds what a tracking server may answer; words what MLflow raises in one line, with its mend, without secrets."""

import http.client
import io
import os
import re
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.connection import HTTPConnection

from mnistgan.errors import MnistganError, TrackingError
from pipeline.runs.journal import without_secrets
from pipeline.tracking.address import VARIABLE

ANSWER_SECONDS = 30.0
"""How long one answer may take, headers and all; longer only while it comes at ``BYTES_A_SECOND``."""
BYTES_A_SECOND = 50_000
ANSWER_BYTES = 256 * 1024**2
REASON_CHARACTERS, WORD_CHARACTERS = 300, 50
NO_MLFLOW = "what answers is no MLflow server: a sign-in page, a proxy's or another program's"
_ADVICE = {
    "401": "the server asks for a sign-in: set MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN",
    "403": "the server refuses it: these credentials may not, or its --allowed-hosts lacks the name it is asked by",
    "404": "no MLflow server of this version is at that address",
    "429": "the server is asked too often; try again later",
}
_COLLISION = re.compile(r"UniqueViolation|UNIQUE constraint failed|[Dd]uplicate (key|entry)|DeadlockDetected")
"""What PostgreSQL, SQLite and MySQL say, at whichever depth, where two write the same at once and one is refused."""
COLLISIONS, AGAIN_SECONDS = 4, 0.5
_STATUS = re.compile(r"error code (\d{3}) != 200|too many (\d{3}) error responses")


class CollisionError(TrackingError):
    """Two wrote the same to the store at once, and this one was refused; again it finds what the other wrote."""


again_where_two_collided = retry(
    retry=retry_if_exception_type(CollisionError),
    stop=stop_after_attempt(COLLISIONS),
    wait=wait_random_exponential(AGAIN_SECONDS, max=8 * AGAIN_SECONDS),
    reraise=True,
)
"""Does a function again, which may be done twice, where another publisher was in its way."""


@contextmanager
def speaking_plainly() -> Iterator[None]:
    """Turns whatever MLflow raises into a TrackingError of one line without secrets; leaves out its advice."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MnistganError:
        raise
    except Exception as error:
        reason = _shortened(without_secrets(_reason(error)))
        address = os.environ.get(VARIABLE)
        where = f" ({without_secrets(address)})" if address else ""
        if _COLLISION.search(str(error)):
            said = f"another publisher writes the same to MLflow's store at this moment; try again{where}"
            raise CollisionError(said) from None
        raise TrackingError(f"MLflow's store can't be used: {reason}{where}") from None


def _shortened(text: str) -> str:
    """Shortens a text to one line within the bound, cut between words where the last one is not too long for that."""
    line = " ".join(text.split())
    if len(line) <= REASON_CHARACTERS:
        return line
    space = line.rfind(" ", REASON_CHARACTERS - WORD_CHARACTERS, REASON_CHARACTERS)
    return f"{line[: space if space > 0 else REASON_CHARACTERS - 1]}…"


def _reason(error: Exception) -> str:
    """Says why, and the mend where a server's answer tells it; of a web page that it answers with no word."""
    deepest: BaseException = error
    while inner := deepest.__cause__ or deepest.__context__:
        deepest = inner
    # What the system said, where it did: MLflow wraps that in requests and statements.
    plain = deepest if isinstance(deepest, OSError | sqlite3.Error | TrackingError) else error
    said = str(plain)
    if isinstance(plain, TrackingError):
        return said
    if found := _STATUS.search(said):
        status = found[1] or found[2]
        return f"HTTP {status}: {_ADVICE.get(status, 'the server failed; its own log says why')}"
    if "not in a valid JSON format" in said:
        return NO_MLFLOW
    return f"{type(plain).__name__}: {said}"


def bound_answers() -> None:
    """Bounds every answer that MLflow's client reads in this process; beyond is a TrackingError."""
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
