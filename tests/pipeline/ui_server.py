"""MLflow's pages as `python -m pipeline ui` serves them."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread


@contextmanager
def serving(root: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The pages on a store until the block ends, by SIGTERM; gives the address that the command says to open."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "ui", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        said = re.match(r"MLflow: (\S+) ", server.stdout.readline())
        for line in server.stdout:
            if "Application startup complete" in line:
                break
        reading = Thread(target=server.stdout.read)  # a pipe that nobody reads would fill, and the server stop
        reading.start()
        try:
            assert said, "it ended before it said an address"
            yield said[1]
        finally:
            server.send_signal(signal.SIGTERM)
            reading.join()  # until nobody holds it, the server's own child neither
            assert server.wait() == 0
