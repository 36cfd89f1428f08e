"""Where and by what a stage ran: what no out may hold, since another machine's outs must be the same bytes."""

import os
import platform
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

from pipeline import state

_USERINFO = re.compile(r"(?<=://)[^\s/]+@")
_SECRET_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def commit(workspace: Path = Path()) -> str | None:
    """The commit that the workspace stands on; None outside a git repository or before its first commit."""
    return _git(workspace, "rev-parse", "--verify", "--quiet", "HEAD")


def is_dirty(workspace: Path = Path()) -> bool | None:
    """Whether anything but dvc.lock and the stages' outs differs from the commit; None outside a git repository."""
    outs = [str(state.LOCK), *state.outs_of_workspace(workspace)]
    changed = _git(workspace, "status", "--porcelain", "--", ".", *(f":(exclude){path}" for path in outs))
    return None if changed is None else bool(changed)


def cpu_model() -> str:
    """The processor as the system names it, for instance ``Intel(R) Xeon(R) CPU @ 2.20GHz``."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def without_secrets(text: str) -> str:
    """``text`` with the user and password of any URL in it, and any password known from the environment, struck out."""
    for secret in secrets():
        text = text.replace(secret, "***")
    return _USERINFO.sub("***@", text)


def secrets() -> list[str]:
    """The tracking store's passwords and tokens that the environment tells, as they may be written."""
    userinfo = os.environ.get("MLFLOW_TRACKING_URI", "").partition("://")[2].rpartition("@")[0]
    password = userinfo.partition(":")[2]
    told = [userinfo, password, unquote(password), *(os.environ.get(name) for name in _SECRET_VARIABLES)]
    return [secret for secret in told if secret]


def _git(workspace: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, and no shell reads them
            ["git", *arguments],  # noqa: S607 - the git that the person uses
            cwd=workspace,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
