"""Downloads files from a web folder over HTTPS, trying again after errors that may pass."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from mnistgan.datasets.fetching.limits import PATIENCE, Patience, is_html
from mnistgan.errors import FormatError, SourceError
from mnistgan.progress import Progress

LOOPBACK = ("127.0.0.1", "localhost")
_MAX_REDIRECTS = 5

T = TypeVar("T")


class _PassingError(SourceError):
    """An error that another try may not meet."""


class _UnansweredError(_PassingError):
    """The server did not answer."""


def download(url: str, limit: int, progress: Progress, patience: Patience = PATIENCE) -> bytes:
    """Fetches ``url``, at most ``limit`` bytes, as it is stored there (no transfer coding is undone).

    Tries again, with growing pauses, after a failed or broken connection, a timeout or a 5xx; not after any other
    answer. Follows redirects to https only (from a loopback http address, for tests, to loopback too).
    Raises SourceError, or FormatError when an HTML page comes.
    """
    retrying = Retrying(
        stop=lambda state: stop_after_attempt(patience.tries)(state) or _silent_for(patience.unanswered, state),
        wait=wait_exponential_jitter(initial=patience.pause, max=8 * patience.pause, jitter=patience.pause / 2),
        retry=retry_if_exception_type(_PassingError),
        reraise=True,
    )
    return retrying(_attempt, url, limit, progress, patience)


def _silent_for(seconds: float, state: RetryCallState) -> bool:
    failure = state.outcome.exception() if state.outcome else None
    return isinstance(failure, _UnansweredError) and (state.seconds_since_start or 0) >= seconds


def _attempt(url: str, limit: int, progress: Progress, patience: Patience) -> bytes:
    try:
        with _client(url, patience) as client:
            request = client.build_request("GET", url, headers={"Accept-Encoding": "identity"})
            response = _within(patience.answer, lambda: client.send(request, stream=True))
            try:
                _check_status(response)
                return _body(response, limit, progress, patience)
            finally:
                response.close()
    except TimeoutError as error:
        raise _UnansweredError(f"{_name(url)}: no answer within {patience.answer:g} s") from error
    except httpx.TimeoutException as error:
        raise _UnansweredError(f"{_name(url)}: no answer ({_reason(error)})") from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise _PassingError(f"{_name(url)}: no connection, or it broke ({_reason(error)})") from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last: no host can have such a name
        raise SourceError(f"{_name(url)}: {_reason(error)}") from error


def _client(url: str, patience: Patience) -> httpx.Client:
    plain_too = url.startswith("http://")

    def check_scheme(request: httpx.Request) -> None:
        # Runs before every request, redirected ones included.
        plain_loopback = request.url.scheme == "http" and request.url.host in LOOPBACK
        if not (request.url.scheme == "https" or (plain_too and plain_loopback)):
            raise SourceError(f"{_name(url)}: leads to {request.url}; only https:// is taken")

    return httpx.Client(
        follow_redirects=True,
        max_redirects=_MAX_REDIRECTS,
        timeout=httpx.Timeout(patience.silence, connect=patience.connect),
        event_hooks={"request": [check_scheme]},
        mounts={f"http://{host}": None for host in LOOPBACK},  # never by a proxy
    )


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Returns ``call``'s result, or raises TimeoutError.

    A name look-up knows no timeout and each of a host's addresses is given a connect timeout of its own, so that
    eight dead ones would take 40 s; a daemon thread can be left behind instead.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # handed to the one who waits
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future.result(seconds)


def _check_status(response: httpx.Response) -> None:
    if response.is_success:
        return
    message = f"{_name(str(response.url))}: HTTP {response.status_code} {response.reason_phrase}".rstrip()
    raise (_PassingError if response.is_server_error else SourceError)(message)


def _body(response: httpx.Response, limit: int, progress: Progress, patience: Patience) -> bytes:
    name = _name(str(response.url))
    announced = int(response.headers.get("Content-Length", limit))
    received = bytearray()
    deadline = time.monotonic() + patience.file
    for chunk in response.iter_raw():  # as they come: gathered into larger ones, a trickle would pass the deadline by
        received += chunk
        if is_html(bytes(received[:512])):
            raise FormatError(f"{name}: an HTML page instead of a .gz file: a sign-in or error page")
        if max(announced, len(received)) > limit:
            raise SourceError(f"{name}: larger than the {limit:,} bytes that the file can have")
        if time.monotonic() > deadline:
            raise SourceError(f"{name}: too slow: {len(received):,} bytes within {patience.file:g} s")
        progress(f"{name} (kB)", -(-len(received) // 1000), -(-announced // 1000))
    return bytes(received)


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
