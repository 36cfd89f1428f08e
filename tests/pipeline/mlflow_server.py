"""MLflow's own server with a switch for each way in which it may fail; and a handle on its process for tests.

Run as a module, it serves a folder on loopback and prints its port. ``PUT /fault?kind=lost&after=3`` lets the fault
meet every call that writes but the first three; ``kind=none`` ends it. With ``asks=Bearer%20secret`` whoever does not
send that as the header Authorization is answered 401, as by a proxy before a team's server.
"""

import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
READS = ("/search", "/get")


class Fault(StrEnum):
    """What happens to a call that writes."""

    NONE = "none"
    ERROR = "error"
    """Answered 500, and not done."""
    LOST = "lost"
    """Done, and the answer lost."""
    HALF = "half"
    """Of a file, its first half arrives; the answer is lost."""
    SILENCE = "silence"
    """Never answered, and not done."""
    DEATH = "death"
    """The server's process ends."""


class Server:
    """A server's process and its address."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.pipeline.mlflow_server", str(folder)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.uri = f"http://127.0.0.1:{self.port}"
        # The first answer makes the store's tables, on a busy machine for longer than a client waits.
        with urlopen(f"{self.uri}/api/2.0/mlflow/experiments/get?experiment_id=0") as answer:
            answer.read()

    def fail(self, kind: Fault, after: int = 0, asks: str = "") -> None:
        """Let every call that writes, after so many more, meet a fault; or ask every call to sign in."""
        asked = urlencode({"kind": kind, "after": after, "asks": asks})
        with urlopen(Request(f"{self.uri}/fault?{asked}", method="PUT")) as answer:
            answer.read()

    def wait(self) -> None:
        """Return when the process is gone."""
        self._process.wait()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


class Faulty:
    """MLflow's WSGI application behind the switch."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._kind = Fault.NONE
        self._after = 0
        self._asks = ""
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/fault":
            return self._switch(parse_qs(environ["QUERY_STRING"]), start)
        if self._asks and environ.get("HTTP_AUTHORIZATION") != self._asks:
            start("401 UNAUTHORIZED", [])
            return [b""]
        kind = self._met(environ)
        if kind is Fault.DEATH:
            os._exit(0)
        if kind is Fault.ERROR:
            start("500 INTERNAL SERVER ERROR", [])
            return [b""]
        if kind is Fault.SILENCE:
            threading.Event().wait()
        if kind is Fault.HALF and environ["REQUEST_METHOD"] == "PUT":
            content = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]) // 2)
            environ = {**environ, "wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))}
        answer = list(self._application(environ, start))
        if kind in (Fault.LOST, Fault.HALF):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer

    def _switch(self, query: dict[str, list[str]], start: Any) -> Iterable[bytes]:
        with self._lock:
            self._kind, self._after = Fault(query["kind"][0]), int(query["after"][0])
            self._asks = query.get("asks", [""])[0]
        start("200 OK", [])
        return [b""]

    def _met(self, environ: dict[str, Any]) -> Fault:
        if environ["REQUEST_METHOD"] == "GET" or environ["PATH_INFO"].endswith(READS):
            return Fault.NONE
        with self._lock:
            self._after -= 1
            return self._kind if self._after < 0 else Fault.NONE


def serve(folder: Path) -> None:
    """Serve an MLflow store in ``folder`` until the process is ended."""
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    import mlflow.server
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, Faulty(mlflow.server.app), threaded=True)
    print(server.server_port, flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
