"""A web server on the loopback whose every answer a test decides."""

import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """A web server on the loopback: answers by path, everything asked for written down."""

    scheme: str = "http"
    answers: dict[str, Answer | bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.lstrip("/")
        self.asked.append(path)
        answer = self.answers.get(path)
        if answer is None:
            handler.send_error(404)
        elif isinstance(answer, bytes):
            send(handler, answer)
        else:
            answer(handler)


def send(handler: BaseHTTPRequestHandler, content: bytes, status: int = 200, promised: int | None = None) -> None:
    """Answer with ``content``, after promising ``promised`` bytes (by default as many as there are)."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content) if promised is None else promised))
    handler.end_headers()
    handler.wfile.write(content)


def redirect(location: str) -> Answer:
    """Answer with a redirect to ``location``."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def in_turn(*answers: Answer | bytes) -> Answer:
    """Give each answer once, the last one from then on."""
    left = list(answers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        send(handler, now) if isinstance(now, bytes) else now(handler)

    return answer


def serve(site: Site, context: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Serve ``site`` until the generator is closed."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.answer(self)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
