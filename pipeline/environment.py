"""Prepares the environment before any command: who calls, where a relative path leads, what no proxy is asked for."""

import os
import pwd
from pathlib import Path

from pipeline.dvcfiles import layout

PATHS = (
    "MNISTGAN_CACHE_DIR",
    "MNISTGAN_IMAGES_DIR",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Variables that name a file or folder to what runs here."""
SHARED = Path("/var/tmp")  # noqa: S108 - where DVC itself keeps what users share
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def settle() -> None:
    """Resolves relative paths from the main repository, and keeps any proxy from being asked for this machine.

    A stage of an experiment works in a folder of its own, which lacks what git does not hold and is deleted.
    """
    _be_somebody(layout.main_root().resolve() / ".dvc" / "tmp")
    for name in PATHS:
        if given := os.environ.get(name):
            os.environ[name] = str(layout.main_root() / os.path.expanduser(given))  # noqa: PTH111 - Path's raises at ~nobody
    # Some libraries read the one spelling first, some the other.
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    listed = [host.strip() for host in excepted.split(",") if host.strip()]
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(dict.fromkeys([*listed, *LOOPBACK]))


def _be_somebody(folder: Path) -> None:
    """Sets a home and a user name where there is none, as in a container: DVC, MLflow, npm and others need them.

    The Makefile does so for a `dvc` that it calls. Nothing that a person has is set anew.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("USER", str(os.getuid()))
        os.environ.setdefault("HOME", str(folder / "home"))
    home = Path.home()
    if not (os.access(home, os.W_OK) or (home / ".cache").exists()):
        for name, place in {"XDG_CACHE_HOME": "cache", "MPLCONFIGDIR": "matplotlib", "npm_config_cache": "npm"}.items():
            os.environ.setdefault(name, str(folder / "home" / place))
    if not os.access(SHARED, os.W_OK):
        os.environ.setdefault("DVC_SITE_CACHE_DIR", str(folder / "site"))
