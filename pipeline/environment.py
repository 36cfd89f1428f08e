"""What of the environment is settled before any command: where a relative path leads, and what no proxy is for."""

import os
from pathlib import Path

from pipeline import state

PATHS = (
    "MNISTGAN_CACHE_DIR",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Variables that name a file or folder to what runs here."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def settle() -> None:
    """Take relative paths from the main repository, and let no proxy be asked for this machine itself.

    A stage of an experiment works in a folder of its own, which lacks what git does not hold and is deleted.
    """
    for name in PATHS:
        if given := os.environ.get(name):
            os.environ[name] = str(state.main_root() / Path(given).expanduser())
    # Some libraries read the one spelling first, some the other.
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    listed = [host.strip() for host in excepted.split(",") if host.strip()]
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(dict.fromkeys([*listed, *LOOPBACK]))
