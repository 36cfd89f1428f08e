"""Reads what a training ran on, machine and library versions, from the files that it wrote; tells clones apart."""

import hashlib
import itertools
import json
import os
import re
import secrets
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mnistgan.errors import DataError, FormatError
from pipeline.dvcfiles import cache, digests
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.dvcfiles.layout import LOCK
from pipeline.runtime import LIBRARIES

VERSIONS = Path("models/versions.json")
NUMBER = Path("journal/clone")
REQUIREMENTS = Path("requirements.lock")
_REQUIREMENT = re.compile(r"^([a-z0-9-]+)==([^\s;\\]+)", re.MULTILINE)

FACTS = ("processor", "precision", "device")
"""What of :func:`runtime.machine` two records are compared by; a device is named where it is not the processor."""


def clone(root: Path) -> str:
    """Marks this clone apart from every other, of this machine too; one that was copied is another.

    By a number of its own: host, device and inode may be the same in two containers. Where none can be kept, by those.
    """
    folder = root.stat()
    told = f"{socket.gethostname()} {folder.st_dev} {folder.st_ino} {_number(root / NUMBER)}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _number(path: Path) -> str:
    """Reads a clone's number, drawn at its first use; of two processes at once the first one's counts."""
    with suppress(OSError):
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent) as drawn, suppress(FileExistsError):
                drawn.write(secrets.token_hex(8).encode())
                drawn.flush()
                os.link(drawn.name, path)
        return path.read_text("ascii")
    return ""


def facts(written: Any) -> dict[str, str]:
    """Reads what :func:`runtime.machine` wrote to a file: no facts where it names no processor."""
    named = written if isinstance(written, dict) and isinstance(written.get("processor"), str) else {}
    return {name: named[name] for name in FACTS if isinstance(named.get(name), str)}


def recorded_facts(train: Part | None, read: Callable[[Path], bytes | None]) -> dict[str, str]:
    """Reads on what a recorded training ran; none where its file is not there as recorded."""
    path = train.options.get("machine") if train else None
    content = (read(path) if path else None) or b""
    try:
        return facts(json.loads(content)) if train and digests.md5(content) == train.outs.get(str(path)) else {}
    except (ValueError, RecursionError):
        return {}


def recorded_versions(train: Part, workspace: Path) -> dict[str, str]:
    """Reads the library versions that a recorded training wrote, from the workspace or else from DVC's cache.

    Raises DataError when neither has them.
    """
    path = train.options.get("versions", VERSIONS).as_posix()
    recorded = train.outs.get(path, "")
    for place in (workspace / path, cache.place(recorded)):
        if recorded and digests.md5_if_there(place, workspace) == recorded:
            return parse_versions(place.read_bytes(), path)
    raise DataError(f"{path}: not the one that {LOCK} records, nor in DVC's cache; run `dvc checkout` or `dvc pull`")


def parse_versions(content: bytes, path: str) -> dict[str, str]:
    """Parses the library versions that a training wrote to ``path``. Raises FormatError where it holds none."""
    try:
        versions = json.loads(content)
        return {library: str(versions[library]) for library in LIBRARIES}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"{path}: names no version of {', '.join(LIBRARIES)}; run `dvc repro train`") from error


def pinned_by(requirements: str) -> dict[str, list[str]]:
    """Reads the versions that a requirements.lock pins, by library; several where they differ by Python's version."""
    found: dict[str, list[str]] = {}
    for library, version in _REQUIREMENT.findall(requirements):
        found.setdefault(library, []).append(version)
    return found


def versions_as_pinned(train: Part, requirements: str) -> dict[str, str] | None:
    """Finds the versions a recorded training ran on, if they are those that ``requirements`` pins; else None.

    Told by the digest of the file that the training wrote, so that the file itself need not be there.
    """
    pinned = pinned_by(requirements)
    expected = train.outs.get(str(train.options.get("versions")))
    for chosen in itertools.product(*(pinned.get(library, []) for library in LIBRARIES)):
        versions = dict(zip(LIBRARIES, chosen, strict=True))
        written = (json.dumps(versions, indent=2) + "\n").encode()  # as mnistgan.files.write_json does
        if digests.md5(written) == expected:
            return versions
    return None
