"""Where and by what a stage ran: for journals and runs; of it an out holds the kind of machine alone."""

import hashlib
import os
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipeline.dvcfiles import dvc_yaml, git, layout

_USERINFO = re.compile(r"(?<=://)[^\s/]+@")
FACTS_OF_MACHINE = ("processor", "precision")
"""What of :func:`runtime.machine` two records are compared by."""
_SECRET_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def commit(workspace: Path = Path()) -> str | None:
    """The commit that the workspace stands on; None outside a git repository or before its first commit.

    Raises GitError.
    """
    return git.commit("HEAD", workspace)


def is_dirty(workspace: Path = Path()) -> bool | None:
    """Whether anything but dvc.lock and the stages' outs differs from the commit; None outside a git repository.

    Raises GitError.
    """
    outs = [str(layout.LOCK), *dvc_yaml.outs(workspace)]
    excluded = (f":(exclude){path}" for path in outs)
    changed = git.ask("status", "--porcelain", "--", ".", *excluded, folder=workspace)
    return None if changed is None else bool(changed)


def clone(root: Path) -> str:
    """A mark that tells this clone from every other, of this machine too; one that was copied is another."""
    folder = root.stat()
    told = f"{socket.gethostname()} {folder.st_dev} {folder.st_ino}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def facts_of_machine(written: Any) -> dict[str, str]:
    """What :func:`runtime.machine` wrote to a file: without what it does not say, empty where it names no processor."""
    named = written if isinstance(written, dict) and isinstance(written.get("processor"), str) else {}
    return {name: named[name] for name in FACTS_OF_MACHINE if isinstance(named.get(name), str)}


def processor(written: Any) -> str | None:
    """The processor that :func:`runtime.machine`, written to a file, names; None where this is none of it."""
    return facts_of_machine(written).get("processor")


def without_secrets(text: str) -> str:
    """``text`` with the user and password of any URL in it, and any password known from the environment, struck out."""
    for secret in secrets():
        text = text.replace(secret, "***")
    return _USERINFO.sub("***@", text)


def secrets() -> list[str]:
    """The tracking store's passwords and tokens that the environment tells, as they may be written."""
    place = os.environ.get("MLFLOW_TRACKING_URI", "").partition("://")[2]
    userinfo = "" if place.startswith("/") else place.rpartition("@")[0]  # a path may hold an @ of its own
    password = userinfo.partition(":")[2]
    told = [userinfo, password, unquote(password), *(os.environ.get(name) for name in _SECRET_VARIABLES)]
    return [secret for secret in told if secret]
