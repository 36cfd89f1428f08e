"""Tells machines apart by the file that a training wrote of its own, and clones by where they lie."""

import hashlib
import socket
from pathlib import Path
from typing import Any

FACTS = ("processor", "precision", "device")
"""What of :func:`runtime.machine` two records are compared by; a device is named where it is not the processor."""


def clone(root: Path) -> str:
    """Marks this clone apart from every other, of this machine too; one that was copied is another."""
    folder = root.stat()
    told = f"{socket.gethostname()} {folder.st_dev} {folder.st_ino}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def facts(written: Any) -> dict[str, str]:
    """Reads what :func:`runtime.machine` wrote to a file: no facts where it names no processor."""
    named = written if isinstance(written, dict) and isinstance(written.get("processor"), str) else {}
    return {name: named[name] for name in FACTS if isinstance(named.get(name), str)}


def processor(written: Any) -> str | None:
    """Reads the processor from what :func:`runtime.machine` wrote to a file; None where this is none of it."""
    return facts(written).get("processor")
