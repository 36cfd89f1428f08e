"""A tracking server that answers badly holds nobody for long, and what it does is said in one line."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from mnistgan.errors import TrackingError
from pipeline.tracking import failures
from pipeline.tracking.store import Store
from tests.datasets.fetching.served import Answer, Site, redirect, send, serve

GET_EXPERIMENT = "api/2.0/mlflow/experiments/get-by-name?experiment_name=mnistgan"
PAGE = b"<!DOCTYPE html><title>Sign in</title>" + 200 * b"<p>your name, please"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    serving = serve(Site())
    made = next(serving)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.url)
    yield made
    serving.close()


def dribbling(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    drip(handler, b" ")


def dribbling_its_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.sendall(b"HTTP/1.1 200 OK\r\n")
    drip(handler, b"X")


def drip(handler: BaseHTTPRequestHandler, byte: bytes) -> None:
    while True:  # until the other side has gone
        handler.connection.sendall(byte)
        time.sleep(0.02)


def never_ending(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        handler.connection.sendall(b"10000\r\n" + 65536 * b" " + b"\r\n")


def quietly(answer: Answer) -> Answer:
    def answering(handler: BaseHTTPRequestHandler) -> None:
        try:
            answer(handler)
        except OSError:
            handler.close_connection = True

    return answering


def status(code: int) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Retry-After", "86400")
        handler.send_header("Content-Length", str(len(PAGE)))
        handler.end_headers()
        handler.wfile.write(PAGE)

    return answer


def of_content(content: bytes) -> Answer:
    return lambda handler: send(handler, content)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (dribbling, "too slow: of an answer"),
        (dribbling_its_headers, "too slow: of an answer"),
        (never_ending, "an answer of more than 1,000,000 bytes"),
        (redirect(f"/{GET_EXPERIMENT}"), "Exceeded 30 redirects"),
        (of_content(PAGE), "no MLflow server: a sign-in page"),
        (of_content(b'{"experiment": [1,'), "no MLflow server"),
        (status(401), "HTTP 401: the server asks for a sign-in: set MLFLOW_TRACKING_USERNAME"),
        (status(403), "HTTP 403: .*--allowed-hosts"),
        (status(404), "HTTP 404: no MLflow server"),
        (status(429), "HTTP 429: the server is asked too often"),
        (status(503), "HTTP 503: the server failed"),
    ],
)
def test_an_answer_of_no_use_is_one_line_within_a_bound(
    answer: Answer, said: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(failures, "ANSWER_BYTES", 1_000_000)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    site.answers[GET_EXPERIMENT] = quietly(answer)
    began = time.monotonic()
    with pytest.raises(TrackingError, match=said) as raised:
        Store(tmp_path)
    assert time.monotonic() - began < 20  # and not the hours that they would take
    assert "\n" not in str(raised.value)
    assert "<" not in str(raised.value)


def test_an_answer_that_is_slow_and_large_is_waited_for_while_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "ANSWER_SECONDS", 0.0)

    class Quick:
        def readinto(self, buffer: bytearray) -> int:
            return len(buffer)

    bounded = failures._Bounded(Quick())  # type: ignore[arg-type]
    bounded._received = 1_000_000
    assert bounded.readinto(bytearray(10)) == 10
