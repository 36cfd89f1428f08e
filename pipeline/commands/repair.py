"""Mends what a kill may have torn of DVC's own files, and names the stages still at work here."""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnistgan.errors import FormatError, UsageError
from pipeline import console
from pipeline.dvcfiles import dvc_lock, git, layout
from pipeline.runs import journal
from pipeline.runs.journal import Kind

RWLOCK = Path(".dvc/tmp/rwlock")
GUARD = Path(".dvc/tmp/rwlock.lock")
"""What DVC itself locks while it rewrites the other."""
BUSY = Path(".dvc/tmp/lock")
"""What DVC locks, and writes its process id in, whenever no stage of it is at work."""
BUSY_SECONDS = 3.0
"""How long a DVC may hold that until it is named; DVC itself waits as long, and then names nobody."""
TORN = Path("dvc.lock.torn")
_PID = re.compile(r'"pid":\s*(\d+)')
_CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


@dataclass(frozen=True)
class AtWork:
    """A stage that is running in this folder."""

    stage: str
    pid: int


def repair() -> None:
    """Mend files of DVC that a kill left torn.

    `make repro` does it first; what is whole stays as it is. An rwlock of DVC that is no whole JSON goes, entries of
    dead processes too. A dvc.lock that is no whole record is put back as the last commit has it, the torn one kept
    beside as dvc.lock.torn; what ran since comes out of DVC's run cache. A stage that still works here, left by a DVC
    that was killed or not, is named, and nothing is done; so is a DVC that is busy here.
    """
    _refuse_beside_others()
    _refuse_beside_dvc()
    mended = [said for said in (_mend_rwlock(), _mend_lock()) if said]
    for said in mended:
        console.warn(said)
    if not mended:
        console.summary("nothing to mend: DVC's record and locks are whole")


def at_work(workspace: Path) -> list[AtWork]:
    """Lists the stages that run in a folder now: their journals are locked while they live."""
    found = []
    for path in sorted((layout.main_root() / journal.FOLDER).glob("*.jsonl")):
        starts = [event for event in journal.read(path) if event.kind is Kind.START]
        if not starts or not journal.is_live(path):
            continue
        last = starts[-1]
        code, pid = Path(str(last.facts.get("code"))), last.facts.get("pid")
        if isinstance(pid, int) and _lives(pid) and code.is_relative_to(workspace.resolve()):
            found.append(AtWork(last.stage, pid))
    # An experiment of the queue has a folder of its own below .dvc/tmp, and so disturbs nothing here.
    return found


def _refuse_beside_others() -> None:
    """Raises UsageError where a stage runs in this folder."""
    working = at_work(Path("src"))
    if not working:
        return
    names = ", ".join(f"{each.stage} (pid {each.pid})" for each in working)
    text = RWLOCK.read_text("utf-8", "replace") if RWLOCK.exists() else ""
    masters = _live_dvc(text)
    started = f"started by dvc (pid {masters[0]})" if masters else "left by a dvc that is gone"
    pids = " ".join(str(each.pid) for each in working)
    raise UsageError(
        f"{names} is at work in this folder, {started}; wait for it, or end it by `kill {pids}`: training saves first"
    )


def _refuse_beside_dvc() -> None:
    """Raises UsageError where DVC holds its lock on this folder for longer than a moment."""
    end = time.monotonic() + BUSY_SECONDS
    while _is_locked(BUSY):
        if time.monotonic() > end:
            pid = BUSY.read_text("utf-8", "replace").strip()
            raise UsageError(f"dvc (pid {pid}) is at work in this folder, and holds {BUSY}; wait for it")
        time.sleep(0.1)


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _mend_rwlock() -> str | None:
    with _guarded():
        try:
            text = RWLOCK.read_text("utf-8", "replace")
        except FileNotFoundError:
            return None
        entries = _entries(text)
        if entries is None:
            if masters := _live_dvc(text):
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
    try:
        document = json.loads(text)
        entries = {mode: dict(held) for mode, held in document.items()}
        if all(_is_whole(info) for held in entries.values() for infos in held.values() for info in _listed(infos)):
            return entries
    except (ValueError, TypeError, AttributeError):
        pass
    return None


def _listed(infos: Any) -> list[Any]:
    """Returns a list: readers of a path come as one, its writer alone."""
    return infos if isinstance(infos, list) else [infos]


def _is_whole(info: Any) -> bool:
    return isinstance(info, dict) and isinstance(info.get("pid"), int) and isinstance(info.get("cmd"), str)


def _living(held: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for path, infos in held.items():
        if isinstance(infos, list):
            if readers := [info for info in infos if _is_dvc(info["pid"])]:
                kept[path] = readers
        elif _is_dvc(infos["pid"]):
            kept[path] = infos
    return kept


def _live_dvc(text: str) -> list[int]:
    """Lists the living processes of DVC that an rwlock, torn or not, names."""
    return [pid for pid in sorted({int(found) for found in _PID.findall(text)}) if _is_dvc(pid)]


def _is_dvc(pid: int) -> bool:
    """Whether a process lives and is DVC: ids are given again, and DVC itself only asks whether one lives."""
    if not _lives(pid):
        return False
    try:
        return b"dvc" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True  # a system without /proc


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _mend_lock() -> str | None:
    from mnistgan import reading

    try:
        content = reading.content(layout.LOCK)
    except FileNotFoundError:
        return None
    text = content.decode("utf-8", "replace")
    if _CONFLICT.search(text):
        raise UsageError(
            f"{layout.LOCK}: holds both sides of a merge; take one by `git checkout --ours {layout.LOCK}` "
            "(or --theirs), then `make repro`"
        )
    if _is_record(text):
        return None
    from mnistgan.files import write_bytes

    committed = git.blob("HEAD", layout.LOCK)  # where git can't be asked, the torn one stays
    write_bytes(TORN, content)
    if committed is None or not _is_record(committed.decode("utf-8", "replace")):
        layout.LOCK.unlink()
        return f"{layout.LOCK}: was torn, and the last commit has no whole one; moved to {TORN}"
    write_bytes(layout.LOCK, committed)
    return f"{layout.LOCK}: was torn, as a kill leaves it; put back as committed, the torn one is {TORN}"


def _is_record(text: str) -> bool:
    """Whether this is a dvc.lock, whole as far as its text can tell."""
    try:
        dvc_lock.parts_of(text)
    except FormatError:
        return False
    return True
