"""Reads and mends the locks that DVC keeps in .dvc/tmp: private parts of DVC, as SEEN_IN has them."""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mnistgan.errors import UsageError

SEEN_IN = "3.67"
RWLOCK = Path(".dvc/tmp/rwlock")
GUARD = Path(".dvc/tmp/rwlock.lock")  # what DVC itself locks while it rewrites the other
BUSY = Path(".dvc/tmp/lock")  # what DVC locks, and writes its process id in, whenever no stage of it is at work
BUSY_SECONDS = 3.0  # how long a DVC may hold that until it is named; DVC itself waits as long, and then names nobody
_PID = re.compile(r'"pid":\s*(\d+)')


def refuse_beside_dvc() -> None:
    """Raises UsageError where DVC holds its lock on this folder for longer than a moment."""
    end = time.monotonic() + BUSY_SECONDS
    while _is_busy():
        if time.monotonic() > end:
            pid = BUSY.read_text("utf-8", "replace").strip()
            raise UsageError(f"dvc (pid {pid}) is at work in this folder, and holds {BUSY}; wait for it")
        time.sleep(0.1)


def _is_busy() -> bool:
    try:
        with suppress(FileNotFoundError), BUSY.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def mend() -> str | None:
    """Removes an rwlock that is no whole JSON, and entries of dead processes; says so, None where it is whole.

    Raises UsageError where it is torn while a DVC is at work.
    """
    with _guarded():
        try:
            text = RWLOCK.read_text("utf-8", "replace")
        except FileNotFoundError:
            return None
        entries = _entries(text)
        if entries is None:
            if masters := _live(text):
                raise UsageError(
                    f"{RWLOCK}: torn, while dvc (pid {masters[0]}) is at work; try again when it has ended"
                )
            RWLOCK.unlink()
            return f"{RWLOCK}: was torn, as a kill leaves it; removed"
        living = {mode: _living(held) for mode, held in entries.items()}
        if living == entries:
            return None
        from mnistgan.files import write_json

        write_json(RWLOCK, living)
        return f"{RWLOCK}: held entries of processes that are gone; removed"


@contextmanager
def _guarded() -> Iterator[None]:
    """Keeps DVC from rewriting its rwlock meanwhile: in that moment a whole one looks torn."""
    if not GUARD.parent.is_dir():
        yield
        return
    with GUARD.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _entries(text: str) -> dict[str, dict[str, Any]] | None:
    """Reads an rwlock's entries, by mode and path; None where it is torn."""
    with suppress(ValueError, TypeError, AttributeError, KeyError):
        entries = {mode: dict(held) for mode, held in json.loads(text).items()}
        listed = [infos if isinstance(infos, list) else [infos] for held in entries.values() for infos in held.values()]
        if all(isinstance(one["pid"], int) and isinstance(one["cmd"], str) for infos in listed for one in infos):
            return entries
    return None


def _living(held: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for path, infos in held.items():
        if isinstance(infos, list):
            if readers := [info for info in infos if _is_dvc(info["pid"])]:
                kept[path] = readers
        elif _is_dvc(infos["pid"]):
            kept[path] = infos
    return kept


def live_dvc() -> list[int]:
    """Lists the living processes of DVC that the rwlock, torn or not, names."""
    return _live(RWLOCK.read_text("utf-8", "replace") if RWLOCK.exists() else "")


def _live(text: str) -> list[int]:
    return [pid for pid in sorted({int(found) for found in _PID.findall(text)}) if _is_dvc(pid)]


def _is_dvc(pid: int) -> bool:
    """Whether a process lives and is DVC: ids are given again, and DVC itself only asks whether one lives."""
    if not lives(pid):
        return False
    try:
        return b"dvc" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True  # a system without /proc


def lives(pid: int) -> bool:
    """Whether a process of this id lives."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
